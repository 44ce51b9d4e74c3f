//! The table `invitations`: who may become a user of an organisation. Knows a link's SHA-256 only, never the link.

use afterlive_domain::{InvitationId, OrganisationId, Role, UnixMillis, UserId};

use super::{Connection, Error, Result, Tx, on, parse, parse_option};

#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    pub id: InvitationId,
    pub organisation: OrganisationId,
    /// Trimmed, in lower case.
    pub email: String,
    pub role: Role,
    /// `None`: the operator.
    pub invited_by: Option<UserId>,
    pub created_at: UnixMillis,
    /// From then on it is good for nothing.
    pub expires_at: UnixMillis,
}

impl std::fmt::Debug for Invitation {
    /// Without the address, which belongs in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invitation").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    organisation_id: String,
    email: String,
    role: String,
    invited_by: Option<String>,
    created_at: i64,
    expires_at: i64,
}

impl TryFrom<Row> for Invitation {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: parse("invitations.id", &row.id)?,
            organisation: parse("invitations.organisation_id", &row.organisation_id)?,
            email: row.email,
            role: parse("invitations.role", &row.role)?,
            invited_by: parse_option("invitations.invited_by", row.invited_by.as_deref())?,
            created_at: UnixMillis(row.created_at),
            expires_at: UnixMillis(row.expires_at),
        })
    }
}

/// In place of one that the organisation has made for the same address before.
pub async fn put(tx: &mut Tx, invitation: &Invitation, secret_hash: &str) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO invitations (id, organisation_id, email, role, secret_hash, invited_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (organisation_id, email) DO UPDATE SET id = excluded.id, role = excluded.role, secret_hash = excluded.secret_hash,
         invited_by = excluded.invited_by, created_at = excluded.created_at, expires_at = excluded.expires_at",
    )
    .bind(invitation.id.to_string())
    .bind(invitation.organisation.to_string())
    .bind(&invitation.email)
    .bind(invitation.role.as_str())
    .bind(secret_hash)
    .bind(invitation.invited_by.map(|user| user.to_string()))
    .bind(invitation.created_at.0)
    .bind(invitation.expires_at.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Those of an organisation that have not expired, newest first.
pub async fn list(connection: &mut Connection, organisation: OrganisationId, now: UnixMillis) -> Result<Vec<Invitation>> {
    let rows: Vec<Row> = on!(connection, c => sqlx::query_as(
        "SELECT * FROM invitations WHERE organisation_id = $1 AND expires_at > $2 ORDER BY created_at DESC, id",
    )
    .bind(organisation.to_string())
    .bind(now.0)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(Invitation::try_from).collect()
}

/// How many of an organisation have not expired, without the one for that address.
pub async fn count_others(
    connection: &mut Connection,
    organisation: OrganisationId,
    email: &str,
    now: UnixMillis,
) -> Result<u64> {
    let count: i64 = on!(connection, c => sqlx::query_scalar(
        "SELECT COUNT(*) FROM invitations WHERE organisation_id = $1 AND email <> $2 AND expires_at > $3",
    )
    .bind(organisation.to_string())
    .bind(email)
    .bind(now.0)
    .fetch_one(c)
    .await)?;
    Ok(count.unsigned_abs())
}

/// Deletes the one for that address, if there is one.
pub async fn delete_of(tx: &mut Tx, organisation: OrganisationId, email: &str) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM invitations WHERE organisation_id = $1 AND email = $2")
        .bind(organisation.to_string())
        .bind(email)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// The one of that hash, where it has not expired.
pub async fn by_secret_hash(connection: &mut Connection, secret_hash: &str, now: UnixMillis) -> Result<Option<Invitation>> {
    let row: Option<Row> = on!(connection, c => sqlx::query_as("SELECT * FROM invitations WHERE secret_hash = $1 AND expires_at > $2")
        .bind(secret_hash)
        .bind(now.0)
        .fetch_optional(c)
        .await)?;
    row.map(Invitation::try_from).transpose()
}

/// False where there is none: it was revoked or used.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, id: InvitationId) -> Result<Option<String>> {
    let statement = "DELETE FROM invitations WHERE id = $1 AND organisation_id = $2 RETURNING email";
    Ok(on!(tx, c => sqlx::query_scalar(statement)
        .bind(id.to_string())
        .bind(organisation.to_string())
        .fetch_optional(c)
        .await)?)
}

/// Deletes those that a user made.
pub async fn delete_by(tx: &mut Tx, user: UserId) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM invitations WHERE invited_by = $1").bind(user.to_string()).execute(c).await.map(drop))?;
    Ok(())
}

/// Deletes those that a user made for other organisations than their own.
pub async fn delete_by_elsewhere(tx: &mut Tx, user: UserId, own: OrganisationId) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM invitations WHERE invited_by = $1 AND organisation_id <> $2")
        .bind(user.to_string())
        .bind(own.to_string())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Deletes an organisation's that give that role, whoever made them.
pub async fn delete_of_role(tx: &mut Tx, organisation: OrganisationId, role: Role) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM invitations WHERE organisation_id = $1 AND role = $2")
        .bind(organisation.to_string())
        .bind(role.as_str())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Deletes what has expired, and says how many that were.
pub async fn delete_expired(tx: &mut Tx, now: UnixMillis) -> Result<u64> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM invitations WHERE expires_at <= $1")
        .bind(now.0)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted)
}
