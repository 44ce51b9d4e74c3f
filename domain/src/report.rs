//! The account of one recording: what came from the encoder and what of it is in the file.

use serde::{Deserialize, Serialize};

use crate::UnixMillis;

/// A step between two frames of a track that is as long as this, or longer, is told as a gap.
pub const GAP_MS: u64 = 1_000;
/// So many gaps of a track, and so many reconnects, are listed; all are counted.
pub const MAX_LISTED: usize = 100;

/// What became of what an encoder sent. Times are media time from the recording's beginning, in milliseconds.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Pictures first.
    pub tracks: Vec<TrackReport>,
    /// What the recorder wrote, computed while it wrote; absent where a crash or a failing disk came in between.
    pub checksum: Option<Checksum>,
    /// The first hundred times that an encoder left and came back; all are counted.
    #[serde(default)]
    pub reconnects: Vec<Reconnect>,
    #[serde(default)]
    pub reconnect_count: u64,
    /// Frames that were lost between the encoder and the server, or came in vain since they depend on such: over WebRTC, where what is late is given up. At
    /// least so many: of what never came, each break counts as one. Null where a crash took the count with it.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub lost_frames: u64,
    /// Whether the server died while it was recorded: up to about a second of what it had taken just before may be missing. Behind it is only what an encoder sent that
    /// came back.
    #[serde(default)]
    pub server_died: bool,
    /// How much later than the pictures sound begins, and ends; less than 0: earlier. Absent without both.
    #[serde(default)]
    pub av_begin_offset_ms: Option<i64>,
    #[serde(default)]
    pub av_end_offset_ms: Option<i64>,
}

impl Report {
    /// A recording goes on after an encoder was away.
    pub fn add_reconnect(&mut self, reconnect: Reconnect) {
        self.reconnect_count += 1;
        if self.reconnects.len() < MAX_LISTED {
            self.reconnects.push(reconnect);
        }
    }
}

/// An encoder left and came back soon enough for the recording to go on. The time between is not in the recording: what came after follows what came before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reconnect {
    /// Where in the recording: what came first after the return.
    pub at_ms: u64,
    pub left_at: UnixMillis,
    /// From when on it is recorded again: where the storage had no room when the encoder was back, once there was.
    pub back_at: UnixMillis,
}

/// One track of a recording.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrackReport {
    /// `video` or `audio`.
    pub kind: String,
    /// The decoder configurations that came one after another.
    pub configurations: u32,
    /// Frames that came while it was recorded; more than are stored where some came before the first keyframe, which nothing could show. Absent where a
    /// crash took the count with it.
    pub received_frames: Option<u64>,
    pub stored_frames: u64,
    /// Of those that came, the ones before a first keyframe: without it they show nothing.
    #[serde(default)]
    pub left_out_frames: Option<u64>,
    /// What came, less what is stored and what was left out: 0, or something is wrong.
    #[serde(default)]
    pub dropped_frames: Option<u64>,
    /// From the first frame that came to the last one's end, by the encoder's clock, without what was left out.
    #[serde(default)]
    pub received_ms: Option<u64>,
    /// When the first of them is presented.
    pub begins_ms: u64,
    /// From the first one's beginning to the last one's end.
    pub lasts_ms: u64,
    pub media_bytes: u64,
    /// The first hundred of them; all are counted.
    pub gaps: Vec<Gap>,
    pub gap_count: u64,
}

/// A stretch of at least a second without a frame: the frame before it is shown, or silence heard, for so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gap {
    pub from_ms: u64,
    pub to_ms: u64,
}

/// SHA-256 of the last bytes of the file, all that lies behind its index: `tail -c BYTES FILE | sha256sum`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checksum {
    pub last_bytes: u64,
    /// In lower-case hexadecimal digits.
    pub sha256: String,
}
