//! The table `user_identities`: whose account somebody's at the OpenID provider is. What the provider says is not judged here.

use afterlive_domain::{UnixMillis, UserId};

use super::{Connection, Result, Tx, on, parse};

/// One that is connected.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pub id: String,
    pub user: UserId,
    pub issuer: String,
    pub subject: String,
    pub connected_at: UnixMillis,
}

impl std::fmt::Debug for Identity {
    /// By what a provider knows somebody is nothing for a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).field("user", &self.user).finish_non_exhaustive()
    }
}

/// False where somebody else has it, or the user has another one of that issuer.
pub async fn insert(tx: &mut Tx, identity: &Identity) -> Result<bool> {
    let inserted = on!(tx, c => sqlx::query(
        "INSERT INTO user_identities (id, user_id, issuer, subject, connected_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(&identity.id)
    .bind(identity.user.to_string())
    .bind(&identity.issuer)
    .bind(&identity.subject)
    .bind(identity.connected_at.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(inserted > 0)
}

/// Whose it is, and by which row.
pub async fn owner(connection: &mut Connection, issuer: &str, subject: &str) -> Result<Option<(String, UserId)>> {
    let row: Option<(String, String)> = on!(connection, c => sqlx::query_as(
        "SELECT id, user_id FROM user_identities WHERE issuer = $1 AND subject = $2",
    )
    .bind(issuer)
    .bind(subject)
    .fetch_optional(c)
    .await)?;
    row.map(|(id, user)| Ok((id, parse("user_identities.user_id", &user)?))).transpose()
}

/// The one of that issuer that a user has, and since when.
pub async fn of_user(connection: &mut Connection, user: UserId, issuer: &str) -> Result<Option<(String, UnixMillis)>> {
    let row: Option<(String, i64)> = on!(connection, c => sqlx::query_as(
        "SELECT id, connected_at FROM user_identities WHERE user_id = $1 AND issuer = $2",
    )
    .bind(user.to_string())
    .bind(issuer)
    .fetch_optional(c)
    .await)?;
    Ok(row.map(|(id, at)| (id, UnixMillis(at))))
}

/// Deletes all that a user has, of whichever issuer; how many those were.
pub async fn delete_of(tx: &mut Tx, user: UserId) -> Result<u64> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM user_identities WHERE user_id = $1")
        .bind(user.to_string())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted)
}

/// False where the user has none of that issuer.
pub async fn delete(tx: &mut Tx, user: UserId, issuer: &str) -> Result<bool> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM user_identities WHERE user_id = $1 AND issuer = $2")
        .bind(user.to_string())
        .bind(issuer)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}
