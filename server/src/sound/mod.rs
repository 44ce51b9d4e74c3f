//! Sound in another codec: AAC to Opus, for viewers by WebRTC, which has no AAC. All decoding is done by FFmpeg through video-rs in a process of its
//! own, as that of pictures: what an encoder sends is anybody's. One process a stream, and only while such a viewer is there. Knows nothing of viewers.

mod interpreter;
mod transcoder;
mod worker;

pub use interpreter::{Interpretation, Interpreter};
pub use worker::{PROTOCOL, work};

/// The longest frame that goes in or comes out.
const MAX_FRAME_BYTES: u32 = 16 << 10;
/// Ticks a second of all times here, and samples of what comes out.
const SAMPLE_RATE: u32 = 48_000;
