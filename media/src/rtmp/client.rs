//! The other side of a connection: a publisher. What FFmpeg and OBS say, no more.

use bytes::Bytes;

use super::amf0::{self, Value, object};
use super::chunk::{ChunkReader, ChunkWriter, Header, Message, kind};
use super::handshake::{PART_BYTES, VERSION, take};
use super::{Error, Limits, Output};
use crate::flv::Tag;
use crate::frame::TrackKind;

/// What every peer believes before it is told otherwise, §5.4.1.
const INITIAL_CHUNK_BYTES: usize = 128;
/// User control messages, §7.1.7.
const PING_REQUEST: [u8; 2] = [0, 6];
const PING_RESPONSE: [u8; 2] = [0, 7];

/// By custom of encoders.
mod chunk_stream {
    pub(super) const CONTROL: u8 = 2;
    pub(super) const COMMAND: u8 = 3;
    pub(super) const AUDIO: u8 = 4;
    pub(super) const VIDEO: u8 = 6;
}

/// Transactions whose answers are waited for.
mod transaction {
    pub(super) const CONNECT: f64 = 1.0;
    pub(super) const CREATE_STREAM: f64 = 4.0;
}

/// What encoders say that they are, where nothing else is known of one: by its beginning some servers tell a publisher from a player.
const SOFTWARE: &str = "FMLE/3.0 (compatible; Afterlive)";

/// Where to publish: `rtmp://HOST/APP/NAME` in three parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    pub app: String,
    /// The URL without the name; servers read the host from it.
    pub tc_url: String,
    /// With the query, where there is one.
    pub name: String,
}

/// What the server has said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Media may be sent.
    Publishing,
    /// It does not want the connection or the publish, or none any longer. The words are the server's.
    Refused { code: String, description: String },
}

/// One publish, from the first byte of the connection. Sans I/O, as [`Session`](super::Session): what is to be sent gathers in [`Client::output`].
#[derive(Debug)]
pub struct Client {
    destination: Destination,
    software: String,
    chunk_bytes: u32,
    phase: Phase,
    stream_id: u32,
    reader: ChunkReader,
    writer: ChunkWriter,
    output: Output,
}

#[derive(Debug)]
enum Phase {
    /// S0, S1 and S2, so far.
    Handshake(Vec<u8>),
    Talking,
}

impl Client {
    /// `chunk_bytes`: what its messages are cut into; not 0. OBS takes 4096, FFmpeg 128.
    #[must_use]
    pub fn new(destination: Destination, chunk_bytes: u32) -> Self {
        let mut output = Output::default();
        output.write(&[VERSION]);
        output.write(&[0; PART_BYTES]);
        Self {
            destination,
            software: SOFTWARE.to_owned(),
            chunk_bytes,
            phase: Phase::Handshake(Vec::new()),
            stream_id: 0,
            reader: ChunkReader::new(Limits::default()),
            writer: ChunkWriter::new(INITIAL_CHUNK_BYTES),
            output,
        }
    }

    /// Says in its first command that it is this software; to be set before anything is read.
    #[must_use]
    pub fn saying(self, software: String) -> Self {
        Self { software, ..self }
    }

