//! HLS, low latency: where a stream is cut into segments and parts, and the playlists that tell of them. Pure: a description goes in, text comes out.
//!
//! RFC 8216bis ("HTTP Live Streaming 2nd Edition"). Who keeps the bytes, who waits and who is served stands in `server`.

mod cut;
mod playlist;
mod text;

pub use cut::{Cut, Cutter, MAX_SEGMENT_MS, PART_MS};
pub use playlist::{MediaPlaylist, Part, Reload, Segment, Variant, multivariant_playlist};
pub use text::{MediaPlaylistText, media_playlist};
