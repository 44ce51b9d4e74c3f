//! The table `assets`: how a recording begins, ends, goes to the bin and comes back. Lists are in `asset_list`.

use afterlive_domain::asset::Hold;
use afterlive_domain::{
    AssetId, AssetState, EventKind, OrganisationId, Region, Report, SessionId, StreamId, Streamname, UnixMillis,
};
use serde::{Deserialize, Serialize};
use sqlx::QueryBuilder;

use super::asset_row::push_columns;
use super::packed::Unpack as _;
use super::{Connection, Error, Result, Tx, on, parse};

/// A recording as the API and viewers know it.
#[derive(Clone, PartialEq, Debug)]
pub struct Asset {
    pub id: AssetId,
    pub organisation: OrganisationId,
    pub stream: StreamId,
    pub session: SessionId,
    /// Which of the stream's recordings, counted from 1.
    pub index: u32,
    pub region: Region,
    pub file_name: String,
    pub state: AssetState,
    /// Why it is incomplete or failed.
    pub reason: Option<String>,
    /// Wall time of the first frame.
    pub created_at: UnixMillis,
    pub ended_at: Option<UnixMillis>,
    pub updated_at: UnixMillis,
    pub facts: Facts,
    pub has_poster: bool,
    pub hold: Option<Hold>,
    pub has_storyboard: bool,
    pub deleted_at: Option<UnixMillis>,
    /// Its files are gone for good since then.
    pub purged_at: Option<UnixMillis>,
}

/// What is known of a finished file. All zero or absent while it is being recorded.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
pub struct Facts {
    pub duration_ms: u64,
    pub size_bytes: u64,
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// Pictures a second, on average.
    pub fps: Option<f64>,
    /// As the API names codecs.
    pub video_codec: Option<String>,
    pub audio_codec: Option<String>,
}

/// A recording that is about to begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewAsset {
    pub id: AssetId,
    pub stream: StreamId,
    pub session: SessionId,
    pub region: Region,
    /// Wall time of the first frame.
    pub created_at: UnixMillis,
}

pub(super) fn index(column: &'static str, value: i64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::Unreadable { column, value: value.to_string() })
}

pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Begins a recording: draws the stream's next index, and with it a name that is never given again. The event is `asset.recording`.
///
/// # Errors
/// `RowNotFound` where there is no such stream.
pub async fn begin(tx: &mut Tx, asset: &NewAsset) -> Result<Asset> {
    let (drawn, organisation, streamname): (i64, String, String) = on!(tx, c => sqlx::query_as(
        "UPDATE streams SET next_asset_index = next_asset_index + 1 WHERE id = $1
         RETURNING next_asset_index - 1, organisation_id, streamname",
    )
    .bind(asset.stream.to_string())
    .fetch_one(c)
    .await)?;
    let index = index("streams.next_asset_index", drawn)?;
    let organisation: OrganisationId = parse("streams.organisation_id", &organisation)?;
    let streamname: Streamname = parse("streams.streamname", &streamname)?;
    let file_name = streamname.recording_file_name(index);
    insert(tx, asset, organisation, index, &file_name, asset.created_at).await?;
    Ok(Asset {
        id: asset.id,
        organisation,
        stream: asset.stream,
        session: asset.session,
        index,
        region: asset.region.clone(),
        file_name,
        state: AssetState::Recording,
        reason: None,
        created_at: asset.created_at,
        ended_at: None,
        updated_at: asset.created_at,
        facts: Facts::default(),
        has_poster: false,
        hold: None,
        has_storyboard: false,
        deleted_at: None,
        purged_at: None,
    })
}