    /// Reads on to the next reply, and leaves what follows it in `input`. `None`: the input is used up.
    ///
    /// # Errors
    /// Where the peer is no RTMP server.
    pub fn input(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, Error> {
        if let Phase::Handshake(answer) = &mut self.phase {
            answer.extend_from_slice(take(input, 1 + 2 * PART_BYTES - answer.len()));
            if let Some(&version) = answer.first()
                && version != VERSION
            {
                return Err(Error::NotRtmp(version));
            }
            if answer.len() < 1 + 2 * PART_BYTES {
                return Ok(None);
            }
            self.output.write(&answer[1..=PART_BYTES]);
            self.phase = Phase::Talking;
            self.connect();
        }
        while let Some(message) = self.reader.read(input)? {
            if let Some(reply) = self.message(&message)? {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// An audio or video message, once the server has said [`Reply::Publishing`]. The media is shared, not copied.
    pub fn send(&mut self, kind: TrackKind, timestamp_ms: i64, payload: Bytes) {
        let (chunk_stream, kind) = match kind {
            TrackKind::Audio => (chunk_stream::AUDIO, kind::AUDIO),
            TrackKind::Video => (chunk_stream::VIDEO, kind::VIDEO),
        };
        // Timestamps are 32 bits wide and wrap.
        let header = Header { chunk_stream, kind, stream_id: self.stream_id, timestamp: timestamp_ms as u32 };
        self.writer.write(&mut self.output, header, &[], payload);
    }

    /// The same as a tag, whose media is shared too.
    pub fn send_tag(&mut self, tag: Tag) {
        let (chunk_stream, kind) = match tag.kind {
            TrackKind::Audio => (chunk_stream::AUDIO, kind::AUDIO),
            TrackKind::Video => (chunk_stream::VIDEO, kind::VIDEO),
        };
        let header = Header { chunk_stream, kind, stream_id: self.stream_id, timestamp: tag.timestamp_ms as u32 };
        self.writer.write(&mut self.output, header, tag.header.as_slice(), tag.body);
    }

    /// What servers like to know before the first tag.
    pub fn send_metadata(&mut self, metadata: Value) {
        let mut payload = Vec::new();
        for value in ["@setDataFrame".into(), "onMetaData".into(), metadata] {
            value.write(&mut payload);
        }
        let header = Header { chunk_stream: chunk_stream::AUDIO, kind: kind::DATA, stream_id: self.stream_id, timestamp: 0 };
        self.writer.write(&mut self.output, header, &payload, Bytes::new());
    }

    /// The end of the publish, in good order. The connection is then to be closed.
    pub fn unpublish(&mut self) {
        let name = Value::from(self.destination.name.as_str());
        self.command(0, &["FCUnpublish".into(), 5.0.into(), Value::Null, name]);
        self.command(0, &["deleteStream".into(), 6.0.into(), Value::Null, f64::from(self.stream_id).into()]);
    }

    /// What is to be sent: write it out before more is sent or read.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    fn connect(&mut self) {
        let properties = [
            ("app", self.destination.app.as_str().into()),
            ("type", "nonprivate".into()),
            ("flashVer", self.software.as_str().into()),
            ("tcUrl", self.destination.tc_url.as_str().into()),
        ];
        self.command(0, &["connect".into(), transaction::CONNECT.into(), object(properties)]);
    }

    fn message(&mut self, message: &Message) -> Result<Option<Reply>, Error> {
        match message.kind {
            kind::SET_CHUNK_SIZE => {
                let bytes = message.payload.first_chunk().ok_or(Error::ShortMessage { kind: message.kind })?;
                self.reader.set_chunk_size(u32::from_be_bytes(*bytes))?;
            }
            kind::USER_CONTROL => {
                if let Some(stamp) = message.payload.strip_prefix(&PING_REQUEST) {
                    self.control(kind::USER_CONTROL, &[&PING_RESPONSE, stamp].concat());
                }
            }
            kind::COMMAND => return self.answer(&message.payload),
            _ => {}
        }
        Ok(None)
    }

    fn answer(&mut self, payload: &[u8]) -> Result<Option<Reply>, Error> {
        let mut values = amf0::Reader::new(payload);
        let name = values.string()?;
        // What else servers say need not even be whole: FFmpeg's `onFCPublish` is a name and nothing else.
        if !matches!(name.as_str(), "_result" | "_error" | "onStatus") {
            return Ok(None);
        }
        let answered = values.number()?;
        let last = std::iter::from_fn(|| values.next_value().transpose()).last().transpose()?;
        match name.as_str() {
            "_result" if answered == transaction::CONNECT => self.ask_for_stream(),
            "_result" if answered == transaction::CREATE_STREAM => {
                let id = last.as_ref().and_then(Value::as_number).ok_or(amf0::Error::WrongType)?;
                self.stream_id = id as u32;
                let name = Value::from(self.destination.name.as_str());
                self.command(self.stream_id, &["publish".into(), 5.0.into(), Value::Null, name, "live".into()]);
            }
            "_error" | "onStatus" => return Ok(last.as_ref().and_then(reply)),
            _ => {}
        }
        Ok(None)
    }

    fn ask_for_stream(&mut self) {
        self.control(kind::SET_CHUNK_SIZE, &self.chunk_bytes.to_be_bytes());
        self.writer = ChunkWriter::new(self.chunk_bytes as usize);
        let name = Value::from(self.destination.name.as_str());
        self.command(0, &["releaseStream".into(), 2.0.into(), Value::Null, name.clone()]);
        self.command(0, &["FCPublish".into(), 3.0.into(), Value::Null, name]);
        self.command(0, &["createStream".into(), transaction::CREATE_STREAM.into(), Value::Null]);
    }

    fn command(&mut self, stream_id: u32, values: &[Value]) {
        let mut payload = Vec::new();
        values.iter().for_each(|value| value.write(&mut payload));
        let header = Header { chunk_stream: chunk_stream::COMMAND, kind: kind::COMMAND, stream_id, timestamp: 0 };
        self.writer.write(&mut self.output, header, &payload, Bytes::new());
    }

    fn control(&mut self, kind: u8, payload: &[u8]) {
        let header = Header { chunk_stream: chunk_stream::CONTROL, kind, stream_id: 0, timestamp: 0 };
        self.writer.write(&mut self.output, header, payload, Bytes::new());
    }
}

/// What a status means for a publisher; most of them nothing.
fn reply(status: &Value) -> Option<Reply> {
    let text = |name| status.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match (text("level").as_str(), text("code")) {
        (_, code) if code == "NetStream.Publish.Start" => Some(Reply::Publishing),
        ("error", code) => Some(Reply::Refused { code, description: text("description") }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;
    use crate::rtmp::{Event, Session};

    fn drain(output: &mut Output) -> Bytes {
        output.copy_to_bytes(output.remaining())
    }

    /// Lets both talk until neither has anything to say, and says what became of it.
    fn converse(client: &mut Client, session: &mut Session, accept: impl Fn(&Event) -> bool) -> (Vec<Reply>, Vec<Event>) {
        let (mut replies, mut events) = (Vec::new(), Vec::new());
        loop {
            let (said, answered) = (drain(client.output()), drain(session.output()));
            if said.is_empty() && answered.is_empty() {
                return (replies, events);
            }
            let mut input = &said[..];
            while !input.is_empty() {
                if let Some(event) = session.input(&mut input).unwrap() {
                    if accept(&event) {
                        session.accept();
                    } else {
                        session.refuse("not today");
                    }
                    events.push(event);
                }
            }
            let mut input = &answered[..];
            while !input.is_empty() {
                replies.extend(client.input(&mut input).unwrap());
            }
        }
    }

    fn destination() -> Destination {
        Destination { app: "rec".into(), tc_url: "rtmp://ingest.example.com/rec".into(), name: "8sKpm-x49nB?key=1".into() }
    }

    #[test]
    fn a_publish_is_asked_for_sends_media_and_ends() {
        let (mut client, mut session) = (Client::new(destination(), 4_096), Session::new(Limits::default()));
        let (replies, events) = converse(&mut client, &mut session, |_| true);
        assert_eq!(replies, [Reply::Publishing]);
        let [Event::Connect(connect), Event::Publish(name)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((connect.app.name.as_str(), connect.host.as_deref()), ("rec", Some("ingest.example.com")));
        assert_eq!((name.name.as_str(), name.query.as_deref()), ("8sKpm-x49nB", Some("key=1")));

        let picture = Bytes::from(vec![7; 10_000]);
        client.send(TrackKind::Video, 40, picture.clone());
        client.send(TrackKind::Audio, 50, Bytes::from_static(b"sound"));
        client.unpublish();
        let (_, events) = converse(&mut client, &mut session, |_| true);
        let media = |kind, timestamp_ms, payload| Event::Media { kind, timestamp_ms, payload };
        let sent = [media(TrackKind::Video, 40, picture), media(TrackKind::Audio, 50, Bytes::from_static(b"sound"))];
        assert_eq!(events[..2], sent);
        assert_eq!(events[2..], [Event::Unpublish]);
    }

    #[test]
    fn the_server_s_reason_is_told() {
        for refuse_connect in [true, false] {
            let (mut client, mut session) = (Client::new(destination(), 4_096), Session::new(Limits::default()));
            let refused = |event: &Event| matches!(event, Event::Connect(_)) != refuse_connect;
            let (replies, _) = converse(&mut client, &mut session, refused);
            assert!(matches!(&replies[0], Reply::Refused { description, .. } if description == "not today"), "{replies:?}");
        }
    }

    #[test]
    fn a_ping_is_answered_and_another_protocol_known() {
        let (mut client, mut session) = (Client::new(destination(), 4_096), Session::new(Limits::default()));
        converse(&mut client, &mut session, |_| true);
        let mut ping = Output::default();
        let header = Header { chunk_stream: 2, kind: kind::USER_CONTROL, stream_id: 0, timestamp: 0 };
        ChunkWriter::new(128).write(&mut ping, header, &[0, 6, 1, 2, 3, 4], Bytes::new());
        assert_eq!(client.input(&mut &drain(&mut ping)[..]), Ok(None));
        let answer = drain(client.output());
        assert_eq!(answer[answer.len() - 6..], [0, 7, 1, 2, 3, 4]);
        let mut remark = Output::default();
        let header = Header { chunk_stream: 3, kind: kind::COMMAND, stream_id: 0, timestamp: 0 };
        let mut payload = Vec::new();
        Value::from("onFCPublish").write(&mut payload);
        ChunkWriter::new(128).write(&mut remark, header, &payload, Bytes::new());
        assert_eq!(client.input(&mut &drain(&mut remark)[..]), Ok(None), "a name and nothing else");
        assert_eq!(Client::new(destination(), 128).input(&mut &b"HTTP/1.1 400"[..]), Err(Error::NotRtmp(b'H')));
    }
}
