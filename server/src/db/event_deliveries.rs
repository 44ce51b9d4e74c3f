//! The table `event_deliveries`: what endpoints are told, from the transaction in which it happens to the end of its log. How it is sent, and when again,
//! stands in [`crate::events`]; lists of it are in `delivery_log`.

use afterlive_domain::{AssetId, EndpointId, EventKind, MessageId, OrganisationId, StreamId, UnixMillis};
use uuid::Uuid;

use super::{Connection, NewEvent, Raw, Result, Tx, event_endpoints, on, parse, parse_option};

/// The most that wait of a stream for an endpoint. What is more is given up at once: it stands in the log, and can be sent again.
pub const MAX_OPEN_OF_STREAM: i64 = 1_000;
const TOO_MANY: &str = "too many of this stream wait already";
/// The kind of what is sent for a try: of nothing that happened. There is one try.
const TEST: &str = "test";

/// What happened, for which a body is to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bare {
    id: i64,
    endpoint: EndpointId,
    lane: String,
    pub kind: EventKind,
    pub organisation: OrganisationId,
    pub stream: Option<StreamId>,
    pub asset: Option<AssetId>,
    pub at: UnixMillis,
}

/// An endpoint for which something is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    pub endpoint: EndpointId,
    pub organisation: OrganisationId,
    pub is_failing: bool,
    pub at: UnixMillis,
}

/// A delivery that has been leased to the caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claimed {
    id: i64,
    pub message: MessageId,
    pub endpoint: EndpointId,
    /// The event's, or `test`; of a later version perhaps.
    pub kind: String,
    pub body: String,
    /// Counted from 1; tries that ended with the process count.
    pub attempt: u32,
    pub begun_at: UnixMillis,
    lane: String,
    /// Names this lease and no other.
    lease: String,
}

impl Claimed {
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.kind == TEST
    }
}

/// What came of a try that did not deliver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure<'a> {
    pub status: Option<u16>,
    pub reason: &'a str,
    /// `None`: it is given up.
    pub retry_at: Option<UnixMillis>,
}

/// Writes what the organisations' endpoints are to be told of these events, after the events themselves.
pub(super) async fn insert_for(connection: &mut Connection, events: &[NewEvent]) -> Result<()> {
    let mut organisations: Vec<OrganisationId> = Vec::new();
    for event in events.iter().filter(|event| afterlive_domain::endpoint::TOLD.contains(&event.kind)) {
        if !organisations.contains(&event.organisation) {
            organisations.push(event.organisation);
        }
    }
    for organisation in organisations {
        let endpoints = event_endpoints::told(connection, organisation).await?;
        for event in events.iter().filter(|event| event.organisation == organisation) {
            for (endpoint, _) in endpoints.iter().filter(|(_, kinds)| kinds.has(event.kind)) {
                insert_one(connection, *endpoint, event).await?;
            }
        }
    }
    Ok(())
}

