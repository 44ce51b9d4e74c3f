//! An accepted play: from the hub to a player, who may be slow.

use afterlive_media::flv::{Tag, config_tag, fourcc, frame_tag};
use afterlive_media::frame::{CodecConfig, TrackConfig, TrackKind};
use afterlive_media::rtmp::amf0::Value;
use afterlive_media::rtmp::{Event, Session};
use bytes::Buf;

use super::connection::{Connection, Outcome};
use super::wire::Closed;
use crate::hub::{Message, ViewerSubscription};

/// How much is handed to the socket at a time. What waits beyond it waits in the hub's queue, where it can still be skipped.
const MAX_OUTPUT_BYTES: usize = 256 << 10;

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

pub(super) async fn run(connection: &mut Connection, mut subscription: ViewerSubscription) -> Result<Outcome, Closed> {
    let Connection { wire, stop, .. } = connection;
    let mut player = Player::default();
    loop {
        while wire.session().output().remaining() < MAX_OUTPUT_BYTES
            && let Some(message) = subscription.try_next()
        {
            if !player.send(wire.session(), message) {
                return Ok(Outcome::Farewell);
            }
        }
        wire.flush().await?;
        tokio::select! {
            message = subscription.next() => if !player.send(wire.session(), message) {
                return Ok(Outcome::Farewell);
            },
            received = wire.receive() => {
                received?;
                while let Some(event) = wire.received_event()? {
                    if event == Event::StopPlay {
                        return Ok(Outcome::Again);
                    }
                }
            }
            () = stop.cancelled() => {
                wire.session().end_play();
                return Ok(Outcome::Farewell);
            }
        }
    }
}

/// What a player has been told.
#[derive(Default)]
struct Player {
    video: Option<TrackConfig>,
    audio: Option<TrackConfig>,
    /// Tracks are gathered until the first frame, so that one set of metadata speaks of all.
    started: bool,
    last_ms: i64,
}

impl Player {
    /// Whether there is more to come.
    fn send(&mut self, session: &mut Session, message: Message) -> bool {
        match message {
            Message::TrackChanged(track) => {
                if self.started {
                    session.send_tag(self.config(&track));
                }
                let kind = track.codec.kind();
                *self.track(kind) = Some(track);
            }
            Message::Frame(frame) => {
                let Some(track) = self.track(frame.kind) else { return true };
                let tag = frame_tag(&frame, track);
                self.last_ms = tag.timestamp_ms;
                if !self.started {
                    self.started = true;
                    session.send_metadata(self.metadata());
                    for track in self.video.iter().chain(&self.audio) {
                        session.send_tag(self.config(track));
                    }
                }
                session.send_tag(tag);
            }
            Message::Ended => {
                session.end_play();
                return false;
            }
        }
        true
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
