//! The table `organisations`.

use afterlive_domain::organisation::{RecordingSettings, Settings};
use afterlive_domain::{EmbedDomains, OrganisationHash, OrganisationId, UnixMillis, WebhookUrl};

use super::{Connection, Error, Raw, Result, Tx, on, parse};
use crate::publish_key::{PublishKeys, PublishSecret};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Organisation {
    pub id: OrganisationId,
    pub hash: OrganisationHash,
    pub name: String,
    pub settings: Settings,
    pub recording: RecordingSettings,
    pub embed_domains: EmbedDomains,
    /// Who is asked before an encoder may publish.
    pub webhook: Option<WebhookUrl>,
    pub publish_keys: PublishKeys,
    /// Since when nobody of it is let in; `None` where they are.
    pub suspended_at: Option<UnixMillis>,
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
    live_public: bool,
    #[sqlx(flatten)]
    recording: RecordingRow,
    embed_domains: String,
    webhook: Option<String>,
    publish_key_required: bool,
    publish_secret: Option<String>,
    suspended_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

#[derive(sqlx::FromRow)]
struct RecordingRow {
    max_duration_s: Option<i64>,
    max_bytes: Option<i64>,
    reconnect_window_s: Option<i64>,
    retention_days: Option<i64>,
}

impl From<RecordingRow> for RecordingSettings {
    /// What is below zero, which nothing of ours writes, is as good as absent.
    fn from(row: RecordingRow) -> Self {
        let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
        Self {
            max_duration_s: number(row.max_duration_s),
            max_bytes: number(row.max_bytes),
            reconnect_window_s: number(row.reconnect_window_s),
            retention_days: number(row.retention_days),
        }
    }
}

impl TryFrom<Row> for Organisation {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: parse("organisations.id", &row.id)?,
            hash: parse("organisations.hash", &row.hash)?,
            name: row.name,
            settings: Settings {
                recording_enabled: row.recording_enabled,
                vod_public: row.vod_public,
                live_public: row.live_public,
            },
            recording: row.recording.into(),
            embed_domains: parse("organisations.embed_domains", &row.embed_domains)?,
            webhook: row.webhook.map(|url| webhook(&url)).transpose()?,
            publish_keys: publish_keys(row.publish_key_required, row.publish_secret),
            suspended_at: row.suspended_at.map(UnixMillis),
            created_at: UnixMillis(row.created_at),
            updated_at: UnixMillis(row.updated_at),
        })
    }
}

/// One that cannot be read is not told: it may hold a secret.
pub(super) fn webhook(url: &str) -> Result<WebhookUrl> {
    url.parse().map_err(|_| Error::Unreadable { column: "organisations.webhook", value: "…".to_owned() })
}

fn publish_keys(are_required: bool, secret: Option<String>) -> PublishKeys {
    match (are_required, secret) {
        (false, _) => PublishKeys::Off,
        (true, Some(secret)) => PublishKeys::On(PublishSecret::stored(secret)),
        (true, None) => PublishKeys::Lost,
    }
}

/// Settings have been checked, so that their numbers fit.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// # Errors
/// A unique violation where the hash is taken.
pub async fn insert(tx: &mut Tx, organisation: &Organisation) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO organisations (id, hash, name, recording_enabled, vod_public, created_at, updated_at, max_duration_s, max_bytes,
                reconnect_window_s, retention_days, live_public)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(organisation.id.to_string())
    .bind(organisation.hash.as_str())
    .bind(&organisation.name)
    .bind(organisation.settings.recording_enabled)
    .bind(organisation.settings.vod_public)
    .bind(organisation.created_at.0)
    .bind(organisation.updated_at.0)
    .bind(organisation.recording.max_duration_s.map(stored))
    .bind(organisation.recording.max_bytes.map(stored))
    .bind(organisation.recording.reconnect_window_s.map(stored))
    .bind(organisation.recording.retention_days.map(stored))
    .bind(organisation.settings.live_public)
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

