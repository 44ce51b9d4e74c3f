//! Lists of the table `assets`. None of them shows a deleted one. Sums over it are in `counts`.

use afterlive_domain::{OrganisationId, StreamId};
use sqlx::QueryBuilder;

use super::assets::{Asset, COLUMNS, Row};
use super::{Connection, Result, on};

/// A stream's recordings, newest first.
pub async fn of_stream(connection: &mut Connection, stream: StreamId, limit: u32, offset: u32) -> Result<Vec<Asset>> {
    let rows: Vec<Row> = on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(COLUMNS).push(" FROM assets WHERE state <> 'deleted' AND stream_id = ").push_bind(stream.to_string());
        query.push(" ORDER BY created_at DESC, asset_index DESC LIMIT ").push_bind(i64::from(limit));
        query.push(" OFFSET ").push_bind(i64::from(offset));
        query.build_query_as().fetch_all(c).await
    })?;
    rows.into_iter().map(Asset::try_from).collect()
}

/// The stream's newest recording that has a finished file.
pub async fn newest_finished(connection: &mut Connection, stream: StreamId) -> Result<Option<Asset>> {
    let row: Option<Row> = on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(COLUMNS).push(" FROM assets WHERE state IN ('ready', 'incomplete') AND stream_id = ");
        query.push_bind(stream.to_string()).push(" ORDER BY created_at DESC, asset_index DESC LIMIT 1");
        query.build_query_as().fetch_optional(c).await
    })?;
    row.map(Asset::try_from).transpose()
}

/// The stream's recording in progress.
pub async fn growing(connection: &mut Connection, stream: StreamId) -> Result<Option<Asset>> {
    let row: Option<Row> = on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(COLUMNS).push(" FROM assets WHERE state = 'recording' AND stream_id = ");
        query.push_bind(stream.to_string()).push(" ORDER BY created_at DESC, asset_index DESC LIMIT 1");
        query.build_query_as().fetch_optional(c).await
    })?;
    row.map(Asset::try_from).transpose()
}

/// Of each of the streams, its newest recordings that have a finished file, at most `limit` of each: by stream, then newest first. One that is recorded
/// on keeps its place: its URL is known already, and plays.
pub async fn finished_of_streams(connection: &mut Connection, streams: &[StreamId], limit: u32) -> Result<Vec<Asset>> {
    if streams.is_empty() || limit == 0 {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(COLUMNS).push(" FROM (SELECT a.*, ROW_NUMBER() OVER (PARTITION BY stream_id ORDER BY created_at DESC, asset_index DESC) AS place");
        query.push(" FROM assets a WHERE (state IN ('ready', 'incomplete') OR state = 'recording' AND duration_ms > 0) AND stream_id IN (");
        let mut ids = query.separated(", ");
        for stream in streams {
            ids.push_bind(stream.to_string());
        }
        query.push(")) AS numbered WHERE place <= ").push_bind(i64::from(limit));
        query.push(" ORDER BY stream_id, place").build_query_as().fetch_all(c).await
    })?;
    rows.into_iter().map(Asset::try_from).collect()
}

/// An organisation's newest recordings, newest first.
pub async fn latest(connection: &mut Connection, organisation: OrganisationId, limit: u32) -> Result<Vec<Asset>> {
    let rows: Vec<Row> = on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(COLUMNS).push(" FROM assets WHERE state <> 'deleted' AND organisation_id = ").push_bind(organisation.to_string());
        query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(i64::from(limit));
        query.build_query_as().fetch_all(c).await
    })?;
    rows.into_iter().map(Asset::try_from).collect()
}
