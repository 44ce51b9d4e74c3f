//! From track configurations and frames to message payloads, for players of `/play`.

use bytes::Bytes;

use crate::codec::opus;
use crate::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use crate::time::{MILLISECONDS, rescale};

use super::{CODEC_AVC, SOUND_AAC, SOUND_EX_HEADER, fourcc, frame_type, packet_type};

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

/// The most bytes of a header: extended, with a composition time.
const MAX_HEADER_BYTES: usize = 8;

/// The bytes in front of the media.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TagHeader {
    bytes: [u8; MAX_HEADER_BYTES],
    length: u8,
}

impl TagHeader {
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// No more than [`MAX_HEADER_BYTES`].
    fn of(parts: [&[u8]; 3]) -> Self {
        let mut header = Self { bytes: [0; MAX_HEADER_BYTES], length: 0 };
        for byte in parts.into_iter().flatten() {
            header.bytes[usize::from(header.length)] = *byte;
            header.length += 1;
        }
        header
    }

    /// `composition_time` stands only where H.264 and HEVC have one.
    fn video(codec: &CodecConfig, frame_type: u8, packet_type: u8, composition_time: [u8; 3]) -> Self {
        let extended = |fourcc: &[u8; 4], composition_time: &[u8]| {
            Self::of([&[0x80 | frame_type << 4 | packet_type], fourcc, composition_time])
        };
        match codec {
            CodecConfig::Hevc { .. } if packet_type == packet_type::CODED_FRAMES => extended(fourcc::HEVC, &composition_time),
            CodecConfig::Hevc { .. } => extended(fourcc::HEVC, &[]),
            CodecConfig::Av1 { .. } => extended(fourcc::AV1, &[]),
            // Players of before Enhanced RTMP know this one.
            _ => Self::of([&[frame_type << 4 | CODEC_AVC], &[packet_type], &composition_time]),
        }
    }

    /// §E.4.2.1: for AAC the rate, size and channel bits are always 44 kHz, 16 bits, stereo, and mean nothing.
    fn audio(codec: &CodecConfig, packet_type: u8) -> Self {
        match codec {
            CodecConfig::Opus { .. } => Self::of([&[SOUND_EX_HEADER << 4 | packet_type], fourcc::OPUS, &[]]),
            _ => Self::of([&[SOUND_AAC << 4 | 0x0f], &[packet_type], &[]]),
        }
    }
}

/// The sequence header of a track.
#[must_use]
pub fn config_tag(config: &TrackConfig) -> Tag {
    let codec = &config.codec;
    let kind = codec.kind();
    let header = match kind {
        TrackKind::Video => TagHeader::video(codec, frame_type::KEY, packet_type::SEQUENCE_START, [0; 3]),
        TrackKind::Audio => TagHeader::audio(codec, packet_type::SEQUENCE_START),
    };
    let body = match codec {
        CodecConfig::H264 { avcc: record, .. }
        | CodecConfig::Hevc { hvcc: record, .. }
        | CodecConfig::Av1 { av1c: record, .. }
        | CodecConfig::Aac { asc: record, .. } => record.clone(),
        CodecConfig::Opus { dops, .. } => opus::id_header(dops),
    };
    Tag { kind, timestamp_ms: 0, header, body }
}