/// Whether nobody of it is let in; false where there is no such organisation.
pub async fn is_suspended(connection: &mut Connection, id: OrganisationId) -> Result<bool> {
    let since: Option<Option<i64>> = on!(connection, c => sqlx::query_scalar("SELECT suspended_at FROM organisations WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(c)
        .await)?;
    Ok(since.flatten().is_some())
}

/// A page of all there are, by name.
pub async fn page(connection: &mut Connection, limit: u32, offset: u64) -> Result<Vec<Organisation>> {
    let rows: Vec<Row> = on!(connection, c => sqlx::query_as("SELECT * FROM organisations ORDER BY name, id LIMIT $1 OFFSET $2")
        .bind(i64::from(limit))
        .bind(i64::try_from(offset).unwrap_or(i64::MAX))
        .fetch_all(c)
        .await)?;
    rows.into_iter().map(Organisation::try_from).collect()
}

pub async fn count(connection: &mut Connection) -> Result<u64> {
    let count: i64 = on!(connection, c => sqlx::query_scalar("SELECT COUNT(*) FROM organisations").fetch_one(c).await)?;
    Ok(count.unsigned_abs())
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
        "UPDATE organisations SET name = $2, recording_enabled = $3, vod_public = $4, updated_at = $5, live_public = $6 WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(name)
    .bind(settings.recording_enabled)
    .bind(settings.vod_public)
    .bind(now.0)
    .bind(settings.live_public)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// False where there is no such organisation.
pub async fn rename(tx: &mut Tx, id: OrganisationId, name: &str, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query("UPDATE organisations SET name = $2, updated_at = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(name)
        .bind(now.0)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// Suspends it, or resumes it with `None`; false where it is so already, and where there is no such organisation.
pub async fn suspend(tx: &mut Tx, id: OrganisationId, since: Option<UnixMillis>, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(
        "UPDATE organisations SET suspended_at = $2, resumed_at = CASE WHEN $2 IS NULL THEN $3 ELSE resumed_at END, updated_at = $3
         WHERE id = $1 AND (suspended_at IS NULL) = ($2 IS NOT NULL)",
    )
    .bind(id.to_string())
    .bind(since.map(|at| at.0))
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// Replaces the sites that may show the player; false where there is no such organisation.
pub async fn set_embed_domains(tx: &mut Tx, id: OrganisationId, domains: &EmbedDomains, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query("UPDATE organisations SET embed_domains = $2, updated_at = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(domains.to_string())
        .bind(now.0)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// Who is asked before an encoder may publish.
pub async fn webhook_of(connection: &mut Connection, id: OrganisationId) -> Result<Option<WebhookUrl>> {
    let url: Option<Option<String>> = on!(connection, c => sqlx::query_scalar("SELECT webhook FROM organisations WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(c)
        .await)?;
    url.flatten().map(|url| webhook(&url)).transpose()
}

/// Replaces who is asked before an encoder may publish; false where there is no such organisation.
pub async fn set_webhook(tx: &mut Tx, id: OrganisationId, webhook: Option<&WebhookUrl>, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query("UPDATE organisations SET webhook = $2, updated_at = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(webhook.map(WebhookUrl::as_str))
        .bind(now.0)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// Sets whether encoders must show a publish key; false where there is no such organisation. `drawn` becomes the secret where there is none yet, and where
/// all keys are to be other ones.
pub async fn require_publish_key(
    tx: &mut Tx,
    id: OrganisationId,
    is_required: bool,
    renews_all: bool,
    drawn: &PublishSecret,
    now: UnixMillis,
) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(
        "UPDATE organisations SET publish_key_required = $2, updated_at = $5,
                publish_secret = CASE WHEN $3 OR publish_secret IS NULL THEN $4 ELSE publish_secret END
         WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(is_required)
    .bind(renews_all)
    .bind(drawn.as_str())
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// Makes other transactions that change the organisation wait for the end of this one: PostgreSQL runs them side by side, SQLite never does.
pub async fn hold(tx: &mut Tx, id: OrganisationId) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE organisations SET updated_at = updated_at WHERE id = $1")
        .bind(id.to_string())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// What an organisation has set for its recordings; nothing where there is no such organisation.
pub async fn recording_settings(connection: &mut Connection, id: OrganisationId) -> Result<RecordingSettings> {
    let row: Option<RecordingRow> = on!(connection, c => sqlx::query_as(
        "SELECT max_duration_s, max_bytes, reconnect_window_s, retention_days FROM organisations WHERE id = $1",
    )
    .bind(id.to_string())
    .fetch_optional(c)
    .await)?;
    Ok(row.map(RecordingSettings::from).unwrap_or_default())
}

/// Replaces them; false where there is no such organisation. The numbers have been checked.
pub async fn set_recording(tx: &mut Tx, id: OrganisationId, settings: &RecordingSettings, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(
        "UPDATE organisations SET max_duration_s = $2, max_bytes = $3, reconnect_window_s = $4, retention_days = $5, updated_at = $6
         WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(settings.max_duration_s.map(stored))
    .bind(settings.max_bytes.map(stored))
    .bind(settings.reconnect_window_s.map(stored))
    .bind(settings.retention_days.map(stored))
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// Whether everybody of the organisation needs a second factor.
pub async fn requires_second_factor(connection: &mut Connection, id: OrganisationId) -> Result<bool> {
    let required: Option<bool> = on!(connection, c => sqlx::query_scalar("SELECT second_factor_required FROM organisations WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(c)
            .await)?;
    Ok(required.unwrap_or(false))
}

pub async fn require_second_factor(tx: &mut Tx, id: OrganisationId, is_required: bool, now: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE organisations SET second_factor_required = $2, updated_at = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(is_required)
        .bind(now.0)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
