//! What a subscriber of the hub is told, as FLV tags for RTMP: to players who watch, and to servers that a stream is pushed to. Knows no connection.

use afterlive_media::flv::{Tag, config_tag, fourcc, frame_tag};
use afterlive_media::frame::{CodecConfig, TrackConfig, TrackKind};
use afterlive_media::rtmp::amf0::Value;
use afterlive_media::rtmp::{Client, Session};

use crate::hub::Message;

/// Where tags go.
pub trait TagSink {
    fn metadata(&mut self, metadata: Value);
    fn tag(&mut self, tag: Tag);
}

impl TagSink for Session {
    fn metadata(&mut self, metadata: Value) {
        self.send_metadata(metadata);
    }

    fn tag(&mut self, tag: Tag) {
        self.send_tag(tag);
    }
}

impl TagSink for Client {
    fn metadata(&mut self, metadata: Value) {
        self.send_metadata(metadata);
    }

    fn tag(&mut self, tag: Tag) {
        self.send_tag(tag);
    }
}

/// Whether there is more to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    Going,
    Ended,
}

/// What one sink has been told.
#[derive(Default)]
pub struct Tagger {
    video: Option<TrackConfig>,
    audio: Option<TrackConfig>,
    /// Tracks are gathered until the first frame, so that one set of metadata speaks of all.
    started: bool,
    ended: bool,
    last_ms: i64,
}

impl Tagger {
    pub fn tell(&mut self, sink: &mut impl TagSink, message: Message) -> Told {
        match message {
            Message::TrackChanged(track) => {
                if self.started {
                    sink.tag(self.config(&track));
                }
                let kind = track.codec.kind();
                *self.track(kind) = Some(track);
            }
            Message::Frame(frame) => {
                let Some(track) = self.track(frame.kind) else { return Told::Going };
                let tag = frame_tag(&frame, track);
                self.last_ms = tag.timestamp_ms;
                if !self.started {
                    self.started = true;
                    sink.metadata(self.metadata());
                    for track in self.video.iter().chain(&self.audio) {
                        sink.tag(self.config(track));
                    }
                }
                sink.tag(tag);
            }
            Message::Ended => {
                self.ended = true;
                return Told::Ended;
            }
        }
        Told::Going
    }

    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    fn track(&mut self, kind: TrackKind) -> &mut Option<TrackConfig> {
        match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        }
    }

    /// The sequence header, at the present time: players take a step back in time for a new stream.
    fn config(&self, track: &TrackConfig) -> Tag {
        Tag { timestamp_ms: self.last_ms, ..config_tag(track) }
    }

    fn metadata(&self) -> Value {
        let mut properties = Vec::new();
        let mut put = |name: &str, value: f64| properties.push((name.to_owned(), Value::Number(value)));
        for track in self.video.iter().chain(&self.audio) {
            let id = codec_id(&track.codec);
            if let Some(picture) = track.codec.picture() {
                put("width", picture.width.into());
                put("height", picture.height.into());
                put("videocodecid", id);
            }
            if let Some(sound) = track.codec.sound() {
                put("audiosamplerate", sound.sample_rate.into());
                put("audiochannels", sound.channels.into());
                put("audiocodecid", id);
            }
        }
        Value::EcmaArray(properties)
    }
}

/// `CodecID` and `SoundFormat` of FLV, which metadata repeat; of codecs that have none, the number that their four letters are.
fn codec_id(codec: &CodecConfig) -> f64 {
    let number = |fourcc: &[u8; 4]| f64::from(u32::from_be_bytes(*fourcc));
    match codec {
        CodecConfig::H264 { .. } => 7.0,
        CodecConfig::Hevc { .. } => number(fourcc::HEVC),
        CodecConfig::Av1 { .. } => number(fourcc::AV1),
        CodecConfig::Aac { .. } => 10.0,
        CodecConfig::Opus { .. } => number(fourcc::OPUS),
    }
}
