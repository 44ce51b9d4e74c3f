//! The table `events`, the outbox: written by a transaction's commit, read by who missed the broadcast.

use afterlive_domain::Event;
use sqlx::{Database, Encode, QueryBuilder, Type};

use super::event_outbox::{self, Line};
use super::{Connection, NewEvent, ROWS_A_STATEMENT, ROWS_PREPARED, Raw, Result, on};

/// Any number that no other advisory lock of ours has.
const EVENT_ORDER_LOCK: i64 = 0x4146_5445_0000_0001;

/// Writes events, and what endpoints are to be told of them, as the last act of a transaction, and gives them their ids. On PostgreSQL all nodes wait for that: all
/// that could be looked up was looked up before.
pub(super) async fn insert(connection: &mut Connection, events: Vec<NewEvent>, lines: &[Line]) -> Result<Vec<Event>> {
    // PostgreSQL draws identities before it commits: without the lock a reader of "all after id 7" could miss a 6 that commits later.
    if let Raw::Postgres(raw) = connection.raw() {
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(EVENT_ORDER_LOCK).execute(raw).await?;
    }
    event_outbox::insert(connection, lines).await?;
    let mut ids = Vec::with_capacity(events.len());
    for some in events.chunks(ROWS_A_STATEMENT) {
        let is_prepared = some.len() <= ROWS_PREPARED;
        let drawn: Vec<i64> =
            on!(connection, c => inserting(some).build_query_scalar().persistent(is_prepared).fetch_all(c).await)?;
        ids.extend(drawn);
    }
    // Drawn in the order of the rows; told in any.
    ids.sort_unstable();
    let numbered = |(id, event): (i64, NewEvent)| {
        let NewEvent { kind, organisation, stream, asset, at } = event;
        Event { id, kind, organisation, stream, asset, at }
    };
    Ok(ids.into_iter().zip(events).map(numbered).collect())
}

fn inserting<D: Database>(events: &[NewEvent]) -> QueryBuilder<D>
where
    String: Type<D> + for<'q> Encode<'q, D>,
    Option<String>: Type<D> + for<'q> Encode<'q, D>,
    i64: Type<D> + for<'q> Encode<'q, D>,
{
    let mut query = QueryBuilder::new("INSERT INTO events (organisation_id, kind, stream_id, asset_id, at) ");
    query.push_values(events, |mut row, event| {
        row.push_bind(event.organisation.to_string())
            .push_bind(event.kind.as_str().to_owned())
            .push_bind(event.stream.map(|id| id.to_string()))
            .push_bind(event.asset.map(|id| id.to_string()))
            .push_bind(event.at.0);
    });
    query.push(" RETURNING id");
    query
}
