//! FLV: what the payload of an RTMP audio or video message holds, both ways.
//!
//! Adobe's FLV specification 10.1 §E.4.2 and §E.4.3, and the tag headers of Enhanced RTMP v2. Chunks, commands and metadata belong to `rtmp`.

mod demux;
mod file;
mod header;
mod mux;

pub use demux::{Demuxer, FlvError, Ignored, MAX_CONFIG_BYTES, Packet};
pub use file::{FileTag, file_tags};
pub use mux::{Tag, TagHeader, config_tag, frame_tag};

/// `FrameType`: the upper four bits of a video tag's first byte.
mod frame_type {
    pub(super) const KEY: u8 = 1;
    pub(super) const INTER: u8 = 2;
    pub(super) const COMMAND: u8 = 5;
}

/// `CodecID` of a legacy video tag.
const CODEC_AVC: u8 = 7;
/// The same, by a custom that is older than Enhanced RTMP.
const CODEC_HEVC: u8 = 12;
/// `SoundFormat` of a legacy audio tag.
const SOUND_AAC: u8 = 10;
/// `SoundFormat` that announces an Enhanced RTMP header.
const SOUND_EX_HEADER: u8 = 9;

/// `AVCPacketType` and `AACPacketType`; Enhanced RTMP kept the numbers of the first three.
mod packet_type {
    pub(super) const SEQUENCE_START: u8 = 0;
    pub(super) const CODED_FRAMES: u8 = 1;
    pub(super) const SEQUENCE_END: u8 = 2;
    /// Video only: coded frames without a composition time, which then is 0.
    pub(super) const CODED_FRAMES_X: u8 = 3;
    /// Video: 5 and 6 are MPEG-2 sequence start and multitrack. Audio: 5 is multitrack. 7 is ModEx for both.
    pub(super) const VIDEO_METADATA: u8 = 4;
    pub(super) const AUDIO_MULTICHANNEL: u8 = 4;
    pub(super) const VIDEO_MULTITRACK: u8 = 6;
    pub(super) const AUDIO_MULTITRACK: u8 = 5;
    pub(super) const MOD_EX: u8 = 7;
}

/// `AvMultitrackType`.
mod multitrack {
    pub(super) const ONE_TRACK: u8 = 0;
    pub(super) const MANY_TRACKS_MANY_CODECS: u8 = 2;
}

/// The track that is taken where there are several: the one of the highest priority or quality.
const DEFAULT_TRACK: u8 = 0;

/// The codecs that are taken with extended headers.
pub mod fourcc {
    pub const AVC: &[u8; 4] = b"avc1";
    pub const HEVC: &[u8; 4] = b"hvc1";
    pub const AV1: &[u8; 4] = b"av01";
    pub const AAC: &[u8; 4] = b"mp4a";
    pub const OPUS: &[u8; 4] = b"Opus";
}
