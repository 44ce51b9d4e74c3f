//! What endpoints are to be told of a transaction's events: looked up before the transaction's last act, and written along with them. What becomes of it is in
//! `event_deliveries`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use afterlive_domain::endpoint::TOLD;
use afterlive_domain::{AssetId, EndpointId, EventKind, OrganisationId, StreamId, UnixMillis};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::event_endpoints::{self, Told};
use super::{Connection, NewEvent, ROWS_A_STATEMENT, ROWS_PREPARED, Result, on};

/// Where so much of a stream waits for an endpoint, and the first of it has failed for [`STUCK_AFTER_TRIES`], no more of that stream is taken for it. How much
/// waits is looked at once a transaction, before it adds anything: a healthy endpoint is told all of it, however much happened at once.
pub const MAX_OPEN_OF_STREAM: u32 = 1_000;
/// Some minutes: what waits behind it waits because that one is not taken, and not because there is much of it.
pub const STUCK_AFTER_TRIES: i64 = 5;
/// Where so much waits for an endpoint that has failed for [`FAILING_LONG_MS`], no more is taken for it.
pub const MAX_OPEN_OF_FAILING: u32 = 10_000;
pub const FAILING_LONG_MS: i64 = 600_000;
/// Where so much waits for an endpoint no more is taken, whatever it answers.
pub const MAX_OPEN_OF_ENDPOINT: u32 = 100_000;

/// Where so much waits for an endpoint, it is looked at whether that is too much no more than once in [`LOOKED_AT_FOR_MS`]: the look reads as many rows as wait,
/// and each publish waits for it. What is written meanwhile is let through, or refused, as what was written just before.
const MANY_OPEN: u32 = 1_000;
const LOOKED_AT_FOR_MS: i64 = 1_000;

const STREAM_IS_STUCK: &str = "too many of this stream wait already, behind one that is not taken";
const ENDPOINT_FAILS: &str = "too many wait already for this endpoint, which does not take them";
const ENDPOINT_IS_FULL: &str = "too many wait already for this endpoint";

/// A delivery that is to be written.
pub(super) struct Line {
    message: String,
    endpoint: EndpointId,
    organisation: OrganisationId,
    lane: String,
    kind: EventKind,
    stream: Option<StreamId>,
    asset: Option<AssetId>,
    at: UnixMillis,
    /// It is given up at once, for that.
    refused: Option<&'static str>,
}

/// What this process has found of endpoints for which much waits.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<HashMap<EndpointId, (UnixMillis, Option<&'static str>)>>);

impl Looks {
    /// Why nothing more is taken, as far as that was looked at just now.
    fn known(&self, endpoint: EndpointId, now: UnixMillis) -> Option<Option<&'static str>> {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let &(at, refused) = looks.get(&endpoint)?;
        (0..LOOKED_AT_FOR_MS).contains(&now.ms_since(at)).then_some(refused)
    }

    fn keep(&self, endpoint: EndpointId, now: UnixMillis, refused: Option<&'static str>) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Of one that is deleted nobody asks any more.
        looks.retain(|_, (at, _)| (0..LOOKED_AT_FOR_MS).contains(&now.ms_since(*at)));
        looks.insert(endpoint, (now, refused));
    }

    fn forget(&self, endpoint: EndpointId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&endpoint);
    }
}

/// What the organisations' endpoints are to be told of these events. To be asked for before anything is locked for which others wait: it may wait itself, for an
/// endpoint that is being deleted.
pub(super) async fn lines_for(connection: &mut Connection, looks: &Looks, events: &[NewEvent]) -> Result<Vec<Line>> {
    let mut by_organisation: Vec<(OrganisationId, Vec<&NewEvent>)> = Vec::new();
    for event in events.iter().filter(|event| TOLD.contains(&event.kind)) {
        match by_organisation.iter_mut().find(|(organisation, _)| *organisation == event.organisation) {
            Some((_, events)) => events.push(event),
            None => by_organisation.push((event.organisation, vec![event])),
        }
    }
    let mut lines = Vec::new();
    for (organisation, events) in by_organisation {
        for told in event_endpoints::told(connection, organisation).await? {
            let events: Vec<&NewEvent> = events.iter().copied().filter(|event| told.kinds.has(event.kind)).collect();
            add_lines(connection, looks, &told, &events, &mut lines).await?;
        }
    }
    Ok(lines)
}

