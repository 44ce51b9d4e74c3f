//! What of `event_deliveries` people look at, and how long it is kept. Decides nothing about what is sent.

mod place;

use afterlive_domain::{AssetId, DeliveryState, EndpointId, MessageId, StreamId, UnixMillis};

pub use self::place::Place;
use super::{Connection, Error, Result, Tx, on, parse};

/// A line of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    pub message: MessageId,
    /// The event's, or `test`.
    pub kind: String,
    pub stream: Option<StreamId>,
    /// Whether the stream is there, and was not deleted.
    pub has_stream: bool,
    pub asset: Option<AssetId>,
    /// When it happened.
    pub at: UnixMillis,
    pub state: DeliveryState,
    pub attempts: u32,
    /// Of the last answer.
    pub last_status: Option<u16>,
    /// Why the last try was none.
    pub last_reason: Option<String>,
    pub last_at: Option<UnixMillis>,
    /// Of the next try, while it waits for one.
    pub next_at: Option<UnixMillis>,
    pub finished_at: Option<UnixMillis>,
    place: i64,
}

impl Delivery {
    #[must_use]
    pub fn place(&self) -> Place {
        Place(self.place)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    message_id: String,
    kind: String,
    stream_id: Option<String>,
    asset_id: Option<String>,
    at: i64,
    state: String,
    attempt: i64,
    due_at: Option<i64>,
    locked_by: Option<String>,
    last_status: Option<i64>,
    last_reason: Option<String>,
    last_at: Option<i64>,
    finished_at: Option<i64>,
    has_stream: i64,
}

impl TryFrom<Row> for Delivery {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        // A line of a later version stops no page: of a state of its own this one says what it can tell, whether it is over.
        let state = match (row.state.as_str(), row.finished_at, row.due_at, row.locked_by) {
            ("delivered", ..) => DeliveryState::Delivered,
            ("failed", ..) | (_, Some(_), ..) => DeliveryState::Failed,
            (_, None, None, _) => DeliveryState::Queued,
            (_, None, Some(_), None) => DeliveryState::Waiting,
            (_, None, Some(_), Some(_)) => DeliveryState::Sending,
        };
        Ok(Self {
            message: parse("event_deliveries.message_id", &row.message_id)?,
            kind: row.kind,
            stream: row.stream_id.and_then(|id| id.parse().ok()),
            has_stream: row.has_stream != 0,
            asset: row.asset_id.and_then(|id| id.parse().ok()),
            at: UnixMillis(row.at),
            state,
            attempts: u32::try_from(row.attempt).unwrap_or(u32::MAX),
            last_status: row.last_status.and_then(|status| u16::try_from(status).ok()),
            last_reason: row.last_reason,
            last_at: row.last_at.map(UnixMillis),
            next_at: row.due_at.filter(|_| state == DeliveryState::Waiting).map(UnixMillis),
            finished_at: row.finished_at.map(UnixMillis),
            place: row.id,
        })
    }
}

const PAGE: &str =
    "SELECT id, message_id, kind, stream_id, asset_id, at, state, attempt, due_at, locked_by, last_status, last_reason, last_at,
            finished_at,
            CAST(CASE WHEN EXISTS (SELECT 1 FROM streams WHERE streams.id = event_deliveries.stream_id AND streams.state <> 'deleted')
                 THEN 1 ELSE 0 END AS BIGINT) AS has_stream
     FROM event_deliveries WHERE endpoint_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";

/// An endpoint's, newest first, behind the place or from the newest on.
pub async fn page(connection: &mut Connection, endpoint: EndpointId, after: Option<Place>, limit: u32) -> Result<Vec<Delivery>> {
    let before = after.map_or(i64::MAX, |Place(place)| place);
    let rows: Vec<Row> = on!(connection, c => sqlx::query_as(PAGE)
        .bind(endpoint.to_string())
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(c)
        .await)?;
    rows.into_iter().map(Delivery::try_from).collect()
}

const OVER: &str = "DELETE FROM event_deliveries WHERE id IN
     (SELECT id FROM event_deliveries WHERE finished_at IS NOT NULL AND finished_at <= $1 ORDER BY finished_at LIMIT $2)";

/// Deletes up to `limit` of those that were over at that time, and says how many that were. What waits stays.
pub async fn delete_older(tx: &mut Tx, until: UnixMillis, limit: u32) -> Result<u64> {
    Ok(on!(tx, c => sqlx::query(OVER).bind(until.0).bind(i64::from(limit)).execute(c).await.map(|done| done.rows_affected()))?)
}

const BEYOND: &str = "DELETE FROM event_deliveries WHERE id IN
     (SELECT id FROM event_deliveries WHERE endpoint_id = $1 AND finished_at IS NOT NULL AND id <=
          (SELECT id FROM event_deliveries WHERE endpoint_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)
      ORDER BY id LIMIT $3)";

/// Deletes, of an endpoint's, up to `limit` of those that are over and not among the newest `kept`.
pub async fn delete_beyond(tx: &mut Tx, endpoint: EndpointId, kept: u32, limit: u32) -> Result<u64> {
    Ok(on!(tx, c => sqlx::query(BEYOND)
        .bind(endpoint.to_string())
        .bind(i64::from(kept))
        .bind(i64::from(limit))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

const OF_ENDPOINT: &str =
    "DELETE FROM event_deliveries WHERE id IN (SELECT id FROM event_deliveries WHERE endpoint_id = $1 ORDER BY id LIMIT $2)";

/// Deletes up to `limit` of an endpoint's, also what waits, and says how many that were.
pub async fn delete_of_endpoint(tx: &mut Tx, endpoint: EndpointId, limit: u32) -> Result<u64> {
    Ok(on!(tx, c => sqlx::query(OF_ENDPOINT)
        .bind(endpoint.to_string())
        .bind(i64::from(limit))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// All endpoints there are.
pub async fn endpoints(connection: &mut Connection) -> Result<Vec<EndpointId>> {
    let ids: Vec<String> = on!(connection, c => sqlx::query_scalar("SELECT id FROM event_endpoints").fetch_all(c).await)?;
    ids.iter().map(|id| parse("event_endpoints.id", id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location, steps};

    #[tokio::test]
    async fn the_log_is_read_and_swept_along_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap();
        let mut connection = db.read().await.unwrap();
        for (statement, index) in [
            (PAGE, "event_deliveries_of_endpoint (endpoint_id=? AND id<?)"),
            (OVER, "event_deliveries_over (finished_at>? AND finished_at<?)"),
            (BEYOND, "event_deliveries_of_endpoint (endpoint_id=? AND id<?)"),
            (OF_ENDPOINT, "event_deliveries_of_endpoint (endpoint_id=?)"),
        ] {
            let steps = steps(&mut connection, statement).await;
            assert!(steps.iter().any(|step| step.contains(index)), "{steps:#?}");
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
        }
    }
}
