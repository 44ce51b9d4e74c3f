//! A viewer by WebSocket: text frames that say what comes, binary frames that are it. docs/live.md is the contract.

use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket, close_code};
use bytes::Bytes;
use futures::SinkExt as _;
use futures::future::BoxFuture;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::feed::Seen;
use super::message::{Message, Status, text};
use super::ring::{Cursor, Item};
use super::viewers::{Full, Place};
use super::{Feeds, Use};
use afterlive_domain::StreamId;

/// Viewers have nothing to say: the largest message taken of one.
pub const MAX_INBOUND_BYTES: usize = 1 << 10;
/// And so many of them.
const MAX_INBOUND_MESSAGES: usize = 100;
/// So much is gathered before it is written: one write for all fragments that wait.
pub const WRITE_BUFFER_BYTES: usize = 128 << 10;
/// A viewer is pinged so often, which also keeps proxies from closing a socket on which nothing is sent.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A viewer from whom nothing has come for so long, not even an answer to a ping, has gone.
const SILENCE: Duration = Duration::from_secs(65);
/// So long a viewer may take to take the last words.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often viewers are told what time it is.
const CLOCK_EVERY: Duration = Duration::from_secs(2);

/// A place for a viewer who stays, by WebSocket or one HTTP answer, and the feed.
pub struct Seat {
    pub(super) feeds: Feeds,
    pub(super) feed: Use,
    _places: Vec<Place>,
}

impl Feeds {
    /// # Errors
    /// Where all places are taken.
    pub fn seat(&self, stream: StreamId) -> Result<Seat, Full> {
        let feed = self.open(stream);
        // An address has no more of them than it has connections.
        let places = feed.take_places(&self.0.places, None)?;
        Ok(Seat { feeds: self.clone(), feed, _places: places })
    }
}

/// Why a socket is closed.
enum End {
    /// It has failed, or its peer has closed it.
    Gone,
    Close(u16, &'static str),
    /// The viewer may not watch any more: why.
    Refused(String),
}

impl From<axum::Error> for End {
    fn from(_: axum::Error) -> Self {
        Self::Gone
    }
}

/// Serves a viewer until it goes, the server stops, or `withdrawn` completes, with the reason why the viewer may not watch any more.
pub async fn serve(mut socket: WebSocket, seat: Seat, withdrawn: BoxFuture<'static, String>) {
    let stop = seat.feeds.0.stop.clone();
    // Around all of it: a viewer whose socket is full is asked no less. What was begun of a frame stays in the socket, and is sent before the last words.
    let ended = tokio::select! {
        biased;
        reason = withdrawn => Err(End::Refused(reason)),
        ended = Viewer::new(&seat).run(&mut socket, &stop) => ended,
    };
    let farewell = async {
        let (code, reason) = match ended {
            Ok(()) | Err(End::Gone) => return Ok(()),
            Err(End::Close(code, reason)) => (code, reason),
            Err(End::Refused(reason)) => {
                socket.feed(words(&Message::Status { state: Status::Refused, reason: Some(&reason), waits_ms: None })).await?;
                // Fits a control frame, as the words above may not: RFC 6455 §5.5.
                (close_code::POLICY, "you may not watch this any more")
            }
        };
        socket.send(Frame::Close(Some(CloseFrame { code, reason: reason.into() }))).await
    };
    // However it ends, the viewer is gone.
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

struct Viewer<'a> {
    seat: &'a Seat,
    cursor: Cursor,
    /// The publish that the viewer has been told of, and whether it has been told of its end.
    publish: Option<u64>,
    stopped: bool,
    clock_due: Instant,
}

impl<'a> Viewer<'a> {
    fn new(seat: &'a Seat) -> Self {
        Self { seat, cursor: seat.feed.join(), publish: None, stopped: false, clock_due: Instant::now() }
    }

    async fn run(mut self, socket: &mut WebSocket, stop: &CancellationToken) -> Result<(), End> {
        let mut changes = self.seat.feed.changes();
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        let (mut heard, mut inbound) = (Instant::now(), 0);
        if !self.seat.feeds.0.hub.is_live(self.seat.feed.stream()) {
            let waits_ms = self.waits_ms();
            socket.send(words(&Message::Status { state: Status::Offline, reason: None, waits_ms })).await?;
        }
        loop {
            changes.borrow_and_update();
            while self.send_what_waits(socket).await? {
                if stop.is_cancelled() {
                    return Err(End::Close(close_code::AWAY, "the server stops"));
                }
            }
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| End::Gone)?,
                received = socket.recv() => match received {
                    None | Some(Err(_) | Ok(Frame::Close(_))) => return Err(End::Gone),
                    Some(Ok(frame)) => {
                        heard = Instant::now();
                        inbound += usize::from(matches!(frame, Frame::Text(_) | Frame::Binary(_)));
                        if inbound > MAX_INBOUND_MESSAGES {
                            return Err(End::Close(close_code::POLICY, "viewers have nothing to say"));
                        }
                    }
                },
                _ = ping.tick() => {
                    if heard.elapsed() > SILENCE {
                        return Err(End::Gone);
                    }
                    socket.send(Frame::Ping(Bytes::new())).await?;
                }
                () = stop.cancelled() => return Err(End::Close(close_code::AWAY, "the server stops")),
            }
        }
    }

    /// For how much longer the encoder is waited for, where it was cut off. It may be back before the viewer has heard that it was gone.
    fn waits_ms(&self) -> Option<u64> {
        let left = self.seat.feeds.0.hub.awaited(self.seat.feed.stream())?;
        Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }

    /// Sends the next fragments, all in one write. False where there was nothing to send.
    async fn send_what_waits(&mut self, socket: &mut WebSocket) -> Result<bool, End> {
        let Seen { batch, reading, over } = self.seat.feed.see(&mut self.cursor);
        if batch.skipped {
            socket.feed(words(&Status::Skipped.into())).await?;
        }
        if over && self.publish.is_some() && !self.stopped {
            self.stopped = true;
            socket.feed(words(&Message::Stopped { waits_ms: self.waits_ms() })).await?;
        }
        let mut has_fragments = false;
        let has_items = !batch.items.is_empty();
        for item in batch.items {
            match item {
                Item::Init(init) => {
                    self.enter(init.publish, socket).await?;
                    socket.feed(Frame::Text((&*init.info).into())).await?;
                    socket.feed(Frame::Binary(init.bytes.clone())).await?;
                    self.clock_due = Instant::now();
                }
                Item::Fragment(bytes) => {
                    has_fragments = true;
                    socket.feed(Frame::Binary(bytes)).await?;
                }
            }
        }
        if has_fragments
            && self.clock_due <= Instant::now()
            && let Some(reading) = reading
        {
            self.clock_due = Instant::now() + CLOCK_EVERY;
            socket.feed(words(&reading.message(self.seat.feeds.0.clock.now()))).await?;
        }
        socket.flush().await?;
        Ok(has_items)
    }

    /// What comes next is of this publish.
    async fn enter(&mut self, publish: u64, socket: &mut WebSocket) -> Result<(), End> {
        if self.publish == Some(publish) {
            return Ok(());
        }
        if self.publish.is_some() && !self.stopped {
            socket.feed(words(&Message::Stopped { waits_ms: self.waits_ms() })).await?;
        }
        (self.publish, self.stopped) = (Some(publish), false);
        Ok(())
    }
}

fn words(message: &Message<'_>) -> Frame {
    Frame::Text(text(message).into())
}