/// A frame of this track. Composition times beyond the 24 bits of FLV, more than two hours, are cut to fit.
#[must_use]
pub fn frame_tag(frame: &Frame, track: &TrackConfig) -> Tag {
    let timescale = track.timescale;
    let header = match frame.kind {
        TrackKind::Video => {
            let frame_type = if frame.keyframe { frame_type::KEY } else { frame_type::INTER };
            // From the two rounded times, so that the presentation times too are the nearest milliseconds.
            let composition_time_ms = rescale(frame.pts(), timescale, MILLISECONDS) - rescale(frame.dts, timescale, MILLISECONDS);
            let [_, time @ ..] = (composition_time_ms.clamp(-0x80_0000, 0x7f_ffff) as i32).to_be_bytes();
            TagHeader::video(&track.codec, frame_type, packet_type::CODED_FRAMES, time)
        }
        TrackKind::Audio => TagHeader::audio(&track.codec, packet_type::CODED_FRAMES),
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

    const HVCC: &[u8] = include_bytes!("../../tests/data/x265-320x180.hvcc");
    const AV1C: &[u8] = &[0x81, 0, 0x0c, 0, 0x0a, 0x0b, 2, 0, 0, 5, 0x21, 0xe7, 0xf6, 0x60, 0x17, 0xc0, 2];
    const DOPS: &[u8] = &[0, 2, 1, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0];

    fn h264() -> TrackConfig {
        let codec = CodecConfig::H264 { avcc: Bytes::from_static(AVCC), width: 640, height: 360 };
        TrackConfig { codec, timescale: 1_000 }
    }

    /// A video and an audio track with a keyframe, another frame and a packet of sound.
    fn pairs() -> [(TrackConfig, TrackConfig, [&'static [u8]; 3]); 3] {
        let video = |codec| TrackConfig { codec, timescale: 1_000 };
        let aac = CodecConfig::Aac { asc: Bytes::from_static(&[0x11, 0x90]), sample_rate: 48_000, channels: 2 };
        let opus = CodecConfig::Opus { dops: Bytes::from_static(DOPS), channels: 2, pre_skip: 312 };
        let [aac, opus] = [aac, opus].map(|codec| TrackConfig { codec, timescale: 48_000 });
        let hevc = video(CodecConfig::Hevc { hvcc: Bytes::from_static(HVCC), width: 320, height: 180 });
        let av1 = video(CodecConfig::Av1 { av1c: Bytes::from_static(AV1C), width: 320, height: 180 });
        [
            (h264(), aac, [&[0, 0, 0, 1, 0x65], &[0, 0, 0, 1, 0x41], &[0x21]]),
            (hevc, opus.clone(), [&[0, 0, 0, 2, 38, 1], &[0, 0, 0, 2, 2, 1], &[0xf8, 1]]),
            (av1, opus, [&[0x32, 1, 0x10], &[0x32, 1, 0x30], &[0xf8, 1]]),
        ]
    }

    #[test]
    fn the_media_is_shared_not_copied() {
        let data = Bytes::from_static(&[0, 0, 0, 1, 0x65]);
        let frame = Frame { kind: TrackKind::Video, dts: 90_000, pts_offset: -3_600, keyframe: true, data: data.clone() };
        let tag = frame_tag(&frame, &TrackConfig { timescale: 90_000, ..h264() });
        assert_eq!(tag.body.as_ptr(), data.as_ptr());
        assert_eq!(tag.timestamp_ms, 1_000);
        assert_eq!(tag.header.as_slice(), [0x17, 1, 0xff, 0xff, 0xd8]);
        assert_eq!(tag.len(), 10);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(dts in 0_i64..1_000_000_000, pts_offset in -10_000_i32..=10_000, keyframe: bool) {
            for (video, audio, [key, inter, sound]) in pairs() {
                let mut demuxer = Demuxer::new();
                prop_assert_eq!(demuxer.video(0, &payload(&config_tag(&video))).unwrap(), Packet::Config(video.clone()));
                prop_assert_eq!(demuxer.audio(0, &payload(&config_tag(&audio))).unwrap(), Packet::Config(audio.clone()));
                let data = Bytes::from_static(if keyframe { key } else { inter });
                // AV1 is shown in the order in which it is decoded.
                let pts_offset = if matches!(video.codec, CodecConfig::Av1 { .. }) { 0 } else { pts_offset };
                let frame = Frame { kind: TrackKind::Video, dts, pts_offset, keyframe, data };
                let tag = frame_tag(&frame, &video);
                prop_assert_eq!(demuxer.video(tag.timestamp_ms, &payload(&tag)).unwrap(), Packet::Frame(frame));
                let data = Bytes::from_static(sound);
                let frame = Frame { kind: TrackKind::Audio, dts: dts * 48, pts_offset: 0, keyframe: true, data };
                let tag = frame_tag(&frame, &audio);
                prop_assert_eq!(demuxer.audio(tag.timestamp_ms, &payload(&tag)).unwrap(), Packet::Frame(frame));
            }
        }
    }
}
