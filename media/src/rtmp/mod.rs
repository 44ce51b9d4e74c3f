//! RTMP: bytes of a peer in, events out, bytes for the peer out. Adobe's RTMP 1.0 specification, and what encoders do beside it. [`Session`] is the
//! server's side of a connection, [`Client`] a publisher's.
//!
//! No socket, clock or task: the caller carries bytes and decides who may publish. What the payloads of media messages hold is `flv`'s matter.
//!
//! Memory follows what has arrived, never what a peer declares: a header that announces 16 MB costs nothing until the bytes come, and
//! [`Limits`] bounds those.

pub mod amf0;
mod chunk;
mod client;
mod handshake;
mod output;
mod session;
mod timestamp;

pub use chunk::{ChunkReader, ChunkWriter, Header, Message, kind};
pub use client::{Client, Destination, Reply};
pub use output::Output;
pub use session::{Connect, Event, Name, Session};
pub use timestamp::TimestampUnwrapper;

/// Where this server's patience with one connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Chunk streams in use. OBS uses 2, FFmpeg 5.
    pub chunk_streams: usize,
    /// Bytes of one message that is not media, and of any message before a publish has been accepted.
    pub command_bytes: usize,
    /// Bytes of one audio or video message of an accepted publish.
    pub media_bytes: usize,
    /// Bytes of messages that have begun and are not complete, before a publish has been accepted.
    pub partial_bytes: usize,
    /// The same, of an accepted publish.
    pub partial_media_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            chunk_streams: 16,
            command_bytes: 32 << 10,
            media_bytes: 8 << 20,
            partial_bytes: 32 << 10,
            partial_media_bytes: 12 << 20,
        }
    }
}

/// The largest chunk a peer is believed to send; what it announces beyond that means the same, for no message is longer.
pub const MAX_CHUNK_BYTES: usize = 0xff_ffff;

/// Why a connection cannot go on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("the peer does not speak RTMP: its first byte is {0:#04x}")]
    NotRtmp(u8),
    #[error("more than {limit} chunk streams")]
    TooManyChunkStreams { limit: usize },
    #[error("chunk stream {0} continues what it never began")]
    OrphanChunk(u32),
    #[error("a message of {length} bytes where {limit} are allowed")]
    MessageTooLarge { length: usize, limit: usize },
    #[error("more than {limit} bytes of incomplete messages")]
    TooMuchIncomplete { limit: usize },
    #[error("a chunk size of {0}")]
    BadChunkSize(u32),
    #[error("a message of type {kind} is too short")]
    ShortMessage { kind: u8 },
    #[error("a command cannot be read: {0}")]
    Amf(#[from] amf0::Error),
    #[error("the command {command} is out of place")]
    OutOfPlace { command: &'static str },
}
