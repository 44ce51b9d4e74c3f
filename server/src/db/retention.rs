//! What keeps a recording and what takes it away: legal hold, and what retention may take to the bin or remove from it for good, which is nothing of an
//! organisation that is suspended: nobody of it could say no. All on the table `assets`; each look for what may be taken reads an index from its beginning on, and no more of it than it gives.

use std::ops::Range;
use std::time::Duration;

use afterlive_domain::asset::Hold;
use afterlive_domain::{AssetId, EventKind, OrganisationId, Region, StreamId, UnixMillis};

use super::counts::DAY_MS;
use super::{Connection, Raw, Result, Tx, on, parse};

// Both are said apart from where they are asked, so that a test sees along which index they go.
pub(super) const OLDEST: &str =
    "SELECT a.id, a.organisation_id, a.file_name, a.size_bytes, COALESCE(a.restored_at, a.ended_at) FROM assets a JOIN organisations o ON o.id = a.organisation_id
     WHERE a.region = $1 AND a.state IN ('ready', 'incomplete') AND a.held_at IS NULL AND o.suspended_at IS NULL
       AND (a.ended_at < $2 - CASE COALESCE(o.reconnect_window_s, $3) WHEN 0 THEN 0 ELSE COALESCE(o.reconnect_window_s, $3) * 1000 + $5 END
         OR a.ended_at > $8)
       AND COALESCE(a.restored_at, a.ended_at) >= $6 AND COALESCE(a.restored_at, a.ended_at) < $7
     ORDER BY COALESCE(a.restored_at, a.ended_at) LIMIT $4";

pub(super) const BINNED: &str = "SELECT id, organisation_id, file_name, size_bytes, deleted_at FROM assets
     WHERE region = $1 AND state = 'deleted' AND purged_at IS NULL AND held_at IS NULL AND deleted_at < $2 AND deleted_at >= $4
       AND NOT EXISTS (SELECT 1 FROM organisations o
         WHERE o.id = assets.organisation_id AND (o.suspended_at IS NOT NULL OR o.resumed_at >= $5))
     ORDER BY deleted_at LIMIT $3";

/// A recording that may be taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    pub id: AssetId,
    pub organisation: OrganisationId,
    pub file_name: String,
    pub size_bytes: u64,
    /// From when on its time counts: its end or restoration, or, in the bin, its deletion.
    pub since: UnixMillis,
}

type Row = (String, String, String, i64, i64);

fn candidates(rows: Vec<Row>) -> Result<Vec<Candidate>> {
    rows.into_iter()
        .map(|(id, organisation, file_name, size_bytes, since)| {
            Ok(Candidate {
                id: parse("assets.id", &id)?,
                organisation: parse("assets.organisation_id", &organisation)?,
                file_name,
                size_bytes: u64::try_from(size_bytes).unwrap_or(0),
                since: UnixMillis(since),
            })
        })
        .collect()
}

/// Finished recordings that have had their organisation's time, or the server's where it has set none; zero days are for ever.
pub async fn old(connection: &mut Connection, server_days: u64, now: UnixMillis, limit: u32) -> Result<Vec<Candidate>> {
    // One look into the index an organisation. Each database must be told so in its own way, or it reads all recordings there are: SQLite takes the
    // left side of a cross join first, PostgreSQL that of a lateral one.
    const SQLITE: &str = "SELECT a.id, a.organisation_id, a.file_name, a.size_bytes, COALESCE(a.restored_at, a.ended_at)
         FROM organisations o CROSS JOIN assets a
         WHERE a.organisation_id = o.id AND o.suspended_at IS NULL AND COALESCE(o.retention_days, $1) > 0
           AND COALESCE(a.restored_at, a.ended_at) < $2 - COALESCE(o.retention_days, $1) * $3
           AND a.state IN ('ready', 'incomplete', 'failed') AND a.held_at IS NULL
         LIMIT $4";
    const POSTGRES: &str =
        "SELECT a.id, a.organisation_id, a.file_name, a.size_bytes, a.since FROM organisations o CROSS JOIN LATERAL (
           SELECT id, organisation_id, file_name, size_bytes, COALESCE(restored_at, ended_at) AS since FROM assets
           WHERE organisation_id = o.id AND COALESCE(restored_at, ended_at) < $2 - COALESCE(o.retention_days, $1) * $3
             AND state IN ('ready', 'incomplete', 'failed') AND held_at IS NULL
           ORDER BY COALESCE(restored_at, ended_at) LIMIT $4) a
         WHERE COALESCE(o.retention_days, $1) > 0 AND o.suspended_at IS NULL LIMIT $4";
    let statement = match connection.raw() {
        Raw::Sqlite(_) => SQLITE,
        Raw::Postgres(_) => POSTGRES,
    };
    let rows: Vec<Row> = on!(connection, c => sqlx::query_as(statement)
        .bind(i64::try_from(server_days).unwrap_or(i64::MAX / DAY_MS))
        .bind(now.0)
        .bind(DAY_MS)
        .bind(i64::from(limit))
        .fetch_all(c)
        .await)?;
    candidates(rows)
}

