//! Rows of `assets` that do not agree with what lies on the disk, put right: a name that a file has already, a recording that no row knows, one that was given up and
//! is there after all, one whose index comes later.

use afterlive_domain::{AssetId, EventKind, OrganisationId, Region, SessionId, StreamId, Streamname, UnixMillis};

use sqlx::QueryBuilder;

use super::assets::{self, Asset, NewAsset};
use super::{Connection, Error, Result, Tx, on, parse};

/// Gives a recording another of its stream's names, because a file has its own: number `least` or a later one that no row has. The event is `asset.changed`.
///
/// # Errors
/// `RowNotFound` where it is no recording any more.
pub async fn rename(tx: &mut Tx, asset: &Asset, least: u32, now: UnixMillis) -> Result<Asset> {
    let (index, streamname) = draw(tx, asset.stream, least).await?;
    let file_name = streamname.recording_file_name(index);
    let changed = on!(tx, c => sqlx::query(
        "UPDATE assets SET asset_index = $2, file_name = $3, updated_at = $4 WHERE id = $1 AND state IN ('recording', 'failed')",
    )
    .bind(asset.id.to_string())
    .bind(i64::from(index))
    .bind(&file_name)
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if changed == 0 {
        return Err(Error::Failed(sqlx::Error::RowNotFound));
    }
    tx.emit_asset(EventKind::AssetChanged, asset.organisation, asset.stream, asset.id, now);
    Ok(Asset { index, file_name, ..asset.clone() })
}

/// Draws the stream's next index, `least` at the least.
async fn draw(tx: &mut Tx, stream: StreamId, least: u32) -> Result<(u32, Streamname)> {
    let (drawn, streamname): (i64, String) = on!(tx, c => sqlx::query_as(
        "UPDATE streams SET next_asset_index = CASE WHEN next_asset_index < $2 THEN $2 ELSE next_asset_index END + 1 WHERE id = $1
         RETURNING next_asset_index - 1, streamname",
    )
    .bind(stream.to_string())
    .bind(i64::from(least))
    .fetch_one(c)
    .await)?;
    Ok((assets::index("streams.next_asset_index", drawn)?, parse("streams.streamname", &streamname)?))
}

/// What is known of a recording that no row knows, as after the database was restored from an older copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unknown {
    pub id: AssetId,
    pub stream: StreamId,
    pub session: SessionId,
    /// The number that it had; it gets another one where that is another's by now.
    pub index: u32,
    pub region: Region,
    /// Wall time of the first frame.
    pub created_at: UnixMillis,
}

impl From<&Asset> for Unknown {
    fn from(asset: &Asset) -> Self {
        let Asset { id, stream, session, index, region, created_at, .. } = asset.clone();
        Self { id, stream, session, index, region, created_at }
    }
}

/// Gives it a row again, as `recording`, to be finished; and its session, where that is gone too. The event is `asset.recording`. `None` where the database does not know
/// its stream.
pub async fn insert_again(tx: &mut Tx, unknown: &Unknown, now: UnixMillis) -> Result<Option<Asset>> {
    let found: Option<(String, String)> = on!(tx, c => sqlx::query_as("SELECT organisation_id, streamname FROM streams WHERE id = $1")
        .bind(unknown.stream.to_string())
        .fetch_optional(c)
        .await)?;
    let Some((organisation, streamname)) = found else { return Ok(None) };
    let organisation: OrganisationId = parse("streams.organisation_id", &organisation)?;
    let streamname: Streamname = parse("streams.streamname", &streamname)?;
    let taken: Option<String> = on!(tx, c => sqlx::query_scalar("SELECT id FROM assets WHERE stream_id = $1 AND asset_index = $2")
        .bind(unknown.stream.to_string())
        .bind(i64::from(unknown.index))
        .fetch_optional(c)
        .await)?;
    let index = match taken {
        Some(_) => draw(tx, unknown.stream, unknown.index).await?.0,
        None => {
            // No name is given again.
            on!(tx, c => sqlx::query("UPDATE streams SET next_asset_index = $2 WHERE id = $1 AND next_asset_index < $2")
                .bind(unknown.stream.to_string())
                .bind(i64::from(unknown.index) + 1)
                .execute(c)
                .await
                .map(drop))?;
            unknown.index
        }
    };
    on!(tx, c => sqlx::query(
        "INSERT INTO sessions (id, organisation_id, stream_id, mode, region, protocol, peer, started_at, ended_at, end_reason)
         VALUES ($1, $2, $3, 'rec', $4, 'unknown', '', $5, $6, 'server_lost') ON CONFLICT (id) DO NOTHING",
    )
    .bind(unknown.session.to_string())
    .bind(organisation.to_string())
    .bind(unknown.stream.to_string())
    .bind(unknown.region.as_str())
    .bind(unknown.created_at.0)
    .bind(now.0.max(unknown.created_at.0))
    .execute(c)
    .await
    .map(drop))?;
    let Unknown { id, stream, session, region, created_at, .. } = unknown.clone();
    let asset = NewAsset { id, stream, session, region, created_at };
    assets::insert(tx, &asset, organisation, index, &streamname.recording_file_name(index), now).await?;
    assets::by_id(tx, unknown.id).await
}

/// The index of a recording that was playable without one stands in front now: `incomplete` becomes `ready`, where no other `reason` is left. The event is `asset.ready`.
/// False, and nothing done, where the row is not as it was read.
pub async fn complete(tx: &mut Tx, asset: &Asset, size_bytes: u64, reason: Option<&str>, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(
        "UPDATE assets SET state = CASE WHEN $2 IS NULL THEN 'ready' ELSE 'incomplete' END, reason = $2, size_bytes = $3, updated_at = $4
         WHERE id = $1 AND state = 'incomplete' AND reason = $5",
    )
    .bind(asset.id.to_string())
    .bind(reason)
    .bind(assets::stored(size_bytes))
    .bind(now.0)
    .bind(asset.reason.as_deref())
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if changed == 1 {
        tx.emit_asset(EventKind::AssetReady, asset.organisation, asset.stream, asset.id, now);
    }
    Ok(changed == 1)
}

/// Recordings of a region that have a file to play, with its name, in the order of their ids: those behind `last`.
pub async fn playable_after(
    connection: &mut Connection,
    region: &Region,
    last: Option<AssetId>,
    limit: usize,
) -> Result<Vec<(AssetId, String)>> {
    let rows: Vec<(String, String)> = on!(connection, c => sqlx::query_as(
        "SELECT id, file_name FROM assets WHERE region = $1 AND state IN ('ready', 'incomplete') AND id > $2 ORDER BY id LIMIT $3",
    )
    .bind(region.as_str())
    .bind(last.map_or_else(String::new, |last| last.to_string()))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(|(id, name)| Ok((parse("assets.id", &id)?, name))).collect()
}

/// Which of the file names a recording has, in whatever state.
pub async fn known_names(connection: &mut Connection, names: &[String]) -> Result<Vec<String>> {
    Ok(on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT file_name FROM assets WHERE file_name IN (");
        let mut listed = query.separated(", ");
        for name in names {
            listed.push_bind(name.clone());
        }
        query.push(")");
        query.build_query_scalar().persistent(false).fetch_all(c).await
    })?)
}