/// Its row, as `recording`. The event is `asset.recording`.
pub(super) async fn insert(
    tx: &mut Tx,
    asset: &NewAsset,
    organisation: OrganisationId,
    index: u32,
    file_name: &str,
    now: UnixMillis,
) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO assets (id, organisation_id, stream_id, session_id, asset_index, region, file_name, state, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'recording', $8, $9)",
    )
    .bind(asset.id.to_string())
    .bind(organisation.to_string())
    .bind(asset.stream.to_string())
    .bind(asset.session.to_string())
    .bind(i64::from(index))
    .bind(asset.region.as_str())
    .bind(file_name)
    .bind(asset.created_at.0)
    .bind(now.0)
    .execute(c)
    .await
    .map(drop))?;
    tx.emit_asset(EventKind::AssetRecording, organisation, asset.stream, asset.id, now);
    Ok(())
}

/// Whatever its state.
pub async fn by_id(connection: &mut Connection, id: AssetId) -> Result<Option<Asset>> {
    on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        push_columns(&mut query);
        query.push(" FROM assets WHERE id = ").push_bind(id.to_string());
        c.unpack_first(query).await
    })
}

/// Whether the region has ever had a recording, deleted ones included.
pub async fn any_in_region(connection: &mut Connection, region: &Region) -> Result<bool> {
    let found: Option<String> = on!(connection, c => sqlx::query_scalar("SELECT id FROM assets WHERE region = $1 LIMIT 1")
        .bind(region.as_str())
        .fetch_optional(c)
        .await)?;
    Ok(found.is_some())
}

/// Keeps why and when a recording has ended until it is finished, which may be at a later start.
pub async fn note_end(tx: &mut Tx, id: AssetId, reason: &str, ended_at: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE assets SET reason = $2, ended_at = $3 WHERE id = $1 AND state = 'recording'")
        .bind(id.to_string())
        .bind(reason)
        .bind(ended_at.0)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// What was accounted for when it was finished; `None` where nothing was, or there is no such asset.
pub async fn report(connection: &mut Connection, id: AssetId) -> Result<Option<Report>> {
    let text: Option<Option<String>> = on!(connection, c => sqlx::query_scalar("SELECT report FROM assets WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(c)
        .await)?;
    let Some(text) = text.flatten() else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|_| Error::Unreadable { column: "assets.report", value: text })
}

/// All that are being recorded, or were when a server died.
pub async fn in_recording(connection: &mut Connection) -> Result<Vec<Asset>> {
    on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        push_columns(&mut query);
        query.push(" FROM assets WHERE state = 'recording' ORDER BY created_at");
        c.unpack_all(query).await
    })
}

/// What becomes of a recording that has just been finished.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finished {
    Stands,
    /// It is to be deleted in the same transaction.
    GoesWithStream,
}