async fn insert_one(connection: &mut Connection, endpoint: EndpointId, event: &NewEvent) -> Result<()> {
    let message = Uuid::new_v4().to_string();
    let lane = event.stream.map_or_else(|| message.clone(), |stream| stream.to_string());
    let in_the_way: Option<i64> = on!(connection, c => sqlx::query_scalar(
        "SELECT id FROM event_deliveries WHERE endpoint_id = $1 AND lane = $2 AND state = 'open' ORDER BY id LIMIT 1 OFFSET $3",
    )
    .bind(endpoint.to_string())
    .bind(&lane)
    .bind(MAX_OPEN_OF_STREAM - 1)
    .fetch_optional(c)
    .await)?;
    let is_refused = in_the_way.is_some();
    on!(connection, c => sqlx::query(
        "INSERT INTO event_deliveries
             (message_id, endpoint_id, organisation_id, lane, kind, stream_id, asset_id, at, state, begun_at, last_reason, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $10, $11)",
    )
    .bind(&message)
    .bind(endpoint.to_string())
    .bind(event.organisation.to_string())
    .bind(&lane)
    .bind(event.kind.as_str())
    .bind(event.stream.map(|id| id.to_string()))
    .bind(event.asset.map(|id| id.to_string()))
    .bind(event.at.0)
    .bind(if is_refused { "failed" } else { "open" })
    .bind(is_refused.then_some(TOO_MANY))
    .bind(is_refused.then_some(event.at.0))
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Adds a test, which is due at once.
pub async fn insert_test(
    tx: &mut Tx,
    organisation: OrganisationId,
    endpoint: EndpointId,
    message: MessageId,
    body: &str,
    now: UnixMillis,
) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO event_deliveries (message_id, endpoint_id, organisation_id, lane, kind, at, body, state, begun_at, due_at)
         VALUES ($1, $2, $3, $1, $4, $5, $6, 'open', $5, $5)",
    )
    .bind(message.to_string())
    .bind(endpoint.to_string())
    .bind(organisation.to_string())
    .bind(TEST)
    .bind(now.0)
    .bind(body)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct BareRow {
    id: i64,
    endpoint_id: String,
    organisation_id: String,
    lane: String,
    kind: String,
    stream_id: Option<String>,
    asset_id: Option<String>,
    at: i64,
}

/// Those that have no body yet, oldest first.
pub async fn without_body(connection: &mut Connection, limit: u32) -> Result<Vec<Bare>> {
    let rows: Vec<BareRow> = on!(connection, c => sqlx::query_as(WITHOUT_BODY).bind(i64::from(limit)).fetch_all(c).await)?;
    let mut bare = Vec::new();
    for row in rows {
        // A later version's, which has a node of its own to make it.
        let Ok(kind) = row.kind.parse() else { continue };
        bare.push(Bare {
            id: row.id,
            endpoint: parse("event_deliveries.endpoint_id", &row.endpoint_id)?,
            lane: row.lane,
            kind,
            organisation: parse("event_deliveries.organisation_id", &row.organisation_id)?,
            stream: parse_option("event_deliveries.stream_id", row.stream_id.as_deref())?,
            asset: parse_option("event_deliveries.asset_id", row.asset_id.as_deref())?,
            at: UnixMillis(row.at),
        });
    }
    Ok(bare)
}

const WITHOUT_BODY: &str = "SELECT id, endpoint_id, organisation_id, lane, kind, stream_id, asset_id, at FROM event_deliveries
     WHERE body IS NULL ORDER BY id LIMIT $1";

/// Gives it its body, once, and lets it go where it is the first of its lane.
pub async fn set_body(tx: &mut Tx, bare: &Bare, body: &str, now: UnixMillis) -> Result<()> {
    event_endpoints::hold(tx, bare.endpoint).await?;
    on!(tx, c => sqlx::query("UPDATE event_deliveries SET body = $2 WHERE id = $1 AND body IS NULL")
        .bind(bare.id)
        .bind(body)
        .execute(c)
        .await
        .map(drop))?;
    let_first_go(tx, bare.endpoint, &bare.lane, now).await
}

const LET_FIRST_GO: &str = "UPDATE event_deliveries SET due_at = $3
     WHERE id = (SELECT id FROM event_deliveries WHERE endpoint_id = $1 AND lane = $2 AND state = 'open' ORDER BY id LIMIT 1)
           AND body IS NOT NULL AND due_at IS NULL";

/// Only for who holds the endpoint.
async fn let_first_go(tx: &mut Tx, endpoint: EndpointId, lane: &str, now: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query(LET_FIRST_GO).bind(endpoint.to_string()).bind(lane).bind(now.0).execute(c).await.map(drop))?;
    Ok(())
}

const DUE: &str = "SELECT e.id, e.organisation_id, e.failing_since,
            (SELECT d.due_at FROM event_deliveries d WHERE d.endpoint_id = e.id AND d.due_at IS NOT NULL ORDER BY d.due_at LIMIT 1)
     FROM event_endpoints e WHERE e.enabled";

/// The endpoints for which something waits, with when the next of it wants to be sent, or the next lease runs out; may be in the past. One look along the
/// index for each endpoint, however much waits.
pub async fn due(connection: &mut Connection) -> Result<Vec<Due>> {
    let rows: Vec<(String, String, Option<i64>, Option<i64>)> = on!(connection, c => sqlx::query_as(DUE).fetch_all(c).await)?;
    let mut due = Vec::new();
    for (endpoint, organisation, failing_since, at) in rows {
        let Some(at) = at else { continue };
        due.push(Due {
            endpoint: parse("event_endpoints.id", &endpoint)?,
            organisation: parse("event_endpoints.organisation_id", &organisation)?,
            is_failing: failing_since.is_some(),
            at: UnixMillis(at),
        });
    }
    Ok(due)
}

