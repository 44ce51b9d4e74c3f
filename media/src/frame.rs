//! The nouns every protocol and container translates to and from: tracks and their frames.

use bytes::Bytes;

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
    /// AAC. `asc` is an `AudioSpecificConfig` (ISO/IEC 14496-3 §1.6.2.1), which has been parsed once with success.
    /// `sample_rate` is that of the core coder in Hz, and what a frame's [`TrackConfig::timescale`] should be.
    Aac { asc: Bytes, sample_rate: u32, channels: u8 },
}

impl CodecConfig {
    #[must_use]
    pub fn kind(&self) -> TrackKind {
        match self {
            Self::H264 { .. } => TrackKind::Video,
            Self::Aac { .. } => TrackKind::Audio,
        }
    }

    /// What the decoder is set up with, as it came: the record that the variant names.
    #[must_use]
    pub fn configuration(&self) -> &Bytes {
        match self {
            Self::H264 { avcc, .. } => avcc,
            Self::Aac { asc, .. } => asc,
        }
    }

    /// `h264` or `aac`, as the API names codecs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::H264 { .. } => "h264",
            Self::Aac { .. } => "aac",
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
    /// For video: decoding can start here (an IDR picture). Always true for audio.
    pub keyframe: bool,
    /// As MP4 stores it: for H.264 NAL units behind lengths of the size that `avcc` names, for AAC one raw frame.
    pub data: Bytes,
}

impl Frame {
    /// Presentation time in the track's timescale.
    #[must_use]
    pub fn pts(&self) -> i64 {
        self.dts + i64::from(self.pts_offset)
    }
}
