//! From track configurations and frames to message payloads, for players of `/play`.

use bytes::Bytes;

use crate::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use crate::time::{MILLISECONDS, rescale};

use super::{CODEC_AVC, SOUND_AAC, frame_type, packet_type};

/// The payload of one RTMP message, in two parts so that the media is not copied, and its time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    pub kind: TrackKind,
    /// In milliseconds, from the origin of the frame's dts. 0 for configurations.
    pub timestamp_ms: i64,
    pub header: TagHeader,
    /// What follows the header.
    pub body: Bytes,
}

impl Tag {
    /// Bytes of header and body together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.header.as_slice().len() + self.body.len()
    }

    /// Never: there is always a header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// The bytes in front of the media: at most five.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TagHeader {
    Video([u8; 5]),
    Audio([u8; 2]),
}

impl TagHeader {
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Video(bytes) => bytes,
            Self::Audio(bytes) => bytes,
        }
    }

    fn video(frame_type: u8, packet_type: u8, composition_time_ms: i32) -> Self {
        let [_, c0, c1, c2] = composition_time_ms.to_be_bytes();
        Self::Video([frame_type << 4 | CODEC_AVC, packet_type, c0, c1, c2])
    }

    /// §E.4.2.1: for AAC the rate, size and channel bits are always 44 kHz, 16 bits, stereo, and mean nothing.
    fn audio(packet_type: u8) -> Self {
        Self::Audio([SOUND_AAC << 4 | 0x0f, packet_type])
    }
}

/// The sequence header of a track.
#[must_use]
pub fn config_tag(config: &TrackConfig) -> Tag {
    let (header, body) = match &config.codec {
        CodecConfig::H264 { avcc, .. } => (TagHeader::video(frame_type::KEY, packet_type::SEQUENCE_START, 0), avcc),
        CodecConfig::Aac { asc, .. } => (TagHeader::audio(packet_type::SEQUENCE_START), asc),
    };
    Tag { kind: config.codec.kind(), timestamp_ms: 0, header, body: body.clone() }
}

/// A frame of a track with this timescale. Composition times beyond the 24 bits of FLV, more than two hours, are cut to fit.
#[must_use]
pub fn frame_tag(frame: &Frame, timescale: u32) -> Tag {
    let header = match frame.kind {
        TrackKind::Video => {
            let frame_type = if frame.keyframe { frame_type::KEY } else { frame_type::INTER };
            // From the two rounded times, so that the presentation times too are the nearest milliseconds.
            let composition_time_ms = rescale(frame.pts(), timescale, MILLISECONDS) - rescale(frame.dts, timescale, MILLISECONDS);
            TagHeader::video(frame_type, packet_type::CODED_FRAMES, composition_time_ms.clamp(-0x80_0000, 0x7f_ffff) as i32)
        }
        TrackKind::Audio => TagHeader::audio(packet_type::CODED_FRAMES),
    };
    Tag { kind: frame.kind, timestamp_ms: rescale(frame.dts, timescale, MILLISECONDS), header, body: frame.data.clone() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flv::{Demuxer, Packet};

    const AVCC: &[u8] = include_bytes!("../../tests/data/x264-640x360.avcc");

    fn payload(tag: &Tag) -> Bytes {
        Bytes::from([tag.header.as_slice(), &tag.body].concat())
    }

    fn configs() -> [TrackConfig; 2] {
        [
            TrackConfig {
                codec: CodecConfig::H264 { avcc: Bytes::from_static(AVCC), width: 640, height: 360 },
                timescale: 1_000,
            },
            TrackConfig {
                codec: CodecConfig::Aac { asc: Bytes::from_static(&[0x11, 0x90]), sample_rate: 48_000, channels: 2 },
                timescale: 48_000,
            },
        ]
    }

    #[test]
    fn the_media_is_shared_not_copied() {
        let data = Bytes::from_static(&[0, 0, 0, 1, 0x65]);
        let frame = Frame { kind: TrackKind::Video, dts: 90_000, pts_offset: -3_600, keyframe: true, data: data.clone() };
        let tag = frame_tag(&frame, 90_000);
        assert_eq!(tag.body.as_ptr(), data.as_ptr());
        assert_eq!(tag.timestamp_ms, 1_000);
        assert_eq!(tag.header.as_slice(), [0x17, 1, 0xff, 0xff, 0xd8]);
        assert_eq!(tag.len(), 10);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(dts in 0_i64..1_000_000_000, pts_offset in -0x80_0000_i32..0x7f_ffff, keyframe: bool) {
            let mut demuxer = Demuxer::new();
            let [video, audio] = configs();
            prop_assert_eq!(demuxer.video(0, &payload(&config_tag(&video))).unwrap(), Packet::Config(video));
            prop_assert_eq!(demuxer.audio(0, &payload(&config_tag(&audio))).unwrap(), Packet::Config(audio));
            let data = Bytes::from(vec![0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }]);
            let frame = Frame { kind: TrackKind::Video, dts, pts_offset, keyframe, data: data.clone() };
            let tag = frame_tag(&frame, 1_000);
            prop_assert_eq!(demuxer.video(tag.timestamp_ms, &payload(&tag)).unwrap(), Packet::Frame(frame));
            let frame = Frame { kind: TrackKind::Audio, dts: dts * 48, pts_offset: 0, keyframe: true, data };
            let tag = frame_tag(&frame, 48_000);
            prop_assert_eq!(demuxer.audio(tag.timestamp_ms, &payload(&tag)).unwrap(), Packet::Frame(frame));
        }
    }
}
