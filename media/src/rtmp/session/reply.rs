//! What the server says: results, statuses and control messages, and the media of a play.

use bytes::Bytes;

use super::{ACKNOWLEDGEMENT_WINDOW_BYTES, Value};
use crate::flv::{Tag, fourcc};
use crate::frame::TrackKind;
use crate::rtmp::amf0::object;
use crate::rtmp::chunk::{ChunkWriter, Header, kind};
use crate::rtmp::{MAX_CHUNK_BYTES, Output};

/// What is written before the peer has been told otherwise, §5.4.1.
const INITIAL_CHUNK_BYTES: usize = 128;
/// What is written then. Large, so that a frame is mostly one piece of shared memory.
const CHUNK_BYTES: usize = 64 << 10;
/// `Dynamic`, §5.4.5.
const LIMIT_TYPE_DYNAMIC: u8 = 2;

/// By custom of other servers; a client may not mix kinds on one.
mod chunk_stream {
    pub(super) const CONTROL: u8 = 2;
    pub(super) const COMMAND: u8 = 3;
    pub(super) const AUDIO: u8 = 4;
    pub(super) const STATUS: u8 = 5;
    pub(super) const VIDEO: u8 = 6;
}

/// Types of user control messages, §7.1.7.
mod user_control {
    pub(super) const STREAM_BEGIN: u16 = 0;
    pub(super) const STREAM_EOF: u16 = 1;
    pub(super) const PING_REQUEST: u16 = 6;
    pub(super) const PING_RESPONSE: u16 = 7;
}

/// What is taken with the extended headers of Enhanced RTMP.
const VIDEO_CODECS: [&[u8; 4]; 3] = [fourcc::AVC, fourcc::HEVC, fourcc::AV1];
const AUDIO_CODECS: [&[u8; 4]; 2] = [fourcc::AAC, fourcc::OPUS];
/// `FourCcInfoMask`: can decode (for posters) and forward.
const DECODE_AND_FORWARD: f64 = 5.0;
/// `CapsExMask`: `ModEx`. Several tracks are not asked for: only the first is taken.
const CAPABILITIES: f64 = 4.0;

#[derive(Debug)]
pub(super) struct Replies {
    output: Output,
    writer: ChunkWriter,
}

impl Replies {
    pub(super) fn new() -> Self {
        Self { output: Output::default(), writer: ChunkWriter::new(INITIAL_CHUNK_BYTES) }
    }

    pub(super) fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    fn control(&mut self, kind: u8, payload: &[u8]) {
        let header = Header { chunk_stream: chunk_stream::CONTROL, kind, stream_id: 0, timestamp: 0 };
        self.writer.write(&mut self.output, header, payload, Bytes::new());
    }

    fn stream_control(&mut self, event: u16, stream_id: u32) {
        let ([e0, e1], [s0, s1, s2, s3]) = (event.to_be_bytes(), stream_id.to_be_bytes());
        self.control(kind::USER_CONTROL, &[e0, e1, s0, s1, s2, s3]);
    }

    fn values(&mut self, chunk_stream: u8, kind: u8, stream_id: u32, values: &[Value]) {
        let mut payload = Vec::new();
        values.iter().for_each(|value| value.write(&mut payload));
        let header = Header { chunk_stream, kind, stream_id, timestamp: 0 };
        self.writer.write(&mut self.output, header, &payload, Bytes::new());
    }

    fn status(&mut self, stream_id: u32, level: &str, code: &str, description: &str) {
        let values = ["onStatus".into(), Value::Number(0.0), Value::Null, info(level, code, description)];
        self.values(chunk_stream::STATUS, kind::COMMAND, stream_id, &values);
    }

    /// Answers a ping; whatever else a client controls is nothing to a live stream.
    pub(super) fn user_control(&mut self, payload: &[u8]) {
        if let Some((event, rest)) = payload.split_first_chunk()
            && u16::from_be_bytes(*event) == user_control::PING_REQUEST
            && let Some(stamp) = rest.first_chunk()
        {
            self.stream_control(user_control::PING_RESPONSE, u32::from_be_bytes(*stamp));
        }
    }

    pub(super) fn acknowledgement(&mut self, received: u32) {
        self.control(kind::ACKNOWLEDGEMENT, &received.to_be_bytes());
    }

    pub(super) fn result(&mut self, transaction: f64, value: Value) {
        let values = ["_result".into(), Value::Number(transaction), Value::Null, value];
        self.values(chunk_stream::COMMAND, kind::COMMAND, 0, &values);
    }

