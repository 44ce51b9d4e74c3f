//! Media: bytes in, bytes out. Codec parameter sets, FLV, RTMP's wire format, MP4 and the playlists of HLS.
//!
//! Nothing here opens a file or a socket, reads a clock or knows tokio; so all of it can be fuzzed and simulated.

pub mod codec;
pub mod flv;
pub mod frame;
pub mod hls;
pub mod mp4;
pub mod rtmp;
pub mod rtp;
pub mod time;
pub mod timeline;
