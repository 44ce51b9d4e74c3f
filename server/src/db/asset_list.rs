//! Lists of the table `assets`. None of them shows a deleted one. Sums over it are in `counts`.

use std::cmp::Reverse;

use afterlive_domain::{OrganisationId, StreamId};
use sqlx::QueryBuilder;

use super::assets::{Asset, COLUMNS, Row};
use super::{Connection, Result, on};

/// Streams that one query is about; SQLite takes up to 500 parts of a union.
const STREAMS_A_QUERY: usize = 100;

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
    let mut assets: Vec<Asset> = Vec::new();
    for streams in streams.chunks(STREAMS_A_QUERY) {
        let rows: Vec<Row> = on!(connection, c => finished_of_each(streams, limit).build_query_as().fetch_all(c).await)?;
        for row in rows {
            assets.push(row.try_into()?);
        }
    }
    // Neither database promises the order of a union.
    assets.sort_by_key(|asset| (asset.stream, Reverse((asset.created_at, asset.index))));
    Ok(assets)
}

/// One look along the index for each stream, which ends at its limit. Numbering them all in one look reads every recording that there is.
fn finished_of_each<D: sqlx::Database>(streams: &[StreamId], limit: u32) -> QueryBuilder<D>
where
    String: sqlx::Type<D> + for<'q> sqlx::Encode<'q, D>,
    i64: sqlx::Type<D> + for<'q> sqlx::Encode<'q, D>,
{
    let mut query = QueryBuilder::new("");
    for (number, stream) in streams.iter().enumerate() {
        query.push(if number == 0 { "SELECT " } else { " UNION ALL SELECT " }).push(COLUMNS).push(" FROM (SELECT * FROM assets");
        // The first condition is the index's, and follows from the second.
        query.push(" WHERE state <> 'deleted' AND (state IN ('ready', 'incomplete') OR state = 'recording' AND duration_ms > 0)");
        query.push(" AND stream_id = ").push_bind(stream.to_string());
        query.push(" ORDER BY created_at DESC, asset_index DESC LIMIT ").push_bind(i64::from(limit)).push(") AS newest");
    }
    query
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location, Raw};
    use uuid::Uuid;

    #[tokio::test]
    async fn a_streams_newest_are_read_along_the_index_and_nothing_is_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap();
        let mut connection = db.read().await.unwrap();
        let Raw::Sqlite(sqlite) = connection.raw() else { unreachable!("it was opened as SQLite") };
        let streams = [(); 3].map(|()| StreamId(Uuid::new_v4()));
        let query = finished_of_each::<sqlx::Sqlite>(&streams, 10).into_sql();
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", query.as_str()));
        let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(sqlite).await.unwrap();
        let steps: Vec<String> = steps.into_iter().map(|(.., step)| step).collect();
        let looks = steps.iter().filter(|step| step.contains("INDEX assets_listed_of_stream (stream_id=?)")).count();
        assert_eq!((looks, steps.iter().any(|step| step.contains("TEMP B-TREE"))), (3, false), "{steps:#?}");
    }
}
