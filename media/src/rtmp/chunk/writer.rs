//! From messages to chunks.

use bytes::{Buf, Bytes};

use super::super::Output;
use super::EXTENDED_TIMESTAMP;

/// All of a message but its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// 2 to 63.
    pub chunk_stream: u8,
    /// One of [`super::kind`].
    pub kind: u8,
    pub stream_id: u32,
    /// In milliseconds, modulo 2^32.
    pub timestamp: u32,
}

/// Cuts messages into chunks of a fixed size. Each message has a full header, so that nothing depends on what was sent before it.
#[derive(Clone, Copy, Debug)]
pub struct ChunkWriter {
    chunk_bytes: usize,
}

impl ChunkWriter {
    /// `chunk_bytes`: 128 until the peer has been told another size; not 0.
    #[must_use]
    pub fn new(chunk_bytes: usize) -> Self {
        Self { chunk_bytes: chunk_bytes.max(1) }
    }

    /// The payload is `head`, which is copied, and then `body`, which is shared. One beyond 24 bits of length cannot be said in RTMP and
    /// is left out.
    pub fn write(&self, output: &mut Output, header: Header, mut head: &[u8], mut body: Bytes) {
        let Header { chunk_stream, kind, stream_id, timestamp } = header;
        debug_assert!((2..64).contains(&chunk_stream), "longer basic headers are not written");
        let Some(length) = u32::try_from(head.len() + body.len()).ok().filter(|length| *length <= 0xff_ffff) else { return };
        let extended = (timestamp >= EXTENDED_TIMESTAMP).then(|| timestamp.to_be_bytes());
        let [_, t0, t1, t2] = timestamp.min(EXTENDED_TIMESTAMP).to_be_bytes();
        let [_, l0, l1, l2] = length.to_be_bytes();
        let [s0, s1, s2, s3] = stream_id.to_le_bytes();
        output.write(&[chunk_stream, t0, t1, t2, l0, l1, l2, kind, s0, s1, s2, s3]);
        loop {
            if let Some(extended) = &extended {
                output.write(extended);
            }
            let from_head = head.len().min(self.chunk_bytes);
            output.write(&head[..from_head]);
            head.advance(from_head);
            output.share(body.split_to(body.len().min(self.chunk_bytes - from_head)));
            if head.is_empty() && body.is_empty() {
                return;
            }
            output.write(&[0b1100_0000 | chunk_stream]);
        }
    }
}