    pub(super) fn accept_connect(&mut self, transaction: f64) {
        let [w0, w1, w2, w3] = ACKNOWLEDGEMENT_WINDOW_BYTES.to_be_bytes();
        self.control(kind::WINDOW_ACKNOWLEDGEMENT_SIZE, &[w0, w1, w2, w3]);
        self.control(kind::SET_PEER_BANDWIDTH, &[w0, w1, w2, w3, LIMIT_TYPE_DYNAMIC]);
        const { assert!(CHUNK_BYTES <= MAX_CHUNK_BYTES) };
        self.control(kind::SET_CHUNK_SIZE, &(CHUNK_BYTES as u32).to_be_bytes());
        self.writer = ChunkWriter::new(CHUNK_BYTES);
        // Encoders look for nothing here, but some want an FMS of version 3 at least.
        let server = object([
            ("fmsVer", "FMS/3,5,7,7009".into()),
            ("capabilities", 31.0.into()),
            ("fourCcList", fourcc_list()),
            ("videoFourCcInfoMap", fourcc_map(&VIDEO_CODECS)),
            ("audioFourCcInfoMap", fourcc_map(&AUDIO_CODECS)),
            ("capsEx", CAPABILITIES.into()),
        ]);
        let mut info = info("status", "NetConnection.Connect.Success", "Connection succeeded.");
        if let Value::Object(properties) = &mut info {
            properties.push(("objectEncoding".to_owned(), 0.0.into()));
        }
        let values = ["_result".into(), Value::Number(transaction), server, info];
        self.values(chunk_stream::COMMAND, kind::COMMAND, 0, &values);
    }

    pub(super) fn refuse_connect(&mut self, transaction: f64, reason: &str) {
        let info = info("error", "NetConnection.Connect.Rejected", reason);
        let values = ["_error".into(), Value::Number(transaction), Value::Null, info];
        self.values(chunk_stream::COMMAND, kind::COMMAND, 0, &values);
        // OBS passes over an error that answers `connect`, and shows this one.
        self.status(0, "error", "NetConnection.Connect.InvalidApp", reason);
    }

    pub(super) fn on_fc_publish(&mut self) {
        let info = object([("code", "NetStream.Publish.Start".into()), ("description", "FCPublish".into())]);
        let values = ["onFCPublish".into(), Value::Number(0.0), Value::Null, info];
        self.values(chunk_stream::COMMAND, kind::COMMAND, 0, &values);
    }

    pub(super) fn accept_publish(&mut self, stream_id: u32) {
        self.stream_control(user_control::STREAM_BEGIN, stream_id);
        self.status(stream_id, "status", "NetStream.Publish.Start", "Publishing.");
    }

    pub(super) fn refuse_publish(&mut self, stream_id: u32, reason: &str) {
        self.status(stream_id, "error", "NetStream.Publish.BadName", reason);
    }

    pub(super) fn end_publish(&mut self, stream_id: u32, reason: &str) {
        self.status(stream_id, "error", "NetStream.Publish.Denied", reason);
    }

    pub(super) fn unpublished(&mut self, stream_id: u32) {
        self.status(stream_id, "status", "NetStream.Unpublish.Success", "Publishing has ended.");
    }

    pub(super) fn accept_play(&mut self, stream_id: u32) {
        self.stream_control(user_control::STREAM_BEGIN, stream_id);
        self.status(stream_id, "status", "NetStream.Play.Reset", "Playing from the start.");
        self.status(stream_id, "status", "NetStream.Play.Start", "Playing.");
        let access = ["|RtmpSampleAccess".into(), Value::Boolean(true), Value::Boolean(true)];
        self.values(chunk_stream::STATUS, kind::DATA, stream_id, &access);
    }

    pub(super) fn refuse_play(&mut self, stream_id: u32, reason: &str) {
        self.status(stream_id, "error", "NetStream.Play.StreamNotFound", reason);
    }

    pub(super) fn end_play(&mut self, stream_id: u32) {
        self.stream_control(user_control::STREAM_EOF, stream_id);
        self.status(stream_id, "status", "NetStream.Play.UnpublishNotify", "The stream has ended.");
    }

    pub(super) fn deny_play(&mut self, stream_id: u32, reason: &str) {
        self.stream_control(user_control::STREAM_EOF, stream_id);
        self.status(stream_id, "error", "NetStream.Play.Failed", reason);
    }

    pub(super) fn metadata(&mut self, stream_id: u32, metadata: Value) {
        self.values(chunk_stream::STATUS, kind::DATA, stream_id, &["onMetaData".into(), metadata]);
    }

    pub(super) fn tag(&mut self, stream_id: u32, tag: Tag) {
        let (chunk_stream, kind) = match tag.kind {
            TrackKind::Audio => (chunk_stream::AUDIO, kind::AUDIO),
            TrackKind::Video => (chunk_stream::VIDEO, kind::VIDEO),
        };
        // Timestamps are 32 bits wide and wrap.
        let header = Header { chunk_stream, kind, stream_id, timestamp: tag.timestamp_ms as u32 };
        self.writer.write(&mut self.output, header, tag.header.as_slice(), tag.body);
    }
}

fn name(fourcc: &[u8; 4]) -> String {
    String::from_utf8_lossy(fourcc).into_owned()
}

/// For clients of Enhanced RTMP's first version.
fn fourcc_list() -> Value {
    Value::StrictArray(VIDEO_CODECS.iter().chain(&AUDIO_CODECS).map(|fourcc| Value::String(name(fourcc))).collect())
}

fn fourcc_map(codecs: &[&[u8; 4]]) -> Value {
    Value::Object(codecs.iter().map(|fourcc| (name(fourcc), DECODE_AND_FORWARD.into())).collect())
}

/// An information object, §7.2.2.
fn info(level: &str, code: &str, description: &str) -> Value {
    object([("level", level.into()), ("code", code.into()), ("description", description.into())])
}