#[derive(sqlx::FromRow)]
struct ClaimedRow {
    id: i64,
    message_id: String,
    kind: String,
    body: Option<String>,
    attempt: i64,
    begun_at: i64,
    lane: String,
}

const CLAIM_SQLITE: &str = "UPDATE event_deliveries SET attempt = attempt + 1, locked_by = $2, due_at = $3
     WHERE id IN (SELECT id FROM event_deliveries WHERE endpoint_id = $1 AND due_at IS NOT NULL AND due_at <= $4 ORDER BY due_at LIMIT $5)
     RETURNING id, message_id, kind, body, attempt, begun_at, lane";
const CLAIM_POSTGRES: &str = "UPDATE event_deliveries SET attempt = attempt + 1, locked_by = $2, due_at = $3
     WHERE id IN (SELECT id FROM event_deliveries WHERE endpoint_id = $1 AND due_at IS NOT NULL AND due_at <= $4 ORDER BY due_at LIMIT $5
                  FOR UPDATE SKIP LOCKED)
     RETURNING id, message_id, kind, body, attempt, begun_at, lane";

/// Leases up to `limit` deliveries of the endpoint that are due, those that have waited longest first; of each lane there is one at most. One whose lease ran
/// out is due again.
pub async fn claim(tx: &mut Tx, endpoint: EndpointId, limit: u32, now: UnixMillis, until: UnixMillis) -> Result<Vec<Claimed>> {
    let lease = Uuid::new_v4().to_string();
    let statement = match tx.raw() {
        Raw::Sqlite(_) => CLAIM_SQLITE,
        Raw::Postgres(_) => CLAIM_POSTGRES,
    };
    let rows: Vec<ClaimedRow> = on!(tx, c => sqlx::query_as(statement)
        .bind(endpoint.to_string())
        .bind(&lease)
        .bind(until.0)
        .bind(now.0)
        .bind(i64::from(limit))
        .fetch_all(c)
        .await)?;
    let mut claimed = Vec::new();
    for row in rows {
        claimed.push(Claimed {
            id: row.id,
            message: parse("event_deliveries.message_id", &row.message_id)?,
            endpoint,
            kind: row.kind,
            // Without one none is due.
            body: row.body.unwrap_or_default(),
            attempt: u32::try_from(row.attempt).unwrap_or(u32::MAX),
            begun_at: UnixMillis(row.begun_at),
            lane: row.lane,
            lease: lease.clone(),
        });
    }
    Ok(claimed)
}

