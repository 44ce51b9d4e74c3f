//! The table `users`.

use afterlive_domain::{OrganisationId, Role, UnixMillis, UserId};

use sha2::{Digest as _, Sha256};

use super::{Connection, Error, Result, Tx, on, parse};
use crate::hexadecimal::hexadecimal;

#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub organisation: OrganisationId,
    /// Trimmed, in lower case.
    pub email: String,
    /// A PHC string; or, of who has no password, a text that is none, and nobody else's.
    pub password_hash: String,
    pub role: Role,
    pub created_at: UnixMillis,
    /// With the password or by the provider, to the dashboard or for a session token.
    pub last_sign_in_at: Option<UnixMillis>,
    /// Whether they administer the installation, whatever their role in their own organisation is.
    pub system_administrator: bool,
    /// Which second factor it is, where there is one: drawn anew with each that is set up. It is no secret, and proves nothing.
    pub second_factor: Option<String>,
}

impl User {
    /// SHA-256 in hexadecimal of what signs the user in, as it is now: what was opened with something else is worth nothing. The password's hash has a salt of
    /// its own.
    #[must_use]
    pub fn credentials_digest(&self) -> String {
        let mut digest = Sha256::new().chain_update(&self.password_hash);
        // No hash has a zero byte in it.
        if let Some(second_factor) = &self.second_factor {
            digest.update([0]);
            digest.update(second_factor);
        }
        hexadecimal(&digest.finalize())
    }

    /// Whether there is a password that opens the account; who was let in by a provider may have none.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.password_hash.starts_with('$')
    }
}

impl std::fmt::Debug for User {
    /// Without the hash, and without the address: neither belongs in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: String,
    organisation_id: String,
    email: String,
    password_hash: String,
    role: String,
    created_at: i64,
    last_sign_in_at: Option<i64>,
    system_administrator: bool,
    second_factor: Option<String>,
}

impl TryFrom<Row> for User {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: parse("users.id", &row.id)?,
            organisation: parse("users.organisation_id", &row.organisation_id)?,
            email: row.email,
            password_hash: row.password_hash,
            role: parse("users.role", &row.role)?,
            created_at: UnixMillis(row.created_at),
            last_sign_in_at: row.last_sign_in_at.map(UnixMillis),
            system_administrator: row.system_administrator,
            second_factor: row.second_factor,
        })
    }
}

/// A user, and what of their organisation says whether they are let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admission {
    pub user: User,
    pub is_suspended: bool,
    /// Whether everybody of the organisation needs a second factor.
    pub second_factor_required: bool,
}

impl Admission {
    /// The user, where the organisation is not suspended.
    #[must_use]
    pub fn unless_suspended(self) -> Option<User> {
        (!self.is_suspended).then_some(self.user)
    }

    /// Whether the user must set up a second factor before anything else.
    #[must_use]
    pub fn must_enrol(&self) -> bool {
        self.second_factor_required && self.user.second_factor.is_none()
    }
}

#[derive(sqlx::FromRow)]
struct AdmissionRow {
    #[sqlx(flatten)]
    row: Row,
    is_suspended: bool,
    second_factor_required: bool,
}

const ADMISSION: &str = "SELECT u.*, o.suspended_at IS NOT NULL AS is_suspended, o.second_factor_required
     FROM users u JOIN organisations o ON o.id = u.organisation_id WHERE u.id = $1";
/// Both run while nobody else can write.
const LIST: &str = "SELECT * FROM users WHERE organisation_id = $1 ORDER BY email";
const COUNT: &str = "SELECT COUNT(*) FROM users WHERE organisation_id = $1 AND ($2 IS NULL OR role = $2)";

/// # Errors
/// A unique violation where the e-mail address is taken.
pub async fn insert(tx: &mut Tx, user: &User) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO users (id, organisation_id, email, password_hash, role, created_at, last_sign_in_at, system_administrator)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(user.id.to_string())
    .bind(user.organisation.to_string())
    .bind(&user.email)
    .bind(&user.password_hash)
    .bind(user.role.as_str())
    .bind(user.created_at.0)
    .bind(user.last_sign_in_at.map(|at| at.0))
    .bind(user.system_administrator)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Makes other transactions that do the same for the user wait for the end of this one, as `organisations::hold` does. False where the user is gone; who is