/// The file stands at its key: `recording` becomes `ready`, or `incomplete` where there is a reason for less than the encoder sent. So does `failed`: it was given up
/// too early. Without a report the one that it had stays. The event is `asset.ready`, but not of one that goes with its stream in this very transaction, and after it
/// `asset.failed` where it is incomplete. `None`, and nothing is done, where it was neither any more. Only for who holds the stream.
pub async fn finish(
    tx: &mut Tx,
    asset: &Asset,
    facts: &Facts,
    report: Option<&Report>,
    reason: Option<&str>,
    ended_at: UnixMillis,
    now: UnixMillis,
) -> Result<Option<Finished>> {
    // Numbers and plain texts always have a JSON form.
    let report = report.and_then(|report| serde_json::to_string(report).ok());
    let state = if reason.is_some() { AssetState::Incomplete } else { AssetState::Ready };
    let changed = on!(tx, c => sqlx::query(
        "UPDATE assets SET state = $2, reason = $3, ended_at = $4, updated_at = $5, duration_ms = $6, size_bytes = $7, width = $8,
                height = $9, fps = $10, video_codec = $11, audio_codec = $12, report = COALESCE($13, report)
         WHERE id = $1 AND state IN ('recording', 'failed')",
    )
    .bind(asset.id.to_string())
    .bind(state.as_str())
    .bind(reason)
    .bind(ended_at.0)
    .bind(now.0)
    .bind(stored(facts.duration_ms))
    .bind(stored(facts.size_bytes))
    .bind(facts.width.map(i64::from))
    .bind(facts.height.map(i64::from))
    .bind(facts.fps)
    .bind(facts.video_codec.as_deref())
    .bind(facts.audio_codec.as_deref())
    .bind(report)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if changed == 0 {
        return Ok(None);
    }
    let goes = goes_with_stream(tx, asset.id).await?;
    if !goes {
        tx.emit_asset(EventKind::AssetReady, asset.organisation, asset.stream, asset.id, now);
    }
    if reason.is_some() {
        tx.emit_asset(EventKind::AssetFailed, asset.organisation, asset.stream, asset.id, now);
    }
    Ok(Some(if goes { Finished::GoesWithStream } else { Finished::Stands }))
}

/// Whether its stream was deleted while it was being recorded, and nobody holds it: its deletion follows, and nobody is to be told of what can be played no more.
pub async fn goes_with_stream(tx: &mut Tx, id: AssetId) -> Result<bool> {
    let goes: i64 = on!(tx, c => sqlx::query_scalar(
        "SELECT COUNT(*) FROM assets a JOIN streams s ON s.id = a.stream_id WHERE a.id = $1 AND a.held_at IS NULL AND s.state = 'deleted'",
    )
    .bind(id.to_string())
    .fetch_one(c)
    .await)?;
    Ok(goes > 0)
}

/// The stream's last recording, whatever became of it.
pub async fn last_of_stream(connection: &mut Connection, stream: StreamId) -> Result<Option<Asset>> {
    on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        push_columns(&mut query);
        query.push(" FROM assets WHERE stream_id = ").push_bind(stream.to_string());
        query.push(" ORDER BY asset_index DESC LIMIT 1");
        c.unpack_first(query).await
    })
}

/// An encoder has come back: `ready` becomes `recording` again, in another session. What is known of the finished file stays until there is another.
/// The event is `asset.recording`. False, and nothing done, where it is not ready any more, or under legal hold.
pub async fn reopen(tx: &mut Tx, asset: &Asset, session: SessionId, report: &Report, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(
        "UPDATE assets SET state = 'recording', session_id = $2, ended_at = NULL, updated_at = $3, report = $4
         WHERE id = $1 AND state = 'ready' AND held_at IS NULL",
    )
    .bind(asset.id.to_string())
    .bind(session.to_string())
    .bind(now.0)
    .bind(serde_json::to_string(report).ok())
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if changed == 1 {
        tx.emit_asset(EventKind::AssetRecording, asset.organisation, asset.stream, asset.id, now);
    }
    Ok(changed == 1)
}

/// Nothing playable came of it: `recording` becomes `failed`, with the event `asset.failed`. What was known of a finished file, where an encoder had come
/// back to one, is forgotten with it. False where it was no recording any more.
pub async fn fail(tx: &mut Tx, asset: &Asset, reason: &str, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(
        "UPDATE assets SET state = 'failed', reason = $2, ended_at = $3, updated_at = $3, duration_ms = 0, size_bytes = 0, width = NULL,
                height = NULL, fps = NULL, video_codec = NULL, audio_codec = NULL
         WHERE id = $1 AND state = 'recording'",
    )
    .bind(asset.id.to_string())
    .bind(reason)
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if changed == 1 {
        tx.emit_asset(EventKind::AssetFailed, asset.organisation, asset.stream, asset.id, now);
    }
    Ok(changed == 1)
}

/// The poster lies at its key. The event is `asset.changed`. False, and nothing done, where the recording was deleted meanwhile.
pub async fn set_poster(tx: &mut Tx, asset: &Asset, now: UnixMillis) -> Result<bool> {
    const SET: &str = "UPDATE assets SET has_poster = TRUE, updated_at = $2 WHERE id = $1 AND state IN ('ready', 'incomplete')";
    set_picture(tx, asset, SET, now).await
}

