//! The table `session_tokens`: what programs that signed in by e-mail and password have. Knows a token's SHA-256 only, never the token.

use afterlive_domain::{OrganisationId, Role, UnixMillis, UserId};

use super::{Connection, Error, Result, Tx, on, parse, users};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionToken {
    pub user: UserId,
    /// The most that it may; less where the user's own is less by then.
    pub role: Role,
    /// `User::credentials_digest` when it was made.
    pub password_digest: String,
    pub created_at: UnixMillis,
    /// From then on it is good for nothing.
    pub expires_at: UnixMillis,
}

#[derive(sqlx::FromRow)]
struct Row {
    user_id: String,
    role: String,
    password_digest: String,
    created_at: i64,
    expires_at: i64,
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    hash: String,
    #[sqlx(flatten)]
    row: Row,
}

impl TryFrom<Row> for SessionToken {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            user: parse("session_tokens.user_id", &row.user_id)?,
            role: parse("session_tokens.role", &row.role)?,
            password_digest: row.password_digest,
            created_at: UnixMillis(row.created_at),
            expires_at: UnixMillis(row.expires_at),
        })
    }
}

/// Adds a token, and deletes the user's oldest where it has more than `most` then; of those that are added at once too. `hash` is the token's SHA-256 in
/// hexadecimal. False where the user is gone.
pub async fn add(tx: &mut Tx, token: &SessionToken, hash: &str, most: u32) -> Result<bool> {
    if !users::hold(tx, token.user).await? {
        return Ok(false);
    }
    keep_newest(tx, token.user, most.saturating_sub(1)).await?;
    insert(tx, token, hash).await?;
    Ok(true)
}

async fn insert(tx: &mut Tx, token: &SessionToken, hash: &str) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO session_tokens (hash, user_id, role, password_digest, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(hash)
    .bind(token.user.to_string())
    .bind(token.role.as_str())
    .bind(&token.password_digest)
    .bind(token.created_at.0)
    .bind(token.expires_at.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// The token of that hash, where it has not expired.
pub async fn by_hash(connection: &mut Connection, hash: &str, now: UnixMillis) -> Result<Option<SessionToken>> {
    let row: Option<Row> = on!(connection, c => sqlx::query_as(
        "SELECT user_id, role, password_digest, created_at, expires_at FROM session_tokens WHERE hash = $1 AND expires_at > $2",
    )
    .bind(hash)
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    row.map(SessionToken::try_from).transpose()
}

/// Whose the token of that hash is, or was: those that have expired too, for as long as they are kept.
pub async fn owner(connection: &mut Connection, hash: &str) -> Result<Option<(OrganisationId, UserId)>> {
    let statement = "SELECT u.organisation_id, u.id FROM session_tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = $1";
    let found: Option<(String, String)> = on!(connection, c => sqlx::query_as(statement).bind(hash).fetch_optional(c).await)?;
    found.map(|(owner, id)| Ok((parse("users.organisation_id", &owner)?, parse("users.id", &id)?))).transpose()
}

/// Hash and row of those of a user that have not expired, newest first.
pub async fn of_user(connection: &mut Connection, user: UserId, now: UnixMillis) -> Result<Vec<(String, SessionToken)>> {
    let rows: Vec<ListedRow> = on!(connection, c => sqlx::query_as(
        "SELECT * FROM session_tokens WHERE user_id = $1 AND expires_at > $2 ORDER BY created_at DESC, hash",
    )
    .bind(user.to_string())
    .bind(now.0)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(|ListedRow { hash, row }| Ok((hash, row.try_into()?))).collect()
}

/// Deletes a user's token; false where the user has no such token.
pub async fn delete_of_user(tx: &mut Tx, user: UserId, hash: &str) -> Result<bool> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM session_tokens WHERE hash = $1 AND user_id = $2")
        .bind(hash)
        .bind(user.to_string())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}

/// Deletes all of a user's, and says how many that were.
pub async fn delete_all(tx: &mut Tx, user: UserId) -> Result<u64> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM session_tokens WHERE user_id = $1")
        .bind(user.to_string())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted)
}

/// Deletes all of a user's but the newest so many.
async fn keep_newest(tx: &mut Tx, user: UserId, kept: u32) -> Result<()> {
    on!(tx, c => sqlx::query(
        "DELETE FROM session_tokens WHERE user_id = $1 AND hash NOT IN
         (SELECT hash FROM session_tokens WHERE user_id = $1 ORDER BY created_at DESC, hash LIMIT $2)",
    )
    .bind(user.to_string())
    .bind(i64::from(kept))
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Deletes what has expired, and says how many that were.
pub async fn delete_expired(tx: &mut Tx, now: UnixMillis) -> Result<u64> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM session_tokens WHERE expires_at <= $1")
        .bind(now.0)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted)
}
