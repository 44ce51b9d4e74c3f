//! One connection as the server sees it: handshake, `connect`, then at most one publish or play at a time.

mod command;
mod reply;
mod request;

use bytes::{Buf, Bytes};

use super::amf0::{self, Value};
use super::chunk::{ChunkReader, Message, kind};
use super::handshake::Handshake;
use super::{Error, Limits, Output, TimestampUnwrapper};
use crate::flv::Tag;
use crate::frame::TrackKind;

use self::reply::Replies;
pub use self::request::{Connect, Name};

/// The window that is assumed of a peer which names none, and that is asked of every peer: so large that an encoder that keeps to it never waits for
/// an acknowledgement, which it gets late ([`Session::acknowledge`]).
const ACKNOWLEDGEMENT_WINDOW_BYTES: u32 = 1 << 30;
/// A peer that wants to be acknowledged more often is not.
const MIN_ACKNOWLEDGEMENT_WINDOW_BYTES: u32 = 16 << 10;
/// The header of a message in an aggregate one, §7.1.6: that of an FLV tag.
const AGGREGATE_HEADER_BYTES: usize = 11;
/// What follows each message in an aggregate one: its length once more.
const AGGREGATE_TRAILER_BYTES: usize = 4;

/// What a client wants or sends.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// To be answered: [`Session::accept`] or [`Session::refuse`].
    Connect(Connect),
    /// To be answered likewise.
    Publish(Name),
    /// To be answered likewise. Then send what there is to see with [`Session::send_tag`].
    Play(Name),
    /// The payload of an audio or video message of an accepted publish. The time is unwrapped, see [`TimestampUnwrapper`].
    Media { kind: TrackKind, timestamp_ms: i64, payload: Bytes },
    /// What the encoder says of the publish in `onMetaData`.
    Metadata(Value),
    /// The accepted publish is over, by the client's word.
    Unpublish,
    /// The accepted play is over, by the client's word.
    StopPlay,
}

/// One connection. Bytes of the peer go into [`Session::input`], which gives events; what is to be sent gathers in [`Session::output`].
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    /// A request that the caller has not answered: until then no input is read.
    pending: Option<Pending>,
    active: Option<Active>,
    reader: ChunkReader,
    replies: Replies,
    timestamps: TimestampUnwrapper,
    aggregate: Option<Aggregate>,
    next_stream_id: u32,
    acknowledgement: Acknowledgement,
}

#[derive(Debug)]
enum Phase {
    Handshake(Handshake),
    /// Waits for `connect`.
    Greeted,
    Connected,
    /// A request was refused, or the play has ended: once the output is sent, the connection is to be closed.
    Closing,
}