/// As [`set_poster`], of the storyboard.
pub async fn set_storyboard(tx: &mut Tx, asset: &Asset, now: UnixMillis) -> Result<bool> {
    const SET: &str =
        "UPDATE assets SET has_storyboard = TRUE, updated_at = $2 WHERE id = $1 AND state IN ('ready', 'incomplete')";
    set_picture(tx, asset, SET, now).await
}

async fn set_picture(tx: &mut Tx, asset: &Asset, statement: &'static str, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(statement)
    .bind(asset.id.to_string())
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if changed == 1 {
        tx.emit_asset(EventKind::AssetChanged, asset.organisation, asset.stream, asset.id, now);
    }
    Ok(changed == 1)
}

/// Deletes one recording that is finished; its files follow by a job, which the caller enqueues ([`crate::jobs::Task::Place`]).
/// The event is `asset.deleted`. False where it is another organisation's, still being recorded or again, under legal hold, or deleted already.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, id: AssetId, now: UnixMillis) -> Result<bool> {
    let stream: Option<String> = on!(tx, c => sqlx::query_scalar(
        "UPDATE assets SET state = 'deleted', deleted_at = $3, updated_at = $3
         WHERE id = $1 AND organisation_id = $2 AND state IN ('ready', 'incomplete', 'failed') AND held_at IS NULL RETURNING stream_id",
    )
    .bind(id.to_string())
    .bind(organisation.to_string())
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    let Some(stream) = stream else { return Ok(false) };
    tx.emit_asset(EventKind::AssetDeleted, organisation, parse("assets.stream_id", &stream)?, id, now);
    Ok(true)
}

/// As [`delete`], for all finished recordings of a stream; says which. One that is being recorded goes when it is finished, one under legal hold stays.
pub async fn delete_of_stream(
    tx: &mut Tx,
    organisation: OrganisationId,
    stream: StreamId,
    now: UnixMillis,
) -> Result<Vec<AssetId>> {
    let ids: Vec<String> = on!(tx, c => sqlx::query_scalar(
        "UPDATE assets SET state = 'deleted', deleted_at = $3, updated_at = $3
         WHERE stream_id = $1 AND organisation_id = $2 AND state IN ('ready', 'incomplete', 'failed') AND held_at IS NULL RETURNING id",
    )
    .bind(stream.to_string())
    .bind(organisation.to_string())
    .bind(now.0)
    .fetch_all(c)
    .await)?;
    let ids: Result<Vec<AssetId>> = ids.iter().map(|id| parse("assets.id", id)).collect();
    let ids = ids?;
    for id in &ids {
        tx.emit_asset(EventKind::AssetDeleted, organisation, stream, *id, now);
    }
    Ok(ids)
}

/// Brings a deleted recording back to what it was; its files follow by the same job. The event is `asset.changed`.
/// False where it is another organisation's, not deleted, or removed for good.
pub async fn restore(tx: &mut Tx, organisation: OrganisationId, id: AssetId, now: UnixMillis) -> Result<bool> {
    // Only a failed recording has no duration, and only a ready one no reason.
    let stream: Option<String> = on!(tx, c => sqlx::query_scalar(
        "UPDATE assets SET state = CASE WHEN duration_ms = 0 THEN 'failed' WHEN reason IS NULL THEN 'ready' ELSE 'incomplete' END,
                deleted_at = NULL, restored_at = $3, updated_at = $3
         WHERE id = $1 AND organisation_id = $2 AND state = 'deleted' AND purged_at IS NULL RETURNING stream_id",
    )
    .bind(id.to_string())
    .bind(organisation.to_string())
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    let Some(stream) = stream else { return Ok(false) };
    tx.emit_asset(EventKind::AssetChanged, organisation, parse("assets.stream_id", &stream)?, id, now);
    Ok(true)
}
