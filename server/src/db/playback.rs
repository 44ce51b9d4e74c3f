//! The tables `playback_tokens` and `revoked_tokens`, and what of `organisations` is asked of whoever watches.

use afterlive_domain::{OrganisationHash, OrganisationId, StreamId, TokenId, UnixMillis};

use super::{Connection, Error, Result, Tx, on, parse, parse_option};

/// What an organisation asks of viewers. Not `Debug`: the secret signs tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Terms {
    pub organisation: OrganisationId,
    pub live_public: bool,
    pub vod_public: bool,
    /// Nobody watches anything, whatever they have.
    pub is_suspended: bool,
    /// In hexadecimal; `None` before the first token.
    pub secret: Option<String>,
}

/// A token that was given a label. The token itself is nowhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issued {
    pub id: TokenId,
    pub organisation: OrganisationId,
    /// Where it is for one stream.
    pub stream: Option<StreamId>,
    pub label: String,
    /// JSON, as it was signed.
    pub claims: String,
    pub made_by: String,
    pub created_at: UnixMillis,
    pub expires_at: UnixMillis,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    organisation_id: String,
    stream_id: Option<String>,
    label: String,
    claims: String,
    made_by: String,
    created_at: i64,
    expires_at: i64,
}

impl TryFrom<Row> for Issued {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: parse("playback_tokens.id", &row.id)?,
            organisation: parse("playback_tokens.organisation_id", &row.organisation_id)?,
            stream: parse_option("playback_tokens.stream_id", row.stream_id.as_deref())?,
            label: row.label,
            claims: row.claims,
            made_by: row.made_by,
            created_at: UnixMillis(row.created_at),
            expires_at: UnixMillis(row.expires_at),
        })
    }
}

pub async fn terms(connection: &mut Connection, hash: &OrganisationHash) -> Result<Option<Terms>> {
    let row: Option<(String, bool, bool, bool, Option<String>)> = on!(connection, c => sqlx::query_as(
        "SELECT id, live_public, vod_public, suspended_at IS NOT NULL, playback_secret FROM organisations WHERE hash = $1",
    )
    .bind(hash.as_str())
    .fetch_optional(c)
    .await)?;
    let Some((id, live_public, vod_public, is_suspended, secret)) = row else { return Ok(None) };
    Ok(Some(Terms { organisation: parse("organisations.id", &id)?, live_public, vod_public, is_suspended, secret }))
}

/// Gives the organisation a secret where it has none, and says which it has now; `None` where there is no such organisation.
pub async fn ensure_secret(tx: &mut Tx, organisation: OrganisationId, drawn: &str) -> Result<Option<String>> {
    on!(tx, c => sqlx::query("UPDATE organisations SET playback_secret = $2 WHERE id = $1 AND playback_secret IS NULL")
        .bind(organisation.to_string())
        .bind(drawn)
        .execute(c)
        .await
        .map(drop))?;
    secret(tx, organisation).await
}

