//! What viewers are told in words: the text frames of the WebSocket. docs/live.md is their contract.

use std::sync::Arc;

use afterlive_domain::UnixMillis;
use afterlive_media::codec::codec_string;
use afterlive_media::frame::TrackConfig;
use bytes::Bytes;
use serde::Serialize;

/// An init segment, and what is known of the tracks in it.
#[derive(Debug)]
pub struct Init {
    /// Its name in HLS.
    pub number: u64,
    /// Which publish of the feed it belongs to.
    pub publish: u64,
    pub bytes: Bytes,
    pub codecs: Vec<String>,
    pub picture: Option<(u16, u16)>,
    /// The message `info`.
    pub info: Arc<str>,
}

impl Init {
    #[must_use]
    pub fn new(number: u64, publish: u64, tracks: &[TrackConfig], bytes: Bytes) -> Arc<Self> {
        let codecs: Vec<String> = tracks.iter().map(|track| codec_string(&track.codec)).collect();
        let video = tracks.iter().find_map(|track| {
            let picture = track.codec.picture()?;
            Some(Video { codec: track.codec.name(), width: picture.width, height: picture.height })
        });
        let audio = tracks.iter().find_map(|track| {
            let sound = track.codec.sound()?;
            Some(Audio { codec: track.codec.name(), sample_rate: sound.sample_rate, channels: sound.channels })
        });
        let container = if video.is_some() { "video" } else { "audio" };
        let mime = format!("{container}/mp4; codecs=\"{}\"", codecs.join(","));
        let picture = video.as_ref().map(|video| (video.width, video.height));
        let info = text(&Message::Info { state: "live", mime: &mime, video, audio }).into();
        Arc::new(Self { number, publish, bytes, codecs, picture, info })
    }

    #[cfg(test)]
    pub fn empty() -> Arc<Self> {
        Self::new(0, 0, &[], Bytes::new())
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Message<'a> {
    /// Before each init segment.
    Info { state: &'static str, mime: &'a str, video: Option<Video>, audio: Option<Audio> },
    /// What of media time arrived when, and how late it is now.
    Clock { media_ms: i64, wall_ms: i64, server_ms: i64 },
    Status {
        state: Status,
        /// In words for the viewer, where they are refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
        /// As of [`Message::Stopped`], where it is not live.
        #[serde(skip_serializing_if = "Option::is_none")]
        waits_ms: Option<u64>,
    },
    /// The publish has ended.
    Stopped {
        /// For so much longer its encoder is waited for, which was cut off. Absent where it has ended in good order.
        #[serde(skip_serializing_if = "Option::is_none")]
        waits_ms: Option<u64>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The stream is not live: wait.
    Offline,
    /// Something was left out.
    Skipped,
    /// The viewer may not watch any more: the last word.
    Refused,
}

#[derive(Serialize)]
pub struct Video {
    codec: &'static str,
    width: u16,
    height: u16,
}

#[derive(Serialize)]
pub struct Audio {
    codec: &'static str,
    sample_rate: u32,
    channels: u8,
}

/// When what arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    pub media_ms: i64,
    pub wall_ms: i64,
}

impl Reading {
    #[must_use]
    pub fn message(self, now: UnixMillis) -> Message<'static> {
        Message::Clock { media_ms: self.media_ms, wall_ms: self.wall_ms, server_ms: now.0 }
    }
}

impl From<Status> for Message<'_> {
    fn from(state: Status) -> Self {
        Self::Status { state, reason: None, waits_ms: None }
    }
}

/// As it is sent.
#[must_use]
pub fn text(message: &Message<'_>) -> String {
    serde_json::to_string(message).expect("a message has a JSON form")
}

#[cfg(test)]
mod tests {
    use afterlive_media::frame::CodecConfig;

    use super::*;

    #[test]
    fn the_messages_are_those_of_the_contract() {
        let avcc = Bytes::from_static(&[1, 0x64, 0, 0x1f]);
        let video = TrackConfig { codec: CodecConfig::H264 { avcc, width: 1280, height: 720 }, timescale: 1_000 };
        let asc = Bytes::from_static(&[0x11, 0x90]);
        let audio = TrackConfig { codec: CodecConfig::Aac { asc, sample_rate: 48_000, channels: 2 }, timescale: 48_000 };
        assert_eq!(
            &*Init::new(1, 1, &[video, audio.clone()], Bytes::new()).info,
            r#"{"type":"info","state":"live","mime":"video/mp4; codecs=\"avc1.64001f,mp4a.40.2\"","video":{"codec":"h264","width":1280,"height":720},"audio":{"codec":"aac","sample_rate":48000,"channels":2}}"#
        );
        assert_eq!(
            &*Init::new(1, 1, &[audio], Bytes::new()).info,
            r#"{"type":"info","state":"live","mime":"audio/mp4; codecs=\"mp4a.40.2\"","video":null,"audio":{"codec":"aac","sample_rate":48000,"channels":2}}"#
        );
        assert_eq!(text(&Status::Skipped.into()), r#"{"type":"status","state":"skipped"}"#);
        let refused = Message::Status { state: Status::Refused, reason: Some("the token was revoked"), waits_ms: None };
        assert_eq!(text(&refused), r#"{"type":"status","state":"refused","reason":"the token was revoked"}"#);
        assert_eq!(text(&Message::Stopped { waits_ms: None }), r#"{"type":"stopped"}"#);
        assert_eq!(text(&Message::Stopped { waits_ms: Some(30_000) }), r#"{"type":"stopped","waits_ms":30000}"#);
        let waits = Message::Status { state: Status::Offline, reason: None, waits_ms: Some(5) };
        assert_eq!(text(&waits), r#"{"type":"status","state":"offline","waits_ms":5}"#);
        let reading = Reading { media_ms: 5, wall_ms: 6 };
        assert_eq!(text(&reading.message(UnixMillis(7))), r#"{"type":"clock","media_ms":5,"wall_ms":6,"server_ms":7}"#);
    }
}
