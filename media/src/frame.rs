//! The nouns every protocol and container translates to and from: tracks and their frames.

use bytes::Bytes;

use crate::codec::aac::AacConfig;
use crate::codec::{PictureSize, opus};

/// Which of a stream's tracks. A stream has at most one of each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TrackKind {
    Video,
    Audio,
}

/// What a decoder must know before the first frame of a track.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CodecConfig {
    /// H.264. `avcc` is an `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 §5.3.3.1), which has been parsed once with success;
    /// `width` and `height` are what a player shows, in pixels, after cropping.
    H264 { avcc: Bytes, width: u16, height: u16 },
    /// HEVC. `hvcc` is an `HEVCDecoderConfigurationRecord` (ISO/IEC 14496-15 §8.3.3.1); the rest as with H.264.
    Hevc { hvcc: Bytes, width: u16, height: u16 },
    /// AV1. `av1c` is an `AV1CodecConfigurationRecord` with a sequence header (§2.3 of AV1's file format binding); the rest as with H.264.
    Av1 { av1c: Bytes, width: u16, height: u16 },
    /// AAC. `asc` is an `AudioSpecificConfig` (ISO/IEC 14496-3 §1.6.2.1), which has been parsed once with success.
    /// `sample_rate` is that of the core coder in Hz, and what a frame's [`TrackConfig::timescale`] should be.
    Aac { asc: Bytes, sample_rate: u32, channels: u8 },
    /// Opus. `dops` is the body of a `dOps` box ("Encapsulation of Opus in ISO Base Media File Format" §4.3.2), which has been parsed once with
    /// success. A frame's [`TrackConfig::timescale`] is 48 000. The first `pre_skip` samples of what is decoded are not to be heard.
    Opus { dops: Bytes, channels: u8, pre_skip: u16 },
}

/// What listeners get of an audio track.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sound {
    /// As decoded, in Hz: with HE-AAC that says so twice that of the core coder.
    pub sample_rate: u32,
    pub channels: u8,
}

impl CodecConfig {
    #[must_use]
    pub fn kind(&self) -> TrackKind {
        match self {
            Self::H264 { .. } | Self::Hevc { .. } | Self::Av1 { .. } => TrackKind::Video,
            Self::Aac { .. } | Self::Opus { .. } => TrackKind::Audio,
        }
    }

    /// What the decoder is set up with, as it came: the record that the variant names.
    #[must_use]
    pub fn configuration(&self) -> &Bytes {
        match self {
            Self::H264 { avcc: record, .. }
            | Self::Hevc { hvcc: record, .. }
            | Self::Av1 { av1c: record, .. }
            | Self::Aac { asc: record, .. }
            | Self::Opus { dops: record, .. } => record,
        }
    }

    /// `h264`, `hevc`, `av1`, `aac` or `opus`, as the API names codecs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::H264 { .. } => "h264",
            Self::Hevc { .. } => "hevc",
            Self::Av1 { .. } => "av1",
            Self::Aac { .. } => "aac",
            Self::Opus { .. } => "opus",
        }
    }

    /// What viewers see of a video track; `None` for audio.
    #[must_use]
    pub fn picture(&self) -> Option<PictureSize> {
        match *self {
            Self::H264 { width, height, .. } | Self::Hevc { width, height, .. } | Self::Av1 { width, height, .. } => {
                Some(PictureSize { width, height })
            }
            Self::Aac { .. } | Self::Opus { .. } => None,
        }
    }

    /// What listeners get of an audio track; `None` for video.
    #[must_use]
    pub fn sound(&self) -> Option<Sound> {
        match *self {
            Self::H264 { .. } | Self::Hevc { .. } | Self::Av1 { .. } => None,
            Self::Aac { ref asc, sample_rate, channels } => {
                let sample_rate = AacConfig::parse(asc).map_or(sample_rate, |config| config.output_sample_rate);
                Some(Sound { sample_rate, channels })
            }
            Self::Opus { channels, .. } => Some(Sound { sample_rate: opus::SAMPLE_RATE, channels }),
        }
    }
}

/// A track as it stands: replaced as a whole when the encoder sends new parameter sets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackConfig {
    pub codec: CodecConfig,
    /// Ticks a second of this track's timestamps. Never 0.
    pub timescale: u32,
}

/// One access unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub kind: TrackKind,
    /// Decoding time in the track's timescale, from an origin that all tracks of the publish share.
    pub dts: i64,
    /// Presentation time less decoding time, in the track's timescale. Not negative for frames from RTMP encoders that keep to the rules.
    pub pts_offset: i32,
    /// For video: decoding can start here (an IDR picture of H.264, any random access picture of HEVC, a shown keyframe of
    /// AV1). Always true for audio.
    pub keyframe: bool,
    /// As MP4 stores it: for H.264 and HEVC NAL units behind lengths of the size that the configuration names, for AV1 a temporal unit without
    /// its delimiter, for AAC one raw frame, for Opus one packet.
    pub data: Bytes,
}

impl Frame {
    /// Presentation time in the track's timescale.
    #[must_use]
    pub fn pts(&self) -> i64 {
        self.dts + i64::from(self.pts_offset)
    }
}
