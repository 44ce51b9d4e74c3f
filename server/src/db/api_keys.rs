//! The table `api_keys`. Knows a hash of a key only, never the key.

use afterlive_domain::{KeyId, KeyUse, OrganisationId, Role, UnixMillis};

use super::{Connection, Error, Result, Tx, on, parse};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiKey {
    pub id: KeyId,
    pub organisation: OrganisationId,
    pub label: String,
    pub kind: KeyUse,
    /// Of a player's it is the least, and says nothing.
    pub role: Role,
    /// The key's first letters.
    pub hint: String,
    pub created_at: UnixMillis,
    pub last_used_at: Option<UnixMillis>,
    /// From then on it is good for nothing.
    pub expires_at: Option<UnixMillis>,
}

impl ApiKey {
    /// Whether it is good for nothing any more, by its end.
    #[must_use]
    pub fn has_expired(&self, now: UnixMillis) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// The role as people are told it: a player key has none.
    #[must_use]
    pub fn shown_role(&self) -> Option<Role> {
        (self.kind == KeyUse::Api).then_some(self.role)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    organisation_id: String,
    label: String,
    kind: String,
    role: String,
    hint: String,
    created_at: i64,
    last_used_at: Option<i64>,
    expires_at: Option<i64>,
}

impl TryFrom<Row> for ApiKey {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: parse("api_keys.id", &row.id)?,
            organisation: parse("api_keys.organisation_id", &row.organisation_id)?,
            label: row.label,
            kind: parse("api_keys.kind", &row.kind)?,
            role: parse("api_keys.role", &row.role)?,
            hint: row.hint,
            created_at: UnixMillis(row.created_at),
            last_used_at: row.last_used_at.map(UnixMillis),
            expires_at: row.expires_at.map(UnixMillis),
        })
    }
}

/// `secret_hash` is hexadecimal, and made by `service/`, which says of what.
pub async fn insert(tx: &mut Tx, key: &ApiKey, secret_hash: &str) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO api_keys (id, organisation_id, label, role, secret_hash, hint, created_at, expires_at, kind)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(key.id.to_string())
    .bind(key.organisation.to_string())
    .bind(&key.label)
    .bind(key.role.as_str())
    .bind(secret_hash)
    .bind(&key.hint)
    .bind(key.created_at.0)
    .bind(key.expires_at.map(|at| at.0))
    .bind(key.kind.as_str())
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct CallerRow {
    #[sqlx(flatten)]
    row: Row,
    is_suspended: bool,
}

/// The key of that hash, where it is of that kind, and neither revoked nor expired; and whether its organisation is suspended.
pub async fn by_secret_hash(
    connection: &mut Connection,
    kind: KeyUse,
    secret_hash: &str,
    now: UnixMillis,
) -> Result<Option<(ApiKey, bool)>> {
    let row: Option<CallerRow> = on!(connection, c => sqlx::query_as(
        "SELECT k.id, k.organisation_id, k.label, k.kind, k.role, k.hint, k.created_at, k.last_used_at, k.expires_at,
                o.suspended_at IS NOT NULL AS is_suspended
         FROM api_keys k JOIN organisations o ON o.id = k.organisation_id
         WHERE k.secret_hash = $1 AND k.kind = $2 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $3)",
    )
    .bind(secret_hash)
    .bind(kind.as_str())
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    row.map(|CallerRow { row, is_suspended }| Ok((row.try_into()?, is_suspended))).transpose()
}

/// Whose the key of that hash and kind is, or was: those that are revoked or have expired too, for as long as they are kept.
pub async fn owner(connection: &mut Connection, kind: KeyUse, secret_hash: &str) -> Result<Option<(OrganisationId, KeyId)>> {
    let statement = "SELECT organisation_id, id FROM api_keys WHERE secret_hash = $1 AND kind = $2";
    let found: Option<(String, String)> =
        on!(connection, c => sqlx::query_as(statement).bind(secret_hash).bind(kind.as_str()).fetch_optional(c).await)?;
    found.map(|(owner, id)| Ok((parse("api_keys.organisation_id", &owner)?, parse("api_keys.id", &id)?))).transpose()
}

/// Revoked ones too.
pub async fn by_id(connection: &mut Connection, organisation: OrganisationId, id: KeyId) -> Result<Option<ApiKey>> {
    let row: Option<Row> = on!(connection, c => sqlx::query_as(
        "SELECT id, organisation_id, label, kind, role, hint, created_at, last_used_at, expires_at FROM api_keys
         WHERE id = $1 AND organisation_id = $2",
    )
    .bind(id.to_string())
    .bind(organisation.to_string())
    .fetch_optional(c)
    .await)?;
    row.map(ApiKey::try_from).transpose()
}

/// What a key may that is neither revoked nor has expired, and whose organisation is not suspended.
pub async fn role(connection: &mut Connection, organisation: OrganisationId, id: KeyId, now: UnixMillis) -> Result<Option<Role>> {
    let role: Option<String> = on!(connection, c => sqlx::query_scalar(
        "SELECT role FROM api_keys
         WHERE id = $1 AND organisation_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
           AND NOT EXISTS (SELECT 1 FROM organisations o WHERE o.id = $2 AND o.suspended_at IS NOT NULL)",
    )
    .bind(id.to_string())
    .bind(organisation.to_string())
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    role.map(|role| parse("api_keys.role", &role)).transpose()
}

/// Those that are not revoked, newest first; also those that have expired.
pub async fn list(connection: &mut Connection, organisation: OrganisationId) -> Result<Vec<ApiKey>> {
    let rows: Vec<Row> = on!(connection, c => sqlx::query_as(
        "SELECT id, organisation_id, label, kind, role, hint, created_at, last_used_at, expires_at FROM api_keys
         WHERE organisation_id = $1 AND revoked_at IS NULL ORDER BY created_at DESC, id",
    )
    .bind(organisation.to_string())
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// False where there is no such key, or it is revoked already.
pub async fn revoke(tx: &mut Tx, organisation: OrganisationId, id: KeyId, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(
        "UPDATE api_keys SET revoked_at = $3 WHERE id = $1 AND organisation_id = $2 AND revoked_at IS NULL",
    )
    .bind(id.to_string())
    .bind(organisation.to_string())
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// Of a key that nobody can use any more nothing stays.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, id: KeyId) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM api_keys WHERE id = $1 AND organisation_id = $2")
        .bind(id.to_string())
        .bind(organisation.to_string())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Deletes the organisation's keys that were revoked at an instant or before.
pub async fn delete_revoked(tx: &mut Tx, organisation: OrganisationId, until: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM api_keys WHERE organisation_id = $1 AND revoked_at <= $2")
        .bind(organisation.to_string())
        .bind(until.0)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Notes that the key was used.
pub async fn touch(tx: &mut Tx, id: KeyId, now: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE api_keys SET last_used_at = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(now.0)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
