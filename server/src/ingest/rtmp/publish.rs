//! An accepted publish: media messages into the hub, until one of the many ends.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use afterlive_domain::StreamId;
use afterlive_media::flv::{Demuxer, FlvError, Ignored, Packet};
use afterlive_media::frame::TrackKind;
use afterlive_media::rtmp::Event;
use bytes::Bytes;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use super::connection::{Connection, Outcome};
use super::wire::Closed;
use crate::db::sessions::EndReason;
use crate::heard::Heard;
use crate::hub::Publisher;
use crate::ingest::gate::Grant;

/// An encoder that has been silent for so long may wait for an acknowledgement.
const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(250);

/// Why a publish is over.
enum End {
    /// By the encoder's word.
    Unpublished,
    Closed(Closed),
    Idle,
    /// Nothing was heard, and another encoder is there.
    GaveWay,
    Unsupported(FlvError),
    /// By an operator's.
    Stopped,
    /// By the organisation's webhook.
    Withdrawn,
    ServerStopped,
}

impl From<Closed> for End {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed)
    }
}

impl End {
    fn reason(&self) -> EndReason {
        match self {
            Self::Unpublished => EndReason::Unpublished,
            Self::Closed(Closed::Protocol(_)) | Self::Unsupported(_) => EndReason::ProtocolError,
            Self::Closed(_) | Self::GaveWay => EndReason::Disconnected,
            Self::Idle => EndReason::Idle,
            Self::Stopped => EndReason::Stopped,
            Self::Withdrawn => EndReason::Withdrawn,
            Self::ServerStopped => EndReason::ServerStopped,
        }
    }
}

/// Publishes until it is over. The grant ends before the encoder is told why: state and recording wait for nobody's socket.
pub(super) async fn run(connection: &mut Connection, mut grant: Grant) -> Result<Outcome, Closed> {
    let mut passed_over = PassedOver::default();
    let Err(end) = publish(connection, grant.publisher(), &mut passed_over).await;
    let (peer, stream) = (connection.peer, grant.publisher().stream());
    passed_over.tell(peer, stream);
    if let End::Unsupported(cause) = &end {
        warn!(%peer, %stream, %cause, "a publish is ended: it sends what cannot be taken");
    }
    grant.set_bytes_out(connection.wire.sent_bytes());
    grant.end(end.reason());
    connection.wire.expect_requests()?;
    let words = match end {
        End::Unpublished => return Ok(Outcome::Again),
        End::Closed(closed) => return Err(closed),
        // An encoder that loses its connection without a word comes back by itself.
        End::ServerStopped => return Ok(Outcome::Farewell),
        End::Idle => "nothing was sent for too long".to_owned(),
        End::GaveWay => "nothing was heard, and another encoder has the stream".to_owned(),
        End::Unsupported(cause) => cause.to_string(),
        End::Stopped => "the stream was stopped by an operator".to_owned(),
        End::Withdrawn => "the organisation's webhook has ended it".to_owned(),
    };
    connection.wire.session().end_publish(&words);
    Ok(Outcome::Farewell)
}