#[derive(Clone, Copy, Debug)]
enum Pending {
    Connect { transaction: f64 },
    Publish { stream_id: u32 },
    Play { stream_id: u32 },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Active {
    Publish { stream_id: u32 },
    Play { stream_id: u32 },
}

/// An aggregate message that is being taken apart.
#[derive(Debug)]
struct Aggregate {
    rest: Bytes,
    /// What is added to the inner timestamps: the message's own less the first inner one. `None` before the first.
    offset: Option<u32>,
    timestamp: u32,
    stream_id: u32,
}

/// How much has been received and what of it acknowledged, modulo 2^32, §5.4.3.
#[derive(Debug)]
struct Acknowledgement {
    window_bytes: u32,
    received: u32,
    acknowledged: u32,
}

impl Session {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            phase: Phase::Handshake(Handshake::new()),
            pending: None,
            active: None,
            reader: ChunkReader::new(limits),
            replies: Replies::new(),
            timestamps: TimestampUnwrapper::new(),
            aggregate: None,
            next_stream_id: 1,
            acknowledgement: Acknowledgement { window_bytes: ACKNOWLEDGEMENT_WINDOW_BYTES, received: 0, acknowledged: 0 },
        }
    }

    /// Reads on to the next event, and leaves what follows it in `input`. `None`: the input is used up, or, where some is left, a request is
    /// to be answered first.
    ///
    /// # Errors
    /// Where the peer passes a limit or speaks something else; the connection is then to be closed.
    pub fn input(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Error> {
        let before = input.len();
        let outcome = self.read(input);
        // The count wraps by design.
        self.acknowledgement.received = self.acknowledgement.received.wrapping_add((before - input.len()) as u32);
        if !matches!(self.active, Some(Active::Publish { .. })) {
            self.acknowledge();
        }
        outcome
    }

    fn read(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Error> {
        loop {
            if self.pending.is_some() {
                return Ok(None);
            }
            if let Some(event) = self.next_of_aggregate() {
                return Ok(Some(event));
            }
            match &mut self.phase {
                Phase::Closing => {
                    *input = &[];
                    return Ok(None);
                }
                Phase::Handshake(handshake) => {
                    if !handshake.read(input, self.replies.output())? {
                        return Ok(None);
                    }
                    self.phase = Phase::Greeted;
                }
                Phase::Greeted | Phase::Connected => {
                    let Some(message) = self.reader.read(input)? else { return Ok(None) };
                    if let Some(event) = self.message(message)? {
                        return Ok(Some(event));
                    }
                }
            }
        }
    }

    fn message(&mut self, message: Message) -> Result<Option<Event>, Error> {
        let word = || {
            let bytes = message.payload.first_chunk().ok_or(Error::ShortMessage { kind: message.kind })?;
            Ok::<u32, Error>(u32::from_be_bytes(*bytes))
        };
        match message.kind {
            kind::SET_CHUNK_SIZE => self.reader.set_chunk_size(word()?)?,
            kind::ABORT => self.reader.abort(word()?),
            kind::WINDOW_ACKNOWLEDGEMENT_SIZE => {
                self.acknowledgement.window_bytes = word()?.max(MIN_ACKNOWLEDGEMENT_WINDOW_BYTES);
            }
            kind::USER_CONTROL => self.replies.user_control(&message.payload),
            kind::AUDIO => return Ok(self.media(TrackKind::Audio, message.stream_id, message.timestamp, message.payload)),
            kind::VIDEO => return Ok(self.media(TrackKind::Video, message.stream_id, message.timestamp, message.payload)),
            kind::AGGREGATE => {
                let Message { stream_id, timestamp, payload, .. } = message;
                self.aggregate = Some(Aggregate { rest: payload, offset: None, timestamp, stream_id });
            }
            kind::DATA => return Ok(self.data(&message.payload)),
            // The AMF 3 forms: one byte more, then AMF 0 all the same.
            kind::DATA_AMF3 => return Ok(self.data(message.payload.get(1..).unwrap_or_default())),
            kind::COMMAND => return self.command(message.stream_id, &message.payload),
            kind::COMMAND_AMF3 => return self.command(message.stream_id, message.payload.get(1..).unwrap_or_default()),
            // Acknowledgements and bandwidths change nothing here; shared objects and the unknown are not ours.
            _ => {}
        }
        Ok(None)
    }

    fn media(&mut self, kind: TrackKind, stream_id: u32, timestamp: u32, payload: Bytes) -> Option<Event> {
        // Some encoders send on the connection's own stream, 0.
        match self.active {
            Some(Active::Publish { stream_id: published }) if stream_id == published || stream_id == 0 => {
                let timestamp_ms = self.timestamps.unwrap(timestamp);
                Some(Event::Media { kind, timestamp_ms, payload })
            }
            _ => None,
        }
    }

    fn next_of_aggregate(&mut self) -> Option<Event> {
        loop {
            let aggregate = self.aggregate.as_mut()?;
            let Some((kind, stream_id, timestamp, payload)) = aggregate.next() else {
                self.aggregate = None;
                return None;
            };
            let event = match kind {
                kind::AUDIO => self.media(TrackKind::Audio, stream_id, timestamp, payload),
                kind::VIDEO => self.media(TrackKind::Video, stream_id, timestamp, payload),
                kind::DATA => self.data(&payload),
                _ => None,
            };
            if event.is_some() {
                return event;
            }
        }
    }

    /// Metadata that cannot be read is passed over: the stream does not depend on it.
    fn data(&self, payload: &[u8]) -> Option<Event> {
        let Some(Active::Publish { .. }) = self.active else { return None };
        let mut values = amf0::Reader::new(payload);
        let mut name = values.string().ok()?;
        if name == "@setDataFrame" {
            name = values.string().ok()?;
        }
        if name != "onMetaData" {
            return None;
        }
        values.next_value().ok().flatten().map(Event::Metadata)
    }

    /// Answers the request with yes. Without a request nothing happens.
    pub fn accept(&mut self) {
        match self.pending.take() {
            Some(Pending::Connect { transaction }) => {
                self.phase = Phase::Connected;
                self.replies.accept_connect(transaction);
            }
            Some(Pending::Publish { stream_id }) => {
                self.active = Some(Active::Publish { stream_id });
                self.timestamps = TimestampUnwrapper::new();
                self.reader.takes_media(true);
                self.replies.accept_publish(stream_id);
            }
            Some(Pending::Play { stream_id }) => {
                self.active = Some(Active::Play { stream_id });
                self.replies.accept_play(stream_id);
            }
            None => {}
        }
    }

    /// Answers the request with no, in words for the one who looks at the client. The connection is then to be closed. Without a request
    /// nothing happens.
    pub fn refuse(&mut self, reason: &str) {
        match self.pending.take() {
            Some(Pending::Connect { transaction }) => self.replies.refuse_connect(transaction, reason),
            Some(Pending::Publish { stream_id }) => self.replies.refuse_publish(stream_id, reason),
            Some(Pending::Play { stream_id }) => self.replies.refuse_play(stream_id, reason),
            None => return,
        }
        self.phase = Phase::Closing;
    }

    /// Ends the accepted publish from this side, in words for the one who looks at the encoder. The connection is then to be closed.
    pub fn end_publish(&mut self, reason: &str) {
        if let Some(Active::Publish { stream_id }) = self.active {
            self.leave();
            self.replies.end_publish(stream_id, reason);
            self.phase = Phase::Closing;
        }
    }

    /// What a player likes to know before the first tag.
    pub fn send_metadata(&mut self, metadata: Value) {
        if let Some(Active::Play { stream_id }) = self.active {
            self.replies.metadata(stream_id, metadata);
        }
    }

    /// Sends a tag to the player of the accepted play. The media is shared, not copied.
    pub fn send_tag(&mut self, tag: Tag) {
        if let Some(Active::Play { stream_id }) = self.active {
            self.replies.tag(stream_id, tag);
        }
    }

    /// Tells the player that there is nothing more to see. The connection is then to be closed.
    pub fn end_play(&mut self) {
        if let Some(Active::Play { stream_id }) = self.active {
            self.leave();
            self.replies.end_play(stream_id);
            self.phase = Phase::Closing;
        }
    }

    /// The same where there is more, and the player may not see it any more: in words for the one who looks at the player.
    pub fn deny_play(&mut self, reason: &str) {
        if let Some(Active::Play { stream_id }) = self.active {
            self.leave();
            self.replies.deny_play(stream_id, reason);
            self.phase = Phase::Closing;
        }
    }

    /// Acknowledges what has been received, where that is half as much as the peer wants to hear of: one that does not pass its window may stop before it
    /// has sent the whole.
    ///
    /// While something is published this is the caller's to call, when the encoder has been silent for a while, as one is that waits for it. To one that has
    /// just sent its last and closed, nothing may be sent: its system would answer with a reset, and throw away what it has not sent yet.
    pub fn acknowledge(&mut self) {
        let Acknowledgement { window_bytes, received, acknowledged } = &mut self.acknowledgement;
        if matches!(self.phase, Phase::Connected) && received.wrapping_sub(*acknowledged) >= *window_bytes / 2 {
            *acknowledged = *received;
            self.replies.acknowledgement(*received);
        }
    }

    /// What is to be sent: write it out, and what was written out of it, before more is read.
    pub fn output(&mut self) -> &mut Output {
        self.replies.output()
    }

    /// Whether the connection is to be closed once the output is sent.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing)
    }

    /// From publishing or playing back to being connected.
    fn leave(&mut self) {
        self.active = None;
        self.reader.takes_media(false);
        self.aggregate = None;
    }
}

impl Aggregate {
    /// The next message: kind, NetStream, timestamp, payload. `None` at the end, and where the rest makes no sense.
    fn next(&mut self) -> Option<(u8, u32, u32, Bytes)> {
        let header: [u8; AGGREGATE_HEADER_BYTES] = *self.rest.first_chunk()?;
        let [kind, l0, l1, l2, t0, t1, t2, t3, ..] = header;
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        // FLV puts the highest byte last.
        let inner = u32::from_be_bytes([t3, t0, t1, t2]);
        self.rest.advance(AGGREGATE_HEADER_BYTES);
        if self.rest.len() < length {
            return None;
        }
        // A copy: a slice would keep the whole aggregate alive for one small frame, behind the back of everyone who counts bytes.
        let payload = Bytes::copy_from_slice(&self.rest.split_to(length));
        self.rest.advance(AGGREGATE_TRAILER_BYTES.min(self.rest.len()));
        let offset = *self.offset.get_or_insert(self.timestamp.wrapping_sub(inner));
        Some((kind, self.stream_id, inner.wrapping_add(offset), payload))
    }
}

#[cfg(test)]
mod tests;
