//! The table `event_deliveries`: what endpoints are told, from when it is due to its end. How it is sent, and when again, stands in [`crate::events`]. The
//! transaction in which it happens writes it in `event_outbox`, its body is given in `event_bodies`, lists of it are in `delivery_log`.

use afterlive_domain::{EndpointId, MessageId, OrganisationId, UnixMillis, WebhookUrl};
use uuid::Uuid;

use super::{Connection, Error, Raw, Result, Tx, event_endpoints, on, parse};

/// The kind of what is sent for a try: of nothing that happened. There is one try.
const TEST: &str = "test";

/// Why something cannot be sent now: its state, in words.
pub const IS_OFF: &str = "its endpoint is switched off";
pub const TEST_IS_OPEN: &str = "its last test is under way still";
pub const IS_SENT: &str = "it is being sent";
pub const IS_QUEUED: &str = "it waits behind an earlier one of its stream";
pub const IS_BARE: &str = "its body is not made yet: it is sent in its turn";

/// An endpoint for which something is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    pub endpoint: EndpointId,
    pub organisation: OrganisationId,
    /// Its last try failed, and so did all since then.
    pub failing_since: Option<UnixMillis>,
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

const OPEN_TEST: &str = "SELECT id FROM event_deliveries WHERE endpoint_id = $1 AND state = 'open' AND kind = 'test' LIMIT 1";

async fn has_open_test(tx: &mut Tx, endpoint: EndpointId) -> Result<bool> {
    let open: Option<i64> = on!(tx, c => sqlx::query_scalar(OPEN_TEST).bind(endpoint.to_string()).fetch_optional(c).await)?;
    Ok(open.is_some())
}

/// Adds a test, which is due at once. False where one of the endpoint waits already, or is being sent: then nothing is added. Only for who holds the endpoint.
pub async fn insert_test(
    tx: &mut Tx,
    organisation: OrganisationId,
    endpoint: EndpointId,
    message: MessageId,
    body: &str,
    now: UnixMillis,
) -> Result<bool> {
    if has_open_test(tx, endpoint).await? {
        return Ok(false);
    }
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
    Ok(true)
}

const LET_FIRST_GO: &str = "UPDATE event_deliveries SET due_at = $3
     WHERE id = (SELECT id FROM event_deliveries WHERE endpoint_id = $1 AND lane = $2 AND state = 'open' ORDER BY id LIMIT 1)
           AND body IS NOT NULL AND due_at IS NULL";