/// It arrived, and the next of its lane goes. Nothing happens where the lease is lost.
pub async fn delivered(tx: &mut Tx, claimed: &Claimed, status: u16, now: UnixMillis) -> Result<()> {
    event_endpoints::hold(tx, claimed.endpoint).await?;
    let kept = on!(tx, c => sqlx::query(
        "UPDATE event_deliveries SET state = 'delivered', due_at = NULL, locked_by = NULL, last_status = $3, last_reason = NULL,
                last_at = $4, finished_at = $4
         WHERE id = $1 AND locked_by = $2",
    )
    .bind(claimed.id)
    .bind(&claimed.lease)
    .bind(i64::from(status))
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if kept == 0 {
        return Ok(());
    }
    event_endpoints::note_success(tx, claimed.endpoint).await?;
    let_first_go(tx, claimed.endpoint, &claimed.lane, now).await
}

/// It did not arrive: it is tried again, or given up, and then the next of its lane goes. Where the endpoint was switched off meanwhile it is over already.
pub async fn failed(tx: &mut Tx, claimed: &Claimed, failure: &Failure<'_>, now: UnixMillis) -> Result<()> {
    event_endpoints::hold(tx, claimed.endpoint).await?;
    let kept = on!(tx, c => sqlx::query(
        "UPDATE event_deliveries SET state = $3, due_at = $4, locked_by = NULL, last_status = $5, last_reason = $6, last_at = $7,
                finished_at = $8
         WHERE id = $1 AND locked_by = $2 AND state = 'open'",
    )
    .bind(claimed.id)
    .bind(&claimed.lease)
    .bind(if failure.retry_at.is_some() { "open" } else { "failed" })
    .bind(failure.retry_at.map(|at| at.0))
    .bind(failure.status.map(i64::from))
    .bind(failure.reason)
    .bind(now.0)
    .bind(failure.retry_at.is_none().then_some(now.0))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if kept == 0 {
        return Ok(());
    }
    event_endpoints::note_failure(tx, claimed.endpoint, now).await?;
    if failure.retry_at.is_some() { Ok(()) } else { let_first_go(tx, claimed.endpoint, &claimed.lane, now).await }
}

/// Gives up all that waits for the endpoint. What is being sent at this moment may arrive yet, and then counts.
pub async fn give_up(tx: &mut Tx, endpoint: EndpointId, reason: &str, now: UnixMillis) -> Result<()> {
    event_endpoints::hold(tx, endpoint).await?;
    on!(tx, c => sqlx::query(
        "UPDATE event_deliveries SET state = 'failed', due_at = NULL, last_reason = $2, finished_at = $3
         WHERE endpoint_id = $1 AND state = 'open'",
    )
    .bind(endpoint.to_string())
    .bind(reason)
    .bind(now.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// What became of the wish to send something again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resent {
    Done,
    NoSuchDelivery,
    /// It is on its way, or behind another of its stream; in words.
    Refused(&'static str),
}

/// Sends it again at once, with the same id and body: what is over from the start, beside its stream's order; what waits for its next try before its time.
pub async fn resend(tx: &mut Tx, organisation: OrganisationId, message: MessageId, now: UnixMillis) -> Result<Resent> {
    let endpoint: Option<String> = on!(tx, c => sqlx::query_scalar(
        "SELECT endpoint_id FROM event_deliveries WHERE message_id = $1 AND organisation_id = $2",
    )
    .bind(message.to_string())
    .bind(organisation.to_string())
    .fetch_optional(c)
    .await)?;
    let Some(endpoint) = endpoint else { return Ok(Resent::NoSuchDelivery) };
    let endpoint: EndpointId = parse("event_deliveries.endpoint_id", &endpoint)?;
    match event_endpoints::hold(tx, endpoint).await? {
        None => return Ok(Resent::NoSuchDelivery),
        Some(false) => return Ok(Resent::Refused("its endpoint is switched off")),
        Some(true) => {}
    }
    let changed = on!(tx, c => sqlx::query(
        "UPDATE event_deliveries SET lane = CASE state WHEN 'open' THEN lane ELSE message_id END,
                attempt = CASE state WHEN 'open' THEN attempt ELSE 0 END, begun_at = CASE state WHEN 'open' THEN begun_at ELSE $2 END,
                state = 'open', due_at = $2, locked_by = NULL, finished_at = NULL
         WHERE message_id = $1 AND body IS NOT NULL
               AND (state <> 'open' OR due_at IS NOT NULL AND (locked_by IS NULL OR due_at <= $2))",
    )
    .bind(message.to_string())
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if changed == 1 {
        return Ok(Resent::Done);
    }
    let due_at: Option<i64> = on!(tx, c => sqlx::query_scalar("SELECT due_at FROM event_deliveries WHERE message_id = $1")
        .bind(message.to_string())
        .fetch_one(c)
        .await)?;
    Ok(Resent::Refused(if due_at.is_some() { "it is being sent" } else { "it waits behind an earlier one of its stream" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location};

    /// The steps in which SQLite does it.
    async fn steps(connection: &mut Connection, statement: &str) -> Vec<String> {
        let Raw::Sqlite(sqlite) = connection.raw() else { unreachable!("it was opened as SQLite") };
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(sqlite).await.unwrap();
        steps.into_iter().map(|(.., step)| step).collect()
    }

    #[tokio::test]
    async fn what_is_asked_all_the_time_is_read_along_an_index_and_nothing_is_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap();
        let mut connection = db.read().await.unwrap();
        for (statement, index) in [
            (WITHOUT_BODY, "event_deliveries_new"),
            (LET_FIRST_GO, "event_deliveries_open (endpoint_id=? AND lane=?)"),
            (DUE, "event_deliveries_due (endpoint_id=? AND due_at>?)"),
            (CLAIM_SQLITE, "event_deliveries_due (endpoint_id=? AND due_at>? AND due_at<?)"),
        ] {
            let steps = steps(&mut connection, statement).await;
            assert!(steps.iter().any(|step| step.contains(index)), "{steps:#?}");
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE") || step == "SCAN event_deliveries"), "{steps:#?}");
        }
    }
}
