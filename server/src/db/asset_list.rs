//! Lists of the table `assets`. None of them shows a deleted one. Sums over it are in `counts`.

use std::cmp::Reverse;

use afterlive_domain::{AssetId, AssetState, OrganisationId, Region, StreamId, UnixMillis};
use sqlx::{Database, Encode, Postgres, QueryBuilder, Sqlite, Type};

use super::asset_row::{push_columns, push_playable};
use super::assets::Asset;
use super::packed::Unpack as _;
use super::{Connection, Raw, Result, indexed_by, on, push_limit};

/// What a stream shows of a recording that can be played: half of an [`Asset`]'s columns, and hundreds of them in one list of streams.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Playable {
    pub id: AssetId,
    pub stream: StreamId,
    /// Which of the stream's recordings, counted from 1.
    pub index: u32,
    pub region: Region,
    pub file_name: String,
    pub state: AssetState,
    /// Wall time of the first frame.
    pub created_at: UnixMillis,
    pub duration_ms: u64,
    pub size_bytes: u64,
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// As the API names codecs.
    pub video_codec: Option<String>,
    pub audio_codec: Option<String>,
    pub has_poster: bool,
    pub has_storyboard: bool,
}

/// A stream's recordings, newest first.
pub async fn of_stream(connection: &mut Connection, stream: StreamId, limit: u32, offset: u32) -> Result<Vec<Asset>> {
    on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        push_columns(&mut query);
        query.push(" FROM assets WHERE state <> 'deleted' AND stream_id = ").push_bind(stream.to_string());
        query.push(" ORDER BY created_at DESC, asset_index DESC");
        push_limit(&mut query, i64::from(limit));
        query.push(" OFFSET ").push_bind(i64::from(offset));
        c.unpack_all(query).await
    })
}

/// The stream's newest recording that has a finished file.
pub async fn newest_finished(connection: &mut Connection, stream: StreamId) -> Result<Option<Asset>> {
    on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        push_columns(&mut query);
        query.push(" FROM assets WHERE state IN ('ready', 'incomplete') AND stream_id = ");
        query.push_bind(stream.to_string()).push(" ORDER BY created_at DESC, asset_index DESC LIMIT 1");
        c.unpack_first(query).await
    })
}

/// The stream's recording in progress.
pub async fn growing(connection: &mut Connection, stream: StreamId) -> Result<Option<Asset>> {
    on!(connection, c => c.unpack_first(growing_of(stream)).await)
}

pub(super) fn growing_of<D: Database>(stream: StreamId) -> QueryBuilder<D>
where
    String: for<'q> Encode<'q, D> + Type<D>,
{
    let mut query = QueryBuilder::new("SELECT ");
    push_columns(&mut query);
    query.push(" FROM assets").push(indexed_by::<D>("assets_growing"));
    query.push(" WHERE state = 'recording' AND stream_id = ").push_bind(stream.to_string());
    query.push(" ORDER BY created_at DESC, asset_index DESC LIMIT 1");
    query
}

/// Of each of the streams, its newest recordings that have a finished file, at most `limit` of each: by stream, then newest first. One that is recorded
/// on keeps its place: its URL is known already, and plays.
pub async fn finished_of_streams(connection: &mut Connection, streams: &[StreamId], limit: u32) -> Result<Vec<Playable>> {
    if let [stream] = streams {
        // PostgreSQL plans this once, and the one for many each time anew.
        return on!(connection, c => c.unpack_all(finished_of(*stream, limit)).await);
    }
    let streams: Vec<String> = streams.iter().map(StreamId::to_string).collect();
    let mut recordings: Vec<Playable> = match connection.raw() {
        Raw::Sqlite(c) => c.unpack_all(on_sqlite(&streams, limit)).await?,
        Raw::Postgres(c) => c.unpack_all(on_postgres(streams, limit)).await?,
    };
    // Neither database promises an order.
    recordings.sort_by_key(|recording| (recording.stream, Reverse((recording.created_at, recording.index))));
    Ok(recordings)
}