async fn add_lines(
    connection: &mut Connection,
    looks: &Looks,
    told: &Told,
    events: &[&NewEvent],
    lines: &mut Vec<Line>,
) -> Result<()> {
    let Some(first) = events.first() else { return Ok(()) };
    let of_endpoint = refused_by_endpoint(connection, looks, told, first.at).await?;
    let mut of_streams: HashMap<StreamId, Option<&'static str>> = HashMap::new();
    for event in events {
        let message = Uuid::new_v4().to_string();
        let lane = event.stream.map_or_else(|| message.clone(), |stream| stream.to_string());
        let refused = match event.stream {
            None => of_endpoint,
            Some(_) if of_endpoint.is_some() => of_endpoint,
            Some(stream) => match of_streams.get(&stream) {
                Some(known) => *known,
                None => {
                    let refused = refused_by_stream(connection, told.endpoint, &lane).await?;
                    of_streams.insert(stream, refused);
                    refused
                }
            },
        };
        lines.push(Line {
            message,
            endpoint: told.endpoint,
            organisation: event.organisation,
            lane,
            kind: event.kind,
            stream: event.stream,
            asset: event.asset,
            at: event.at,
            refused,
        });
    }
    Ok(())
}

const NTH_OF_ENDPOINT: &str =
    "SELECT id FROM event_deliveries WHERE endpoint_id = $1 AND state = 'open' ORDER BY begun_at LIMIT 1 OFFSET $2";

async fn refused_by_endpoint(
    connection: &mut Connection,
    looks: &Looks,
    told: &Told,
    now: UnixMillis,
) -> Result<Option<&'static str>> {
    let endpoint = told.endpoint.to_string();
    if !has_nth(connection, NTH_OF_ENDPOINT, [&endpoint], MANY_OPEN).await? {
        looks.forget(told.endpoint);
        return Ok(None);
    }
    if let Some(known) = looks.known(told.endpoint, now) {
        return Ok(known);
    }
    let is_failing = told.failing_since.is_some_and(|since| now.ms_since(since) >= FAILING_LONG_MS);
    let (most, why) = if is_failing { (MAX_OPEN_OF_FAILING, ENDPOINT_FAILS) } else { (MAX_OPEN_OF_ENDPOINT, ENDPOINT_IS_FULL) };
    let refused = has_nth(connection, NTH_OF_ENDPOINT, [&endpoint], most).await?.then_some(why);
    looks.keep(told.endpoint, now, refused);
    Ok(refused)
}

const FIRST_OF_LANE: &str =
    "SELECT attempt FROM event_deliveries WHERE endpoint_id = $1 AND lane = $2 AND state = 'open' ORDER BY id LIMIT 1";
const NTH_OF_LANE: &str =
    "SELECT id FROM event_deliveries WHERE endpoint_id = $1 AND lane = $2 AND state = 'open' ORDER BY id LIMIT 1 OFFSET $3";

async fn refused_by_stream(connection: &mut Connection, endpoint: EndpointId, lane: &str) -> Result<Option<&'static str>> {
    let endpoint = endpoint.to_string();
    let tries: Option<i64> =
        on!(connection, c => sqlx::query_scalar(FIRST_OF_LANE).bind(&endpoint).bind(lane).fetch_optional(c).await)?;
    if tries.is_none_or(|tries| tries < STUCK_AFTER_TRIES) {
        return Ok(None);
    }
    Ok(has_nth(connection, NTH_OF_LANE, [&endpoint, lane], MAX_OPEN_OF_STREAM).await?.then_some(STREAM_IS_STUCK))
}