async fn publish(
    connection: &mut Connection,
    publisher: &mut Publisher,
    passed_over: &mut PassedOver,
) -> Result<std::convert::Infallible, End> {
    let Connection { wire, server, stop, peer, .. } = connection;
    let idle_timeout = server.settings.idle_timeout;
    let mut demuxer = Demuxer::new();
    let mut stop_requested = pin!(publisher.stop_requested());
    let mut server_stops = pin!(stop.cancelled());
    let heard = Heard::new();
    let last_heard = heard.clone();
    let gives_way_after = server.settings.gives_way_after;
    let mut gives_way = pin!(publisher.gives_way(Box::new(move || last_heard.silent_for() >= gives_way_after)));
    let mut last_media = Instant::now();
    let look_every = ACKNOWLEDGE_AFTER.min(idle_timeout);
    let mut look = pin!(sleep_until(last_media + look_every));
    wire.flush().await?;
    wire.expect_media()?;
    loop {
        while let Some(event) = wire.received_event()? {
            match event {
                Event::Media { kind, timestamp_ms, payload } => {
                    last_media = Instant::now();
                    match media(&mut demuxer, publisher, kind, timestamp_ms, &payload) {
                        Err(cause) if cause.is_unsupported() => return Err(End::Unsupported(cause)),
                        Err(cause) => passed_over.count_damaged(*peer, publisher, &cause),
                        Ok(Some(why)) => passed_over.count(publisher, why),
                        Ok(None) => {}
                    }
                }
                Event::Unpublish => return Err(End::Unpublished),
                // What the encoder says of itself is less than what its parameter sets say.
                Event::Metadata(_) => {}
                Event::Connect(_) | Event::Publish(_) | Event::Play(_) | Event::StopPlay => {
                    debug_assert!(false, "a session that publishes asks for nothing");
                }
            }
        }
        wire.flush().await?;
        wire.set_awaited(publisher.has_viewers());
        tokio::select! {
            // After a pause of this process both are due, and what waits in the socket says that the encoder was not silent. To acknowledge then
            // could meet one that has closed: its kernel would answer with a reset, and drop what it has not sent yet.
            biased;
            received = wire.receive() => {
                received?;
                heard.now();
            }
            () = &mut stop_requested => return Err(if publisher.is_withdrawn() { End::Withdrawn } else { End::Stopped }),
            () = &mut server_stops => return Err(End::ServerStopped),
            () = &mut gives_way => return Err(End::GaveWay),
            // A timer for each message would be set in vain.
            () = &mut look => {
                let silent = last_media.elapsed();
                if silent >= idle_timeout {
                    return Err(End::Idle);
                }
                if silent >= ACKNOWLEDGE_AFTER {
                    wire.session().acknowledge();
                }
                let (now, due) = (Instant::now(), last_media + ACKNOWLEDGE_AFTER);
                let next = if due > now { due } else { now + look_every };
                look.as_mut().reset(next.min(last_media + idle_timeout));
            }
        }
    }
}

fn media(
    demuxer: &mut Demuxer,
    publisher: &mut Publisher,
    kind: TrackKind,
    timestamp_ms: i64,
    payload: &Bytes,
) -> Result<Option<Ignored>, FlvError> {
    let packet = match kind {
        TrackKind::Video => demuxer.video(timestamp_ms, payload)?,
        TrackKind::Audio => demuxer.audio(timestamp_ms, payload)?,
    };
    match packet {
        Packet::Config(track) => publisher.set_track(track),
        Packet::Frame(frame) => publisher.frame(&frame),
        Packet::Nothing(why) => return Ok(Some(why)),
    }
    Ok(None)
}

/// The messages of a publish that became no frame, by the reason. They are told when it is over: nothing that was sent is missing without a word.
#[derive(Default)]
struct PassedOver(BTreeMap<&'static str, u64>);

impl PassedOver {
    fn count(&mut self, publisher: &Publisher, why: Ignored) {
        match why {
            // Encoders repeat themselves, and talk to players.
            Ignored::SameConfig | Ignored::Signal => {}
            Ignored::BeforeConfig => {
                publisher.count_lost(1);
                *self.0.entry(why.reason()).or_default() += 1;
            }
            why => *self.0.entry(why.reason()).or_default() += 1,
        }
    }

    /// The first is told at once: a publish whose configuration cannot be read sends nothing that is seen.
    fn count_damaged(&mut self, peer: SocketAddr, publisher: &Publisher, cause: &FlvError) {
        publisher.count_lost(1);
        let count = self.0.entry("damaged").or_default();
        *count += 1;
        if *count == 1 {
            warn!(%peer, stream = %publisher.stream(), %cause, "a message of a publish is passed over");
        } else {
            debug!(%peer, %cause, "a message of a publish is passed over");
        }
    }

    fn tell(&self, peer: SocketAddr, stream: StreamId) {
        if !self.0.is_empty() {
            let counts: Vec<String> = self.0.iter().map(|(why, count)| format!("{count} {why}")).collect();
            info!(%peer, %stream, passed_over = counts.join(", "), "messages of a publish that became no frame");
        }
    }
}