/// A region's recordings with a file that ended or were restored in that time, those first that did so first. Without those whose encoder may still come back: their
/// organisation's reconnect window, or the server's in seconds, has not passed since it was missed, which is `silence` after its last frame at the latest. What ended
/// after `ahead` did so by a clock that was ahead, so long ago that nobody comes back to it.
pub async fn oldest(
    connection: &mut Connection,
    region: &Region,
    since: Range<UnixMillis>,
    (server_window_s, silence): (u64, Duration),
    now: UnixMillis,
    ahead: UnixMillis,
    limit: u32,
) -> Result<Vec<Candidate>> {
    let rows: Vec<Row> = on!(connection, c => sqlx::query_as(OLDEST)
        .bind(region.as_str())
        .bind(now.0)
        .bind(i64::try_from(server_window_s).unwrap_or(i64::MAX / 2_000))
        .bind(i64::from(limit))
        .bind(i64::try_from(silence.as_millis()).unwrap_or(0))
        .bind(since.start.0)
        .bind(since.end.0)
        .bind(ahead.0)
        .fetch_all(c)
        .await)?;
    candidates(rows)
}

/// What of a region came into the bin in that time, what has lain there longest first. Nothing of an organisation that was resumed at `resumed` or later: the time for
/// which it was suspended is none.
pub async fn binned(
    connection: &mut Connection,
    region: &Region,
    since: Range<UnixMillis>,
    resumed: UnixMillis,
    limit: u32,
) -> Result<Vec<Candidate>> {
    let rows: Vec<Row> = on!(connection, c => sqlx::query_as(BINNED)
        .bind(region.as_str())
        .bind(since.end.0)
        .bind(i64::from(limit))
        .bind(since.start.0)
        .bind(resumed.0)
        .fetch_all(c)
        .await)?;
    candidates(rows)
}

/// How many bytes of a region lie in its bin and can be removed; looks at no more than `most` recordings.
pub async fn binned_bytes(connection: &mut Connection, region: &Region, most: u32) -> Result<u64> {
    let bytes: i64 = on!(connection, c => sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM (
           SELECT size_bytes FROM assets WHERE region = $1 AND state = 'deleted' AND purged_at IS NULL AND held_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM organisations o WHERE o.id = assets.organisation_id AND o.suspended_at IS NOT NULL)
           ORDER BY deleted_at LIMIT $2) AS binned",
    )
    .bind(region.as_str())
    .bind(i64::from(most))
    .fetch_one(c)
    .await)?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Has the time count from `now` for which a recording is kept, or lies in the bin.
pub async fn count_from(tx: &mut Tx, id: AssetId, now: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query(
        "UPDATE assets SET updated_at = $2, restored_at = CASE WHEN state = 'deleted' THEN restored_at ELSE $2 END,
                deleted_at = CASE WHEN state = 'deleted' THEN $2 ELSE deleted_at END
         WHERE id = $1 AND purged_at IS NULL",
    )
    .bind(id.to_string())
    .bind(now.0)
    .execute(c)
    .await
    .map(|_| ()))?;
    Ok(())
}

/// Removes a recording from the bin for good; its files follow by a job, which the caller enqueues ([`crate::jobs::Task::Place`]). The row stays, so that
/// its name is never given again. The event is `asset.changed`. False where it is not in the bin, under legal hold, or its organisation is suspended.
pub async fn purge(tx: &mut Tx, id: AssetId, now: UnixMillis) -> Result<bool> {
    let owner: Option<(String, String)> = on!(tx, c => sqlx::query_as(
        "UPDATE assets SET purged_at = $2, updated_at = $2, has_poster = FALSE
         WHERE id = $1 AND state = 'deleted' AND purged_at IS NULL AND held_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM organisations o WHERE o.id = assets.organisation_id AND o.suspended_at IS NOT NULL)
         RETURNING organisation_id, stream_id",
    )
    .bind(id.to_string())
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    changed(tx, id, owner, now)
}

/// Puts a recording under legal hold, in whatever state it is, also in the bin. Who and when of a hold that is there already stay; a note replaces its
/// note. The event is `asset.changed`. False where it is another organisation's, or removed for good.
pub async fn hold(tx: &mut Tx, organisation: OrganisationId, id: AssetId, hold: &Hold) -> Result<bool> {
    let owner: Option<(String, String)> = on!(tx, c => sqlx::query_as(
        "UPDATE assets SET held_at = COALESCE(held_at, $3), held_by = COALESCE(held_by, $4), hold_note = COALESCE($5, hold_note),
                updated_at = $3
         WHERE id = $1 AND organisation_id = $2 AND purged_at IS NULL RETURNING organisation_id, stream_id",
    )
    .bind(id.to_string())
    .bind(organisation.to_string())
    .bind(hold.at.0)
    .bind(&hold.by)
    .bind(hold.note.as_deref())
    .fetch_optional(c)
    .await)?;
    changed(tx, id, owner, hold.at)
}

/// The event is `asset.changed`. False where there is no hold on it, or it is another organisation's.
pub async fn lift_hold(tx: &mut Tx, organisation: OrganisationId, id: AssetId, now: UnixMillis) -> Result<bool> {
    let owner: Option<(String, String)> = on!(tx, c => sqlx::query_as(
        "UPDATE assets SET held_at = NULL, held_by = NULL, hold_note = NULL, updated_at = $3
         WHERE id = $1 AND organisation_id = $2 AND held_at IS NOT NULL RETURNING organisation_id, stream_id",
    )
    .bind(id.to_string())
    .bind(organisation.to_string())
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    changed(tx, id, owner, now)
}

fn changed(tx: &mut Tx, id: AssetId, owner: Option<(String, String)>, now: UnixMillis) -> Result<bool> {
    let Some((organisation, stream)) = owner else { return Ok(false) };
    let (organisation, stream): (OrganisationId, StreamId) =
        (parse("assets.organisation_id", &organisation)?, parse("assets.stream_id", &stream)?);
    tx.emit_asset(EventKind::AssetChanged, organisation, stream, id, now);
    Ok(true)
}
