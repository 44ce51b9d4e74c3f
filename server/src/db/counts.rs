//! Sums over several tables, for the pages that show an organisation at a glance. Each is one query that an index answers.

use std::collections::HashMap;

use afterlive_domain::{OrganisationId, Region, StreamId, StreamState, UnixMillis};
use sqlx::QueryBuilder;

use super::{Connection, Result, on, parse};

/// A UTC day has always so many milliseconds: Unix time knows no leap seconds.
pub const DAY_MS: i64 = 86_400_000;

/// How many streams are in each state. A state that none is in is not in the list.
pub async fn streams_by_state(connection: &mut Connection, organisation: OrganisationId) -> Result<Vec<(StreamState, u64)>> {
    let rows: Vec<(String, i64)> = on!(connection, c => sqlx::query_as(
        "SELECT state, COUNT(*) FROM streams WHERE organisation_id = $1 GROUP BY state",
    )
    .bind(organisation.to_string())
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(|(state, count)| Ok((parse("streams.state", &state)?, count.unsigned_abs()))).collect()
}

/// What lies in one region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    pub region: Region,
    pub recordings: u64,
    pub bytes: u64,
}

/// The finished recordings that are not deleted, by region. A region without any is not in the list.
pub async fn stored_by_region(connection: &mut Connection, organisation: OrganisationId) -> Result<Vec<Stored>> {
    // PostgreSQL sums BIGINT into NUMERIC.
    let rows: Vec<(String, i64, i64)> = on!(connection, c => sqlx::query_as(
        "SELECT region, COUNT(*), CAST(SUM(size_bytes) AS BIGINT) FROM assets
         WHERE organisation_id = $1 AND state IN ('ready', 'incomplete') GROUP BY region ORDER BY region",
    )
    .bind(organisation.to_string())
    .fetch_all(c)
    .await)?;
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

/// How many recordings each of the streams has, without the deleted. A stream without any is not in the map.
pub async fn recordings_by_stream(connection: &mut Connection, streams: &[StreamId]) -> Result<HashMap<StreamId, u64>> {
    if streams.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, i64)> = on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT stream_id, COUNT(*) FROM assets WHERE stream_id IN (");
        let mut ids = query.separated(", ");
        for stream in streams {
            ids.push_bind(stream.to_string());
        }
        query.push(") AND state <> 'deleted' GROUP BY stream_id").build_query_as().fetch_all(c).await
    })?;
    rows.into_iter().map(|(stream, count)| Ok((parse("assets.stream_id", &stream)?, count.unsigned_abs()))).collect()
}

/// Bytes that arrived between two instants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrived {
    pub from: UnixMillis,
    pub to: UnixMillis,
    pub bytes: u64,
}

/// What publishes that ended at `since` or later brought in. Those within one UTC day come as one sum a day.
pub async fn ingested_since(
    connection: &mut Connection,
    organisation: OrganisationId,
    since: UnixMillis,
) -> Result<Vec<Arrived>> {
    // Only a publish over midnight is a group of its own, so the answer is about as long as there are days and such publishes.
    let rows: Vec<(i64, i64, i64)> = on!(connection, c => sqlx::query_as(
        "SELECT MIN(started_at), MAX(ended_at), CAST(SUM(bytes_in) AS BIGINT) FROM sessions
         WHERE organisation_id = $1 AND ended_at >= $2
         GROUP BY ended_at / 86400000, CASE WHEN started_at / 86400000 = ended_at / 86400000 THEN '' ELSE id END",
    )
    .bind(organisation.to_string())
    .bind(since.0)
    .fetch_all(c)
    .await)?;
    Ok(rows
        .into_iter()
        .map(|(from, to, bytes)| Arrived { from: UnixMillis(from), to: UnixMillis(to), bytes: bytes.unsigned_abs() })
        .collect())
}

/// The streams that are on air, and since when. What they brought in so far is in the hub alone.
pub async fn on_air(connection: &mut Connection, organisation: OrganisationId) -> Result<Vec<(StreamId, UnixMillis)>> {
    let rows: Vec<(String, i64)> = on!(connection, c => sqlx::query_as(
        "SELECT stream_id, started_at FROM sessions WHERE ended_at IS NULL AND organisation_id = $1",
    )
    .bind(organisation.to_string())
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(|(stream, since)| Ok((parse("sessions.stream_id", &stream)?, UnixMillis(since)))).collect()
}