/// Gives the organisation another secret: no token that the one before has signed is worth anything from then on, so that neither the lists of those that were given a label
/// nor that of those that were revoked say anything any more. Says how many with a label have ended that were good for something yet; `None` where there was no secret, and so
/// no token.
pub async fn renew_secret(tx: &mut Tx, organisation: OrganisationId, drawn: &str, now: UnixMillis) -> Result<Option<u64>> {
    let renewed = on!(tx, c => sqlx::query("UPDATE organisations SET playback_secret = $2 WHERE id = $1 AND playback_secret IS NOT NULL")
        .bind(organisation.to_string())
        .bind(drawn)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if renewed == 0 {
        return Ok(None);
    }
    let ended: i64 = on!(tx, c => sqlx::query_scalar(
        "SELECT COUNT(*) FROM playback_tokens t WHERE t.organisation_id = $1 AND t.expires_at > $2
           AND NOT EXISTS (SELECT 1 FROM revoked_tokens r WHERE r.organisation_id = t.organisation_id AND r.id = t.id)",
    )
    .bind(organisation.to_string())
    .bind(now.0)
    .fetch_one(c)
    .await)?;
    for statement in
        ["DELETE FROM playback_tokens WHERE organisation_id = $1", "DELETE FROM revoked_tokens WHERE organisation_id = $1"]
    {
        on!(tx, c => sqlx::query(statement).bind(organisation.to_string()).execute(c).await.map(drop))?;
    }
    Ok(Some(ended.unsigned_abs()))
}

pub async fn secret(connection: &mut Connection, organisation: OrganisationId) -> Result<Option<String>> {
    let found: Option<Option<String>> = on!(connection, c => sqlx::query_scalar("SELECT playback_secret FROM organisations WHERE id = $1")
        .bind(organisation.to_string())
        .fetch_optional(c)
        .await)?;
    Ok(found.flatten())
}

/// Whether the secret is still the organisation's, which it then stays until the end of the transaction: who renews it waits.
pub async fn hold_secret(tx: &mut Tx, organisation: OrganisationId, secret: &str) -> Result<bool> {
    let held = on!(tx, c => sqlx::query("UPDATE organisations SET playback_secret = playback_secret WHERE id = $1 AND playback_secret = $2")
        .bind(organisation.to_string())
        .bind(secret)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(held > 0)
}

pub async fn insert(tx: &mut Tx, issued: &Issued) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO playback_tokens (id, organisation_id, stream_id, label, claims, made_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(issued.id.to_string())
    .bind(issued.organisation.to_string())
    .bind(issued.stream.map(|stream| stream.to_string()))
    .bind(&issued.label)
    .bind(&issued.claims)
    .bind(&issued.made_by)
    .bind(issued.created_at.0)
    .bind(issued.expires_at.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// How many are on the list, counted no further than `most`.
pub async fn count_listed(connection: &mut Connection, organisation: OrganisationId, now: UnixMillis, most: u32) -> Result<u64> {
    let count: i64 = on!(connection, c => sqlx::query_scalar(
        "SELECT COUNT(*) FROM (SELECT 1 FROM playback_tokens WHERE organisation_id = $1 AND expires_at > $2 LIMIT $3) AS listed",
    )
    .bind(organisation.to_string())
    .bind(now.0)
    .bind(i64::from(most))
    .fetch_one(c)
    .await)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Those that are good for something yet, newest first: for the stream and for several, or all of the organisation's where no stream is named.
pub async fn list(
    connection: &mut Connection,
    organisation: OrganisationId,
    stream: Option<StreamId>,
    now: UnixMillis,
    limit: u32,
) -> Result<Vec<Issued>> {
    let stream = stream.map(|stream| stream.to_string());
    let rows: Vec<Row> = on!(connection, c => sqlx::query_as(
        "SELECT t.id, t.organisation_id, t.stream_id, t.label, t.claims, t.made_by, t.created_at, t.expires_at FROM playback_tokens t
         WHERE t.organisation_id = $1 AND t.expires_at > $2 AND ($3 IS NULL OR t.stream_id IS NULL OR t.stream_id = $3)
           AND NOT EXISTS (SELECT 1 FROM revoked_tokens r WHERE r.organisation_id = t.organisation_id AND r.id = t.id)
         ORDER BY t.created_at DESC, t.id LIMIT $4",
    )
    .bind(organisation.to_string())
    .bind(now.0)
    .bind(stream)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(Issued::try_from).collect()
}

/// When a listed token expires.
pub async fn expiry(connection: &mut Connection, organisation: OrganisationId, id: TokenId) -> Result<Option<UnixMillis>> {
    let found: Option<i64> = on!(connection, c => sqlx::query_scalar(
        "SELECT expires_at FROM playback_tokens WHERE organisation_id = $1 AND id = $2",
    )
    .bind(organisation.to_string())
    .bind(id.to_string())
    .fetch_optional(c)
    .await)?;
    Ok(found.map(UnixMillis))
}

/// Revoking a second time changes nothing, false, unless that lasts for longer: those that somebody is given one after the other by one id expire one after the other.
pub async fn revoke(
    tx: &mut Tx,
    organisation: OrganisationId,
    id: TokenId,
    expires_at: UnixMillis,
    now: UnixMillis,
) -> Result<bool> {
    let inserted = on!(tx, c => sqlx::query(
        "INSERT INTO revoked_tokens (organisation_id, id, expires_at, revoked_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (organisation_id, id) DO UPDATE SET expires_at = excluded.expires_at WHERE excluded.expires_at > revoked_tokens.expires_at",
    )
    .bind(organisation.to_string())
    .bind(id.to_string())
    .bind(expires_at.0)
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(inserted > 0)
}

/// Until when it stands on the list of those that were revoked; `None` where it does not.
pub async fn revoked_until(connection: &mut Connection, organisation: OrganisationId, id: TokenId) -> Result<Option<UnixMillis>> {
    let found: Option<i64> = on!(connection, c => sqlx::query_scalar(
        "SELECT expires_at FROM revoked_tokens WHERE organisation_id = $1 AND id = $2",
    )
    .bind(organisation.to_string())
    .bind(id.to_string())
    .fetch_optional(c)
    .await)?;
    Ok(found.map(UnixMillis))
}

/// How many have not expired, counted no further than `most`.
pub async fn count_revoked(connection: &mut Connection, organisation: OrganisationId, now: UnixMillis, most: u32) -> Result<u64> {
    let count: i64 = on!(connection, c => sqlx::query_scalar(
        "SELECT COUNT(*) FROM (SELECT 1 FROM revoked_tokens WHERE organisation_id = $1 AND expires_at > $2 LIMIT $3) AS revoked",
    )
    .bind(organisation.to_string())
    .bind(now.0)
    .bind(i64::from(most))
    .fetch_one(c)
    .await)?;
    Ok(count.unsigned_abs())
}

/// Those that have not expired, at most `limit`.
pub async fn revoked(connection: &mut Connection, hash: &OrganisationHash, now: UnixMillis, limit: u32) -> Result<Vec<TokenId>> {
    let ids: Vec<String> = on!(connection, c => sqlx::query_scalar(
        "SELECT id FROM revoked_tokens WHERE organisation_id = (SELECT id FROM organisations WHERE hash = $1) AND expires_at > $2
         ORDER BY id LIMIT $3",
    )
    .bind(hash.as_str())
    .bind(now.0)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await)?;
    ids.iter().map(|id| parse("revoked_tokens.id", id)).collect()
}

/// Deletes what has expired of both tables, and says how many rows that were.
pub async fn delete_expired(tx: &mut Tx, now: UnixMillis) -> Result<u64> {
    let mut deleted = 0;
    deleted += on!(tx, c => sqlx::query("DELETE FROM playback_tokens WHERE expires_at <= $1")
        .bind(now.0)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    deleted += on!(tx, c => sqlx::query("DELETE FROM revoked_tokens WHERE expires_at <= $1")
        .bind(now.0)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted)
}
