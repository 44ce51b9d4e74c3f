//! The table `events`, the outbox: written by a transaction's commit, read by who missed the broadcast.

use afterlive_domain::Event;

use super::event_outbox::{self, Line};
use super::{Connection, NewEvent, Raw, Result, on};

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
    let mut inserted = Vec::with_capacity(events.len());
    for event in events {
        let id: i64 = on!(connection, c => sqlx::query_scalar(
            "INSERT INTO events (organisation_id, kind, stream_id, asset_id, at) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        )
        .bind(event.organisation.to_string())
        .bind(event.kind.as_str())
        .bind(event.stream.map(|id| id.to_string()))
        .bind(event.asset.map(|id| id.to_string()))
        .bind(event.at.0)
        .fetch_one(c)
        .await)?;
        let NewEvent { kind, organisation, stream, asset, at } = event;
        inserted.push(Event { id, kind, organisation, stream, asset, at });
    }
    Ok(inserted)
}