/// held is not gone before then.
pub async fn hold(tx: &mut Tx, id: UserId) -> Result<bool> {
    let held = on!(tx, c => sqlx::query("UPDATE users SET role = role WHERE id = $1")
        .bind(id.to_string())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(held > 0)
}

/// `email` as it is stored: trimmed, in lower case.
pub async fn by_email(connection: &mut Connection, email: &str) -> Result<Option<User>> {
    let row: Option<Row> = on!(connection, c => sqlx::query_as("SELECT * FROM users WHERE email = $1")
        .bind(email)
        .fetch_optional(c)
        .await)?;
    row.map(User::try_from).transpose()
}

pub async fn by_id(connection: &mut Connection, id: UserId) -> Result<Option<User>> {
    let row: Option<Row> = on!(connection, c => sqlx::query_as("SELECT * FROM users WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(c)
        .await)?;
    row.map(User::try_from).transpose()
}

/// A user, and whether they are let in. Asked with each request.
pub async fn admission(connection: &mut Connection, id: UserId) -> Result<Option<Admission>> {
    let row: Option<AdmissionRow> = on!(connection, c => sqlx::query_as(ADMISSION)
        .bind(id.to_string())
        .fetch_optional(c)
        .await)?;
    row.map(|AdmissionRow { row, is_suspended, second_factor_required }| {
        Ok(Admission { user: row.try_into()?, is_suspended, second_factor_required })
    })
    .transpose()
}

/// Those of an organisation, by their addresses.
pub async fn list(connection: &mut Connection, organisation: OrganisationId) -> Result<Vec<User>> {
    let rows: Vec<Row> = on!(connection, c => sqlx::query_as(LIST)
        .bind(organisation.to_string())
        .fetch_all(c)
        .await)?;
    rows.into_iter().map(User::try_from).collect()
}

/// How many users of an organisation have that role; `None`: any.
pub async fn count(connection: &mut Connection, organisation: OrganisationId, role: Option<Role>) -> Result<u64> {
    let count: i64 = on!(connection, c => sqlx::query_scalar(COUNT)
        .bind(organisation.to_string())
        .bind(role.map(Role::as_str))
        .fetch_one(c)
        .await)?;
    Ok(count.unsigned_abs())
}

pub async fn set_role(tx: &mut Tx, id: UserId, role: Role) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE users SET role = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(role.as_str())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// False where the password is not the one of the hash `before` any more.
pub async fn set_password(tx: &mut Tx, id: UserId, before: &str, password_hash: &str) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
        .bind(id.to_string())
        .bind(before)
        .bind(password_hash)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// False where the second factor is not `before` any more.
pub async fn set_second_factor(tx: &mut Tx, id: UserId, before: Option<&str>, now: Option<&str>) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(
        "UPDATE users SET second_factor = $3 WHERE id = $1 AND COALESCE(second_factor, '') = COALESCE($2, '')",
    )
    .bind(id.to_string())
    .bind(before)
    .bind(now)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// Notes that the user signed in.
pub async fn signed_in(tx: &mut Tx, id: UserId, now: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE users SET last_sign_in_at = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(now.0)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// With the user's browser sessions and session tokens, and the links that the user made.
pub async fn delete(tx: &mut Tx, id: UserId) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM users WHERE id = $1").bind(id.to_string()).execute(c).await.map(drop))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location, Raw};

    #[tokio::test]
    async fn an_organisations_users_are_read_along_an_index_whoever_else_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap();
        let mut connection = db.read().await.unwrap();
        let Raw::Sqlite(sqlite) = connection.raw() else { unreachable!("it was opened as SQLite") };
        for query in [LIST, COUNT] {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
            let steps: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(explain).bind("x").bind("x").fetch_all(&mut *sqlite).await.unwrap();
            let steps: Vec<String> = steps.into_iter().map(|(.., step)| step).collect();
            assert_eq!(steps, ["SEARCH users USING INDEX users_by_organisation (organisation_id=?)"], "{query}");
        }
    }
}
