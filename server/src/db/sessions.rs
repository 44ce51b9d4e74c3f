//! The table `sessions`, and the two transitions of a stream's state that belong to one: on air, and off it.

use afterlive_domain::{EventKind, Mode, OrganisationId, Region, SessionId, StreamId, StreamState, UnixMillis};

use super::{Connection, Result, Tx, on, parse};

/// A publish that is about to begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewSession {
    pub id: SessionId,
    pub stream: StreamId,
    pub mode: Mode,
    pub region: Region,
    /// `rtmp`, `whip`, …
    pub protocol: &'static str,
    /// The encoder's address, as text.
    pub peer: String,
}

/// What became of a wish to go live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GoLive {
    /// The stream is live with this session.
    Started,
    /// It stays as it is: live with another session, locked or deleted.
    Refused(StreamState),
    /// There is no such stream.
    NoSuchStream,
}

/// Why a session ended; kept for the operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndReason {
    /// The encoder said so.
    Unpublished,
    /// The connection broke or was closed.
    Disconnected,
    /// The encoder sent nothing for too long.
    Idle,
    /// The encoder broke the protocol, or sent what this server cannot take.
    ProtocolError,
    /// It was to be recorded, and could not be.
    CannotRecord,
    /// An operator stopped, locked or deleted the stream.
    Stopped,
    /// The organisation's webhook allowed it no longer.
    Withdrawn,
    /// The server was shut down in good order.
    ServerStopped,
    /// The server died; found out at the next start.
    ServerLost,
}

impl EndReason {
    /// Whether the encoder was cut off, and comes back by itself where it can. One that says good-bye, or was sent away, does not.
    #[must_use]
    pub fn is_interruption(self) -> bool {
        matches!(self, Self::Disconnected | Self::Idle)
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unpublished => "unpublished",
            Self::Disconnected => "disconnected",
            Self::Idle => "idle",
            Self::ProtocolError => "protocol_error",
            Self::CannotRecord => "cannot_record",
            Self::Stopped => "stopped",
            Self::Withdrawn => "withdrawn",
            Self::ServerStopped => "server_stopped",
            Self::ServerLost => "server_lost",
        }
    }
}

/// Puts a stream on air: `created` or `ended` becomes `live`, with a session row and the event `stream.live`.
/// Of two that race for one stream exactly one is [`GoLive::Started`].
pub async fn go_live(tx: &mut Tx, session: &NewSession, now: UnixMillis) -> Result<GoLive> {
    let organisation: Option<String> = on!(tx, c => sqlx::query_scalar(
        "UPDATE streams SET state = 'live', live_session_id = $2, first_live_at = COALESCE(first_live_at, $3), last_live_at = $3,
                updated_at = $3
         WHERE id = $1 AND state IN ('created', 'ended') RETURNING organisation_id",
    )
    .bind(session.stream.to_string())
    .bind(session.id.to_string())
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    let Some(organisation) = organisation else {
        let state: Option<String> = on!(tx, c => sqlx::query_scalar("SELECT state FROM streams WHERE id = $1")
            .bind(session.stream.to_string())
            .fetch_optional(c)
            .await)?;
        return match state {
            Some(state) => Ok(GoLive::Refused(parse("streams.state", &state)?)),
            None => Ok(GoLive::NoSuchStream),
        };
    };
    on!(tx, c => sqlx::query(
        "INSERT INTO sessions (id, organisation_id, stream_id, mode, region, protocol, peer, started_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(session.id.to_string())
    .bind(&organisation)
    .bind(session.stream.to_string())
    .bind(session.mode.as_str())
    .bind(session.region.as_str())
    .bind(session.protocol)
    .bind(&session.peer)
    .bind(now.0)
    .execute(c)
    .await
    .map(drop))?;
    tx.emit_stream(EventKind::StreamLive, parse("streams.organisation_id", &organisation)?, session.stream, now);
    Ok(GoLive::Started)
}

/// Takes a session off air: `live` becomes `ended`, a stream that was locked or deleted meanwhile stays so; the event is `stream.ended`.
/// Does nothing, and says false, where the session has ended already.
pub async fn end_session(tx: &mut Tx, session: SessionId, reason: EndReason, bytes_in: u64, now: UnixMillis) -> Result<bool> {
    let stream: Option<String> = on!(tx, c => sqlx::query_scalar(
        "UPDATE sessions SET ended_at = $2, end_reason = $3, bytes_in = $4 WHERE id = $1 AND ended_at IS NULL RETURNING stream_id",
    )
    .bind(session.to_string())
    .bind(now.0)
    .bind(reason.as_str())
    .bind(i64::try_from(bytes_in).unwrap_or(i64::MAX))
    .fetch_optional(c)
    .await)?;
    let Some(stream) = stream else { return Ok(false) };
    let organisation: Option<String> = on!(tx, c => sqlx::query_scalar(
        "UPDATE streams SET state = CASE state WHEN 'live' THEN 'ended' ELSE state END, live_session_id = NULL, last_live_at = $3,
                updated_at = $3
         WHERE id = $1 AND live_session_id = $2 RETURNING organisation_id",
    )
    .bind(&stream)
    .bind(session.to_string())
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    if let Some(organisation) = organisation {
        let organisation: OrganisationId = parse("streams.organisation_id", &organisation)?;
        tx.emit_stream(EventKind::StreamEnded, organisation, parse("sessions.stream_id", &stream)?, now);
    }
    Ok(true)
}

/// How a session came in: its mode and its protocol.
pub async fn mode_and_protocol(connection: &mut Connection, session: SessionId) -> Result<Option<(Mode, String)>> {
    let row: Option<(String, String)> = on!(connection, c => sqlx::query_as("SELECT mode, protocol FROM sessions WHERE id = $1")
        .bind(session.to_string())
        .fetch_optional(c)
        .await)?;
    row.map(|(mode, protocol)| Ok((super::streams::mode("sessions.mode", &mode)?, protocol))).transpose()
}

/// Ends what a server that died left on air, and says how many sessions that were. For start-up, before the ingest listens.
pub async fn end_orphaned_live(tx: &mut Tx, now: UnixMillis) -> Result<usize> {
    let open: Vec<String> = on!(tx, c => sqlx::query_scalar("SELECT id FROM sessions WHERE ended_at IS NULL ORDER BY started_at")
        .fetch_all(c)
        .await)?;
    for session in &open {
        end_session(tx, parse("sessions.id", session)?, EndReason::ServerLost, 0, now).await?;
    }
    Ok(open.len())
}

/// What a session brought at least, as its recording has so much: where the server died, nobody counted all of it. Any other session was counted, and stays as it is.
pub async fn brought_at_least(tx: &mut Tx, session: SessionId, bytes: u64) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE sessions SET bytes_in = $2 WHERE id = $1 AND end_reason = $3 AND bytes_in < $2")
        .bind(session.to_string())
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .bind(EndReason::ServerLost.as_str())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
