//! The account of one recording: what came from the encoder and what of it is in the file.

use serde::{Deserialize, Serialize};

/// A step between two frames of a track that is longer than this is told as a gap.
pub const GAP_MS: u64 = 1_000;
/// So many gaps of a track are listed; all are counted.
pub const MAX_LISTED_GAPS: usize = 100;

/// What became of what an encoder sent. Times are media time from the recording's beginning, in milliseconds.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Pictures first.
    pub tracks: Vec<TrackReport>,
    /// What the recorder wrote, computed while it wrote; absent where a crash or a failing disk came in between.
    pub checksum: Option<Checksum>,
}

/// One track of a recording.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrackReport {
    /// `video` or `audio`.
    pub kind: String,
    /// The decoder configurations that came one after another.
    pub configurations: u32,
    /// Frames that came while it was recorded; more than are stored where some came before the first key frame, which nothing could show. Absent where a
    /// crash took the count with it.
    pub received_frames: Option<u64>,
    pub stored_frames: u64,
    /// When the first of them is presented.
    pub begins_ms: u64,
    /// From the first one's beginning to the last one's end.
    pub lasts_ms: u64,
    pub media_bytes: u64,
    /// The first [`MAX_LISTED_GAPS`] of them.
    pub gaps: Vec<Gap>,
    pub gap_count: u64,
}

/// A stretch of at least [`GAP_MS`] without a frame: the frame before it is shown, or silence heard, for so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gap {
    pub from_ms: u64,
    pub to_ms: u64,
}

/// SHA-256 of the last bytes of the file, all that lies behind its index: `tail -c BYTES FILE | sha256sum`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checksum {
    pub last_bytes: u64,
    /// In lower-case hexadecimal digits.
    pub sha256: String,
}
