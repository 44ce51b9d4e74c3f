//! One viewer: the hub's frames to a peer, until either is over.

use std::time::{Duration, Instant};

use afterlive_domain::StreamId;
use afterlive_media::frame::{Frame, TrackKind};
use futures::future::BoxFuture;
use str0m::Event;
use str0m::format::{Codec, PayloadParams};
use str0m::media::{Frequency, MediaAdded, MediaKind, MediaTime, Mid};
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Refused;
use super::burst::Burst;
use super::tracks::{Outgoing, Payload};
use crate::hub::{Hub, Message, ViewerSubscription};
use crate::rtc::{Closed, Peer};
use crate::sound::{Interpretation, Interpreter, Target};

/// A viewer of whom nothing is heard for so long is gone.
const SILENCE_LIMIT: Duration = Duration::from_secs(20);
/// How often the above is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A viewer that has lost something is sent all since the last keyframe once more, and no more often than this.
const RESEND_EVERY: Duration = Duration::from_secs(1);

/// Why a session is over.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error(transparent)]
    Closed(#[from] Closed),
    #[error(transparent)]
    Unshowable(#[from] Refused),
    #[error("the viewer never connected")]
    NeverConnected,
    #[error("nothing was heard of the viewer")]
    Silent,
    #[error("the viewer has left")]
    Left,
    #[error("the viewer may not watch any more: {0}")]
    Withdrawn(String),
    #[error("the stream is over")]
    Ended,
    #[error("the server stops")]
    ServerStops,
}

/// For ever where there is none.
async fn heard_of(interpretation: &mut Option<Interpretation>) -> Frame {
    match interpretation {
        Some(interpretation) => interpretation.next().await,
        None => std::future::pending().await,
    }
}

/// Sends until it is over; then gives the peer back, to be told.
pub(super) async fn run(
    peer: Peer,
    (hub, interpreter): (Hub, Interpreter),
    stream: StreamId,
    withdrawn: BoxFuture<'static, String>,
    deleted: CancellationToken,
    stop: CancellationToken,
) -> Peer {
    let mut session = Session {
        peer,
        hub,
        interpreter,
        stream,
        mids: [None; 2],
        outgoing: Outgoing::default(),
        burst: Burst::default(),
        resent_at: None,
    };
    let end = tokio::select! {
        biased;
        reason = withdrawn => End::Withdrawn(reason),
        Err(end) = session.run(&deleted, &stop) => end,
    };
    debug!(%stream, %end, "a WebRTC viewer's session has ended");
    session.peer
}

struct Session {
    peer: Peer,
    hub: Hub,
    interpreter: Interpreter,
    stream: StreamId,
    /// Of pictures and of sound, where the viewer wants them.
    mids: [Option<Mid>; 2],
    outgoing: Outgoing,
    burst: Burst,
    resent_at: Option<Instant>,
}

impl Session {
    async fn run(&mut self, deleted: &CancellationToken, stop: &CancellationToken) -> Result<std::convert::Infallible, End> {
        self.connect(deleted, stop).await?;
        let heard = self.peer.heard();
        let mut subscription = self.begin()?;
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut interpretation = None;
        loop {
            let due = self.burst.due();
            let wants_interpreter = self.outgoing.wants_interpreter() && self.mids[TrackKind::Audio as usize].is_some();
            if wants_interpreter != interpretation.is_some() {
                interpretation = wants_interpreter.then(|| self.interpreter.listen(self.stream, Target::Opus));
            }
            tokio::select! {
                // What was written is made into packets in there, so it comes before the next is written.
                biased;
                event = self.peer.next() => match event? {
                    Event::MediaAdded(media) => {
                        self.add(&media);
                        subscription = self.begin()?;
                    }
                    Event::KeyframeRequest(_) if self.resent_at.is_none_or(|at| at.elapsed() >= RESEND_EVERY) => {
                        subscription = self.begin()?;
                    }
                    _ => {}
                },
                () = deleted.cancelled() => return Err(End::Left),
                () = stop.cancelled() => return Err(End::ServerStops),
                _ = look.tick() => if heard.silent_for() >= SILENCE_LIMIT {
                    return Err(End::Silent);
                },
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {
                    if let Some(payload) = self.burst.pop(Instant::now()) {
                        self.write(payload);
                    }
                }
                packet = heard_of(&mut interpretation) => {
                    let payload = self.outgoing.interpreted(&packet, Instant::now());
                    self.burst.push(payload);
                }
                message = subscription.next(), if self.burst.has_room() => self.take(&message, 0)?,
            }
        }
    }

    /// Until the peer is connected, or it is over. Nothing is taken from the hub so long.
    async fn connect(&mut self, deleted: &CancellationToken, stop: &CancellationToken) -> Result<(), End> {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.peer.next() => match event? {
                    Event::Connected => return Ok(()),
                    Event::MediaAdded(media) => self.add(&media),
                    _ => {}
                },
                () = deleted.cancelled() => return Err(End::Left),
                () = stop.cancelled() => return Err(End::ServerStops),
                _ = look.tick() => if self.peer.is_overdue() {
                    return Err(End::NeverConnected);
                },
            }
        }
    }

    fn add(&mut self, media: &MediaAdded) {
        let kind = match media.kind {
            MediaKind::Video => TrackKind::Video,
            MediaKind::Audio => TrackKind::Audio,
        };
        self.mids[kind as usize].get_or_insert(media.mid);
    }

    /// Begins at the last keyframe, with all that is kept since, so that the newest picture is seen at once. Sound begins with the present.
    fn begin(&mut self) -> Result<ViewerSubscription, End> {
        let mut subscription = self.hub.subscribe(self.stream).ok_or(End::Ended)?;
        self.burst.clear();
        self.outgoing.begin_anew();
        self.resent_at = Some(Instant::now());
        let mut kept: Vec<Frame> = Vec::new();
        while let Some(message) = subscription.try_next() {
            match message {
                Message::Frame(frame) if frame.kind == TrackKind::Audio => {}
                Message::Frame(frame) => {
                    if frame.keyframe {
                        kept.clear();
                    }
                    kept.push(frame);
                }
                message => self.take(&message, 0)?,
            }
        }
        if let Some(newest) = kept.last() {
            self.outgoing.lead_in(newest, kept.len());
        }
        for (n, frame) in kept.iter().enumerate() {
            self.take_frame(frame, kept.len() - 1 - n)?;
        }
        Ok(subscription)
    }

    fn take(&mut self, message: &Message, held_back: usize) -> Result<(), End> {
        match message {
            Message::TrackChanged(track) => {
                if track.codec.kind() == TrackKind::Video {
                    self.outgoing.begin_anew();
                }
                Ok(self.outgoing.set_track(track)?)
            }
            Message::Frame(frame) => self.take_frame(frame, held_back),
            Message::Ended => Err(End::Ended),
        }
    }

    fn take_frame(&mut self, frame: &Frame, held_back: usize) -> Result<(), End> {
        if self.mids[frame.kind as usize].is_some()
            && let Some(payload) = self.outgoing.payload(frame, held_back, Instant::now())?
        {
            self.burst.push(payload);
        }
        Ok(())
    }

    fn write(&mut self, payload: Payload) {
        let (codec, frequency) = match payload.kind {
            TrackKind::Video => (Codec::H264, Frequency::NINETY_KHZ),
            TrackKind::Audio => (Codec::Opus, Frequency::FORTY_EIGHT_KHZ),
        };
        let Some(writer) = self.mids[payload.kind as usize].and_then(|mid| self.peer.rtc().writer(mid)) else { return };
        // Browsers decode what they get, whichever profile they said it is.
        let Some(pt) = writer.payload_params().find(|params| params.spec().codec == codec).map(PayloadParams::pt) else {
            return;
        };
        let time = MediaTime::new(payload.ticks, frequency);
        if let Err(cause) = writer.write(pt, payload.wall, time, payload.pack()) {
            debug!(%cause, "a frame could not be sent");
        }
    }
}
