//! Sums over several tables, for the pages that show an organisation at a glance. What grows without end is counted by triggers (migration 0014), a bag of
//! changes whose sum is the count; the rest is one look along an index.

use std::collections::HashMap;

use afterlive_domain::{AssetState, OrganisationId, Region, StreamId, StreamState, UnixMillis};
use sqlx::{Database, Encode, QueryBuilder, Type};

use super::{Connection, Result, on, parse};

/// A UTC day has always so many milliseconds: Unix time knows no leap seconds.
pub const DAY_MS: i64 = 86_400_000;

/// How many streams are in each state. A state that none is in is not in the list.
pub async fn streams_by_state(connection: &mut Connection, organisation: OrganisationId) -> Result<Vec<(StreamState, u64)>> {
    let rows: Vec<(String, i64)> =
        on!(connection, c => sqlx::query_as(STREAMS_BY_STATE).bind(organisation.to_string()).fetch_all(c).await)?;
    rows.into_iter().map(|(state, count)| Ok((parse("streams.state", &state)?, count.unsigned_abs()))).collect()
}

pub(super) const STREAMS_BY_STATE: &str = "SELECT state, CAST(SUM(streams) AS BIGINT) FROM stream_counts
     WHERE organisation_id = $1 GROUP BY state HAVING SUM(streams) > 0";

/// How many streams are in the state, or in all but that of the deleted.
pub async fn streams(connection: &mut Connection, organisation: OrganisationId, state: Option<StreamState>) -> Result<u64> {
    let counts = streams_by_state(connection, organisation).await?;
    let is_meant = |of: StreamState| state.map_or(of != StreamState::Deleted, |state| of == state);
    Ok(counts.into_iter().filter(|(of, _)| is_meant(*of)).map(|(_, count)| count).sum())
}

/// How many recordings are in the state, or in all but that of the deleted; in the region where there is one. Not those that were removed for good.
pub async fn assets(
    connection: &mut Connection,
    organisation: OrganisationId,
    region: Option<&Region>,
    state: Option<AssetState>,
) -> Result<u64> {
    let count: i64 = on!(connection, c => sqlx::query_scalar(RECORDINGS)
        .bind(organisation.to_string())
        .bind(region.map(Region::as_str))
        .bind(state.map(AssetState::as_str))
        .fetch_one(c)
        .await)?;
    Ok(count.unsigned_abs())
}

pub(super) const RECORDINGS: &str = "SELECT CAST(COALESCE(SUM(recordings), 0) AS BIGINT) FROM asset_counts
     WHERE organisation_id = $1 AND region = COALESCE($2, region) AND (state = $3 OR $3 IS NULL AND state <> 'deleted')";

/// What lies in one region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    pub region: Region,
    pub recordings: u64,
    pub bytes: u64,
}

/// The finished recordings that are not deleted, by region. A region without any is not in the list.
pub async fn stored_by_region(connection: &mut Connection, organisation: OrganisationId) -> Result<Vec<Stored>> {
    let rows: Vec<(String, i64, i64)> =
        on!(connection, c => sqlx::query_as(STORED_BY_REGION).bind(organisation.to_string()).fetch_all(c).await)?;
    rows.into_iter()
        .map(|(region, recordings, bytes)| {
            Ok(Stored {
                region: parse("assets.region", &region)?,
                recordings: recordings.unsigned_abs(),
                bytes: bytes.unsigned_abs(),
            })
        })
        .collect()
}

/// PostgreSQL sums BIGINT into NUMERIC.
pub(super) const STORED_BY_REGION: &str =
    "SELECT region, CAST(SUM(recordings) AS BIGINT), CAST(SUM(size_bytes) AS BIGINT) FROM asset_counts
     WHERE organisation_id = $1 AND state IN ('ready', 'incomplete') GROUP BY region HAVING SUM(recordings) > 0 ORDER BY region";

/// How many recordings each of the streams has, without the deleted. A stream without any is not in the map.
pub async fn recordings_by_stream(connection: &mut Connection, streams: &[StreamId]) -> Result<HashMap<StreamId, u64>> {
    if streams.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, i64)> = on!(connection, c => recordings_of(streams).build_query_as().fetch_all(c).await)?;
    rows.into_iter().map(|(stream, count)| Ok((parse("assets.stream_id", &stream)?, count.unsigned_abs()))).collect()
}

/// Of one stream at least.
pub(super) fn recordings_of<D: Database>(streams: &[StreamId]) -> QueryBuilder<D>
where
    String: for<'q> Encode<'q, D> + Type<D>,
{
    let mut query = QueryBuilder::new("SELECT stream_id, COUNT(*) FROM assets WHERE stream_id IN (");
    let mut ids = query.separated(", ");
    for stream in streams {
        ids.push_bind(stream.to_string());
    }
    query.push(") AND state <> 'deleted' GROUP BY stream_id");
    query
}

/// Bytes that arrived between two instants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrived {
    pub from: UnixMillis,
    pub to: UnixMillis,
    pub bytes: u64,
}

/// What publishes that ended at `since`, the beginning of a UTC day, or later brought in. Those within one UTC day come as one sum a day.
pub async fn ingested_since(
    connection: &mut Connection,
    organisation: OrganisationId,
    since: UnixMillis,
) -> Result<Vec<Arrived>> {
    let mut rows: Vec<(i64, i64, i64)> = on!(connection, c => sqlx::query_as(INGEST_BY_DAY)
        .bind(organisation.to_string())
        .bind(since.0.div_euclid(DAY_MS))
        .fetch_all(c)
        .await)?;
    let over_midnight: Vec<(i64, i64, i64)> = on!(connection, c => sqlx::query_as(INGEST_OVER_MIDNIGHT)
        .bind(organisation.to_string())
        .bind(since.0)
        .fetch_all(c)
        .await)?;
    rows.extend(over_midnight);
    Ok(rows
        .into_iter()
        .map(|(from, to, bytes)| Arrived { from: UnixMillis(from), to: UnixMillis(to), bytes: bytes.unsigned_abs() })
        .collect())
}

pub(super) const INGEST_BY_DAY: &str = "SELECT MIN(first_at), MAX(last_at), CAST(SUM(bytes_in) AS BIGINT) FROM ingest_days
     WHERE organisation_id = $1 AND day >= $2 GROUP BY day HAVING SUM(publishes) > 0";

/// The last condition is the index's, word for word.
pub(super) const INGEST_OVER_MIDNIGHT: &str = "SELECT started_at, ended_at, bytes_in FROM sessions
     WHERE organisation_id = $1 AND ended_at >= $2 AND started_at / 86400000 <> ended_at / 86400000";

pub(super) const ON_AIR: &str = "SELECT stream_id, started_at FROM sessions WHERE ended_at IS NULL AND organisation_id = $1";

/// The streams that are on air, and since when. What they brought in so far is in the hub alone.
pub async fn on_air(connection: &mut Connection, organisation: OrganisationId) -> Result<Vec<(StreamId, UnixMillis)>> {
    let rows: Vec<(String, i64)> =
        on!(connection, c => sqlx::query_as(ON_AIR).bind(organisation.to_string()).fetch_all(c).await)?;
    rows.into_iter().map(|(stream, since)| Ok((parse("sessions.stream_id", &stream)?, UnixMillis(since)))).collect()
}