/// Whether there are so many.
async fn has_nth<const N: usize>(
    connection: &mut Connection,
    statement: &'static str,
    of: [&str; N],
    count: u32,
) -> Result<bool> {
    let found: Option<i64> = on!(connection, c => {
        let mut query = sqlx::query_scalar(statement);
        for value in of {
            query = query.bind(value.to_owned());
        }
        query.bind(i64::from(count) - 1).fetch_optional(c).await
    })?;
    Ok(found.is_some())
}

/// Writes them, in their order.
pub(super) async fn insert(connection: &mut Connection, lines: &[Line]) -> Result<()> {
    for lines in lines.chunks(ROWS_A_STATEMENT) {
        let is_prepared = lines.len() <= ROWS_PREPARED;
        on!(connection, c => inserting(lines).build().persistent(is_prepared).execute(c).await.map(drop))?;
    }
    Ok(())
}

fn inserting<D: sqlx::Database>(lines: &[Line]) -> QueryBuilder<D>
where
    String: sqlx::Type<D> + for<'q> sqlx::Encode<'q, D>,
    Option<String>: sqlx::Type<D> + for<'q> sqlx::Encode<'q, D>,
    i64: sqlx::Type<D> + for<'q> sqlx::Encode<'q, D>,
    Option<i64>: sqlx::Type<D> + for<'q> sqlx::Encode<'q, D>,
{
    let mut query = QueryBuilder::new(
        "INSERT INTO event_deliveries
             (message_id, endpoint_id, organisation_id, lane, kind, stream_id, asset_id, at, begun_at, state, last_reason, finished_at) ",
    );
    query.push_values(lines, |mut row, line| {
        row.push_bind(line.message.clone())
            .push_bind(line.endpoint.to_string())
            .push_bind(line.organisation.to_string())
            .push_bind(line.lane.clone())
            .push_bind(line.kind.as_str().to_owned())
            .push_bind(line.stream.map(|id| id.to_string()))
            .push_bind(line.asset.map(|id| id.to_string()))
            .push_bind(line.at.0)
            .push_bind(line.at.0)
            .push(if line.refused.is_some() { "'failed'" } else { "'open'" })
            .push_bind(line.refused.map(str::to_owned))
            .push_bind(line.refused.map(|_| line.at.0));
    });
    query
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location, steps};

    #[test]
    fn what_was_found_of_an_endpoint_holds_for_a_second_and_no_longer() {
        let (looks, now) = (Looks::default(), UnixMillis(1_793_812_159_899));
        let [one, other] = [1, 2].map(|id| EndpointId(Uuid::from_u128(id)));
        looks.keep(one, now, Some(ENDPOINT_IS_FULL));
        looks.keep(other, now, None);
        for (ms, of_one, of_other) in [
            (-1, None, None),
            (0, Some(Some(ENDPOINT_IS_FULL)), Some(None)),
            (LOOKED_AT_FOR_MS - 1, Some(Some(ENDPOINT_IS_FULL)), Some(None)),
            (LOOKED_AT_FOR_MS, None, None),
        ] {
            assert_eq!((looks.known(one, now.plus_ms(ms)), looks.known(other, now.plus_ms(ms))), (of_one, of_other), "{ms}");
        }
        looks.forget(one);
        assert_eq!(looks.known(one, now), None);
    }

    #[tokio::test]
    async fn a_commit_looks_at_what_waits_along_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap();
        let mut connection = db.read().await.unwrap();
        for (statement, index) in [
            (NTH_OF_ENDPOINT, "event_deliveries_waiting (endpoint_id=?)"),
            (FIRST_OF_LANE, "event_deliveries_open (endpoint_id=? AND lane=?)"),
            (NTH_OF_LANE, "event_deliveries_open (endpoint_id=? AND lane=?)"),
        ] {
            let steps = steps(&mut connection, statement).await;
            assert!(steps.iter().any(|step| step.contains(index)), "{steps:#?}");
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
        }
    }
}
