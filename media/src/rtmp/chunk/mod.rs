//! Chunks, §5.3: messages cut into pieces, so that a large one does not hold up a small one.

mod reader;
mod writer;

use bytes::Bytes;

pub use reader::ChunkReader;
pub use writer::{ChunkWriter, Header};

/// The timestamp field's value that says: 32 bits follow the header.
const EXTENDED_TIMESTAMP: u32 = 0xff_ffff;

/// Message types, §5.4 and §7.1.
pub mod kind {
    pub const SET_CHUNK_SIZE: u8 = 1;
    pub const ABORT: u8 = 2;
    pub const ACKNOWLEDGEMENT: u8 = 3;
    pub const USER_CONTROL: u8 = 4;
    pub const WINDOW_ACKNOWLEDGEMENT_SIZE: u8 = 5;
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    pub const AUDIO: u8 = 8;
    pub const VIDEO: u8 = 9;
    pub const DATA_AMF3: u8 = 15;
    pub const COMMAND_AMF3: u8 = 17;
    pub const DATA: u8 = 18;
    pub const COMMAND: u8 = 20;
    pub const AGGREGATE: u8 = 22;
}

/// A whole message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// One of [`kind`], or another number.
    pub kind: u8,
    /// Of the NetStream; 0 for the connection itself.
    pub stream_id: u32,
    /// In milliseconds, modulo 2^32.
    pub timestamp: u32,
    pub payload: Bytes,
}