/// Only for who holds the endpoint.
pub(super) async fn let_first_go(tx: &mut Tx, endpoint: EndpointId, lane: &str, now: UnixMillis) -> Result<()> {
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
        // One that cannot be read stops no other.
        let (Ok(endpoint), Ok(organisation)) = (endpoint.parse(), organisation.parse()) else { continue };
        due.push(Due { endpoint, organisation, failing_since: failing_since.map(UnixMillis), at: UnixMillis(at) });
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
        // It is never sent, and not claimed anew before its lease is over: the others go.
        let Ok(message) = row.message_id.parse() else {
            let cause = Error::Unreadable { column: "event_deliveries.message_id", value: row.message_id };
            tracing::error!(%endpoint, %cause, "what an endpoint is to be told cannot be read: it is left out");
            continue;
        };
        claimed.push(Claimed {
            id: row.id,
            message,
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

const BRING_FORWARD: &str = "UPDATE event_deliveries SET due_at = CASE WHEN locked_by IS NULL THEN $1 ELSE $2 END
     WHERE due_at IS NOT NULL AND due_at > $3 AND (locked_by IS NOT NULL OR last_at IS NULL OR last_at > $3)";

/// Makes due `now` what would be due after `late` though it waits for no try that was made by then, and ends leases that last until then at `lease_end`. Says how many
/// these were.
pub async fn bring_forward(tx: &mut Tx, now: UnixMillis, lease_end: UnixMillis, late: UnixMillis) -> Result<u64> {
    on!(tx, c => sqlx::query(BRING_FORWARD)
        .bind(now.0)
        .bind(lease_end.0)
        .bind(late.0)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(Into::into)
}

/// It arrived at that URL, and the next of its lane goes. Nothing happens where the lease is lost.
pub async fn delivered(tx: &mut Tx, claimed: &Claimed, url: Option<&WebhookUrl>, status: u16, now: UnixMillis) -> Result<()> {
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
    if let Some(url) = url {
        event_endpoints::note_success(tx, claimed.endpoint, url).await?;
    }
    let_first_go(tx, claimed.endpoint, &claimed.lane, now).await
}

/// It did not arrive: it is tried again, or given up, and then the next of its lane goes. False, and nothing happens, where the lease is lost, or the endpoint was
/// switched off meanwhile, so that it is over already. `url` is where it was sent, if it was.
pub async fn failed(
    tx: &mut Tx,
    claimed: &Claimed,
    url: Option<&WebhookUrl>,
    failure: &Failure<'_>,
    now: UnixMillis,
) -> Result<bool> {
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
        return Ok(false);
    }
    if let Some(url) = url {
        event_endpoints::note_failure(tx, claimed.endpoint, url, now).await?;
    }
    if failure.retry_at.is_none() {
        let_first_go(tx, claimed.endpoint, &claimed.lane, now).await?;
    }
    Ok(true)
}

const GIVE_UP: &str = "UPDATE event_deliveries SET state = 'failed', due_at = NULL, last_reason = $2, finished_at = $3
     WHERE id IN (SELECT id FROM event_deliveries WHERE endpoint_id = $1 AND state = 'open' ORDER BY begun_at LIMIT $4)";

/// Where the endpoint is switched off: gives up what waits for it, up to `limit`, and says how much that was. What is being sent at this moment may arrive yet,
/// and then counts.
pub async fn give_up(tx: &mut Tx, endpoint: EndpointId, reason: &str, limit: u32, now: UnixMillis) -> Result<u64> {
    if event_endpoints::hold(tx, endpoint).await? != Some(false) {
        return Ok(0);
    }
    Ok(on!(tx, c => sqlx::query(GIVE_UP)
        .bind(endpoint.to_string())
        .bind(reason)
        .bind(now.0)
        .bind(i64::from(limit))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

const OLD: &str = "SELECT id FROM event_deliveries WHERE endpoint_id = $1 AND state = 'open' AND begun_at <= $2 LIMIT 1";

/// Whether something has waited for the endpoint since then or longer.
pub async fn has_old(connection: &mut Connection, endpoint: EndpointId, begun: UnixMillis) -> Result<bool> {
    let found: Option<i64> =
        on!(connection, c => sqlx::query_scalar(OLD).bind(endpoint.to_string()).bind(begun.0).fetch_optional(c).await)?;
    Ok(found.is_some())
}

const GIVE_UP_OLD: &str = "UPDATE event_deliveries SET state = 'failed', due_at = NULL, last_reason = $2, finished_at = $3
     WHERE id IN (SELECT id FROM event_deliveries WHERE endpoint_id = $1 AND state = 'open' AND begun_at <= $4
                        AND (locked_by IS NULL OR due_at <= $3)
                  ORDER BY begun_at LIMIT $5)
     RETURNING lane";

/// Gives up what has waited for the endpoint since then or longer and is not being sent, tried or not, up to `limit`, and lets the next of the lanes go. Says how much
/// that was; nothing where another holds the endpoint at this moment.
pub async fn give_up_old(
    tx: &mut Tx,
    endpoint: EndpointId,
    begun: UnixMillis,
    reason: &str,
    limit: u32,
    now: UnixMillis,
) -> Result<usize> {
    if !event_endpoints::try_hold(tx, endpoint).await? {
        return Ok(0);
    }
    let mut lanes: Vec<String> = on!(tx, c => sqlx::query_scalar(GIVE_UP_OLD)
        .bind(endpoint.to_string())
        .bind(reason)
        .bind(now.0)
        .bind(begun.0)
        .bind(i64::from(limit))
        .fetch_all(c)
        .await)?;
    let count = lanes.len();
    lanes.sort_unstable();
    lanes.dedup();
    for lane in lanes {
        let_first_go(tx, endpoint, &lane, now).await?;
    }
    Ok(count)
}

/// What became of the wish to send something again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resent {
    Done,
    NoSuchDelivery,
    /// It is on its way, or behind another; in words.
    Refused(&'static str),
}

/// Sends it again at once, with the same id and body: what is over from the start, beside its stream's order; what waits for its next try before its time. What was
/// given up before it had a body is given one first, as all that is new.
pub async fn resend(tx: &mut Tx, organisation: OrganisationId, message: MessageId, now: UnixMillis) -> Result<Resent> {
    let found: Option<(String, bool)> = on!(tx, c => sqlx::query_as(
        "SELECT endpoint_id, kind = 'test' AND state <> 'open' FROM event_deliveries WHERE message_id = $1 AND organisation_id = $2",
    )
    .bind(message.to_string())
    .bind(organisation.to_string())
    .fetch_optional(c)
    .await)?;
    let Some((endpoint, is_old_test)) = found else { return Ok(Resent::NoSuchDelivery) };
    let endpoint: EndpointId = parse("event_deliveries.endpoint_id", &endpoint)?;
    match event_endpoints::hold(tx, endpoint).await? {
        None => return Ok(Resent::NoSuchDelivery),
        Some(false) => return Ok(Resent::Refused(IS_OFF)),
        Some(true) if is_old_test && has_open_test(tx, endpoint).await? => return Ok(Resent::Refused(TEST_IS_OPEN)),
        Some(true) => {}
    }
    let changed = on!(tx, c => sqlx::query(
        "UPDATE event_deliveries SET lane = CASE state WHEN 'open' THEN lane ELSE message_id END,
                attempt = CASE state WHEN 'open' THEN attempt ELSE 0 END, begun_at = CASE state WHEN 'open' THEN begun_at ELSE $2 END,
                state = 'open', due_at = CASE WHEN body IS NULL THEN NULL ELSE $2 END, locked_by = NULL, finished_at = NULL
         WHERE message_id = $1 AND (state <> 'open' OR due_at IS NOT NULL AND (locked_by IS NULL OR due_at <= $2))",
    )
    .bind(message.to_string())
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if changed == 1 {
        return Ok(Resent::Done);
    }
    let (due_at, is_bare): (Option<i64>, bool) = on!(tx, c => sqlx::query_as(
        "SELECT due_at, body IS NULL FROM event_deliveries WHERE message_id = $1",
    )
    .bind(message.to_string())
    .fetch_one(c)
    .await)?;
    Ok(Resent::Refused(match (due_at, is_bare) {
        (Some(_), _) => IS_SENT,
        (None, true) => IS_BARE,
        (None, false) => IS_QUEUED,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location, steps};

    #[tokio::test]
    async fn what_is_asked_all_the_time_is_read_along_an_index_and_nothing_is_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap();
        let mut connection = db.read().await.unwrap();
        for (statement, index) in [
            (OPEN_TEST, "event_deliveries_tests (endpoint_id=?)"),
            (LET_FIRST_GO, "event_deliveries_open (endpoint_id=? AND lane=?)"),
            (DUE, "event_deliveries_due (endpoint_id=? AND due_at>?)"),
            (CLAIM_SQLITE, "event_deliveries_due (endpoint_id=? AND due_at>? AND due_at<?)"),
            (BRING_FORWARD, "SCAN event_deliveries USING INDEX event_deliveries_due"),
            (GIVE_UP, "event_deliveries_waiting (endpoint_id=?)"),
            (OLD, "event_deliveries_waiting (endpoint_id=? AND begun_at<?)"),
            (GIVE_UP_OLD, "event_deliveries_waiting (endpoint_id=? AND begun_at<?)"),
        ] {
            let steps = steps(&mut connection, statement).await;
            assert!(steps.iter().any(|step| step.contains(index)), "{steps:#?}");
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE") || step == "SCAN event_deliveries"), "{steps:#?}");
        }
    }
}
