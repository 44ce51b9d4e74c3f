//! What has to be decoded of live sound: AAC becomes Opus for viewers by WebRTC, which has no AAC, and Opus AAC for RTMP as most of it is, which has no Opus;
//! and how loud it is, for the dashboard. All decoding is done by FFmpeg through video-rs in a process of its own, as that of pictures: what an encoder sends is
//! anybody's. One process a stream and purpose, and only while somebody needs it. Knows nothing of who that is.

mod aac_viewer;
mod decoder;
#[cfg(test)]
mod generated;
mod interpreter;
mod loudness;
mod meter;
mod meters;
mod process;
mod transcoder;
mod worker;

use afterlive_media::frame::CodecConfig;
use clap::ValueEnum;

pub use aac_viewer::{AacViewer, Takes};
pub use interpreter::{Interpretation, Interpreter};
pub use loudness::{Level, Loudness};
pub use meters::Meters;
pub use worker::{PROTOCOL, work};

/// The longest frame that goes in or comes out.
const MAX_FRAME_BYTES: u32 = 16 << 10;
/// Ticks a second of all times here, and samples of what comes out.
const SAMPLE_RATE: u32 = 48_000;
const CHANNELS: usize = 2;

/// What sound becomes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, ValueEnum)]
pub enum Target {
    /// Of AAC.
    Opus,
    /// Of Opus with one or two channels.
    Aac,
    /// Figures of how loud it is, of both.
    Levels,
}

/// What sound is encoded in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Codec {
    Opus,
    Aac,
}

impl Target {
    /// Its name on the command line of the process.
    fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Aac => "aac",
            Self::Levels => "levels",
        }
    }

    /// Whether sound of this codec can become it.
    #[must_use]
    pub fn is_made_of(self, codec: &CodecConfig) -> bool {
        match (self, codec) {
            (Self::Opus | Self::Levels, CodecConfig::Aac { .. }) => true,
            // More of them need their mapping, which only some containers carry.
            (Self::Aac | Self::Levels, CodecConfig::Opus { channels, .. }) => *channels <= 2,
            _ => false,
        }
    }
}
