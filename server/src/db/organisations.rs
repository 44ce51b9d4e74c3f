//! The table `organisations`.

use afterlive_domain::organisation::Settings;
use afterlive_domain::{OrganisationHash, OrganisationId, UnixMillis};

use super::{Connection, Error, Raw, Result, Tx, on, parse};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Organisation {
    pub id: OrganisationId,
    pub hash: OrganisationHash,
    pub name: String,
    pub settings: Settings,
    pub created_at: UnixMillis,
    pub updated_at: UnixMillis,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    hash: String,
    name: String,
    recording_enabled: bool,
    vod_public: bool,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<Row> for Organisation {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: parse("organisations.id", &row.id)?,
            hash: parse("organisations.hash", &row.hash)?,
            name: row.name,
            settings: Settings { recording_enabled: row.recording_enabled, vod_public: row.vod_public },
            created_at: UnixMillis(row.created_at),
            updated_at: UnixMillis(row.updated_at),
        })
    }
}

/// # Errors
/// A unique violation where the hash is taken.
pub async fn insert(tx: &mut Tx, organisation: &Organisation) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO organisations (id, hash, name, recording_enabled, vod_public, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(organisation.id.to_string())
    .bind(organisation.hash.as_str())
    .bind(&organisation.name)
    .bind(organisation.settings.recording_enabled)
    .bind(organisation.settings.vod_public)
    .bind(organisation.created_at.0)
    .bind(organisation.updated_at.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Inserts the first organisation of all; false, and nothing is done, where there is one already. Of two that race exactly one succeeds.
pub async fn insert_first(tx: &mut Tx, organisation: &Organisation) -> Result<bool> {
    // SQLite's transaction has the write lock already. PostgreSQL's would not see the other's row before both have committed.
    if let Raw::Postgres(raw) = tx.raw() {
        sqlx::query("LOCK TABLE organisations IN EXCLUSIVE MODE").execute(raw).await?;
    }
    if any(tx).await? {
        return Ok(false);
    }
    insert(tx, organisation).await.map(|()| true)
}

pub async fn by_id(connection: &mut Connection, id: OrganisationId) -> Result<Option<Organisation>> {
    let row: Option<Row> = on!(connection, c => sqlx::query_as("SELECT * FROM organisations WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(c)
        .await)?;
    row.map(Organisation::try_from).transpose()
}

pub async fn by_hash(connection: &mut Connection, hash: &OrganisationHash) -> Result<Option<Organisation>> {
    let row: Option<Row> = on!(connection, c => sqlx::query_as("SELECT * FROM organisations WHERE hash = $1")
        .bind(hash.as_str())
        .fetch_optional(c)
        .await)?;
    row.map(Organisation::try_from).transpose()
}

/// Whether there is any, that is whether set-up has been done.
pub async fn any(connection: &mut Connection) -> Result<bool> {
    let found: Option<i64> = on!(connection, c => sqlx::query_scalar("SELECT created_at FROM organisations LIMIT 1")
        .fetch_optional(c)
        .await)?;
    Ok(found.is_some())
}

/// Changes name and settings; false where there is no such organisation.
pub async fn update(tx: &mut Tx, id: OrganisationId, name: &str, settings: Settings, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(
        "UPDATE organisations SET name = $2, recording_enabled = $3, vod_public = $4, updated_at = $5 WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(name)
    .bind(settings.recording_enabled)
    .bind(settings.vod_public)
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}