pub(super) fn finished_of<D: Database>(stream: StreamId, limit: u32) -> QueryBuilder<D>
where
    String: for<'q> Encode<'q, D> + Type<D>,
    i64: for<'q> Encode<'q, D> + Type<D>,
{
    let mut query = QueryBuilder::new("SELECT ");
    push_playable(&mut query);
    query.push(" FROM assets").push(indexed_by::<D>("assets_listed_of_stream"));
    query.push(" WHERE state <> 'deleted' AND (state IN ('ready', 'incomplete') OR state = 'recording' AND duration_ms > 0) AND stream_id = ");
    query.push_bind(stream.to_string()).push(" ORDER BY created_at DESC, asset_index DESC");
    push_limit(&mut query, i64::from(limit));
    query
}

// One look along the index for each stream, which ends at its limit. Numbering them all in one look reads every recording that there is, and a union with a part
// for each takes longer to be planned than to be done. The first condition is the index's, and follows from the second.

pub(super) fn on_sqlite(streams: &[String], limit: u32) -> QueryBuilder<Sqlite> {
    // Ids have a JSON form, always.
    let streams = serde_json::to_string(streams).unwrap_or_default();
    let mut query = QueryBuilder::new("SELECT ");
    push_playable(&mut query);
    query.push(" FROM (SELECT value AS of_stream FROM json_each(").push_bind(streams);
    query.push(
        ")) AS asked CROSS JOIN assets a WHERE a.rowid IN (SELECT n.rowid FROM assets n INDEXED BY assets_listed_of_stream
         WHERE n.state <> 'deleted' AND (n.state IN ('ready', 'incomplete') OR n.state = 'recording' AND n.duration_ms > 0)
           AND n.stream_id = asked.of_stream ORDER BY n.created_at DESC, n.asset_index DESC",
    );
    push_limit(&mut query, i64::from(limit));
    query.push(")");
    query
}

pub(super) fn on_postgres(streams: Vec<String>, limit: u32) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new("SELECT ");
    push_playable(&mut query);
    query.push(" FROM unnest(").push_bind(streams);
    query.push(
        ") AS asked (of_stream) CROSS JOIN LATERAL (SELECT * FROM assets
         WHERE state <> 'deleted' AND (state IN ('ready', 'incomplete') OR state = 'recording' AND duration_ms > 0)
           AND stream_id = asked.of_stream ORDER BY created_at DESC, asset_index DESC",
    );
    push_limit(&mut query, i64::from(limit));
    query.push(") AS newest");
    query
}

/// An organisation's newest recordings, newest first.
pub async fn latest(connection: &mut Connection, organisation: OrganisationId, limit: u32) -> Result<Vec<Asset>> {
    on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        push_columns(&mut query);
        query.push(" FROM assets WHERE state <> 'deleted' AND organisation_id = ").push_bind(organisation.to_string());
        query.push(" ORDER BY created_at DESC, id DESC");
        push_limit(&mut query, i64::from(limit));
        c.unpack_all(query).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location, steps};
    use uuid::Uuid;

    #[tokio::test]
    async fn a_streams_newest_are_read_along_the_index_and_nothing_is_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap();
        let mut connection = db.read().await.unwrap();
        let streams = [(); 3].map(|()| Uuid::new_v4().to_string());
        let steps = steps(&mut connection, on_sqlite(&streams, 10).into_sql().as_str()).await;
        let looks = steps.iter().filter(|step| step.contains("INDEX assets_listed_of_stream (stream_id=?)")).count();
        assert_eq!((looks, steps.iter().any(|step| step.contains("TEMP B-TREE"))), (1, false), "{steps:#?}");
        assert!(steps.iter().any(|step| step.contains("SEARCH a USING INTEGER PRIMARY KEY (rowid=?)")), "{steps:#?}");
    }
}
