//! From chunks to messages.

use bytes::Bytes;

use super::super::handshake::take;
use super::super::{Error, Limits, MAX_CHUNK_BYTES};
use super::{EXTENDED_TIMESTAMP, Message, kind};

/// Before anyone says otherwise, §5.4.1.
const INITIAL_CHUNK_BYTES: usize = 128;
/// Basic header, message header and extended timestamp at their longest.
const MAX_HEADER_BYTES: usize = 3 + 11 + 4;

/// Puts a peer's chunks together. Each byte of a payload is copied once, into the message's own memory, which grows as bytes come.
#[derive(Debug)]
pub struct ChunkReader {
    limits: Limits,
    /// Whether a publish has been accepted, so that large messages may come.
    takes_media: bool,
    chunk_bytes: usize,
    streams: Vec<ChunkStream>,
    /// Bytes of all messages that are not complete.
    partial_bytes: usize,
    at: Position,
}

#[derive(Debug)]
enum Position {
    /// In a chunk's header, of which so much has been seen.
    Header { seen: [u8; MAX_HEADER_BYTES], length: usize },
    /// In the payload of a chunk of `streams[index]`.
    Payload { index: usize, left: usize },
}

impl Position {
    const START: Self = Self::Header { seen: [0; MAX_HEADER_BYTES], length: 0 };
}

/// What is known of one chunk stream: its last header, and its message in progress.
#[derive(Debug, Default)]
struct ChunkStream {
    id: u32,
    timestamp: u32,
    /// What a header of type 3 that begins a message adds.
    delta: u32,
    /// Whether the last header of type 0, 1 or 2 was of type 0.
    absolute: bool,
    /// Whether that header had an extended timestamp; then those of type 3 have one as well.
    extended: bool,
    length: usize,
    kind: u8,
    stream_id: u32,
    /// Whether a message has begun and is not complete.
    in_progress: bool,
    partial: Vec<u8>,
}

/// How many bytes a header has in all, as far as those that were seen tell; at least one more than `seen` where it is not complete.
fn header_length(seen: &[u8], extended: impl Fn(u32) -> bool) -> usize {
    let Some(&first) = seen.first() else { return 1 };
    let basic = basic_length(first);
    if seen.len() < basic {
        return basic;
    }
    let plain = basic + message_header_length(first >> 6);
    if seen.len() < plain {
        return plain;
    }
    let is_extended = if first >> 6 == 3 { extended(chunk_stream_id(seen)) } else { u24(&seen[basic..]) == EXTENDED_TIMESTAMP };
    if is_extended { plain + 4 } else { plain }
}

/// §5.3.1.1.
fn basic_length(first: u8) -> usize {
    match first & 0x3f {
        0 => 2,
        1 => 3,
        _ => 1,
    }
}

fn chunk_stream_id(header: &[u8]) -> u32 {
    match header[0] & 0x3f {
        0 => 64 + u32::from(header[1]),
        1 => 64 + u32::from(header[1]) + 256 * u32::from(header[2]),
        id => u32::from(id),
    }
}

/// §5.3.1.2.
fn message_header_length(format: u8) -> usize {
    match format {
        0 => 11,
        1 => 7,
        2 => 3,
        _ => 0,
    }
}

fn u24(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]])
}

impl ChunkReader {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            takes_media: false,
            chunk_bytes: INITIAL_CHUNK_BYTES,
            streams: Vec::new(),
            partial_bytes: 0,
            at: Position::START,
        }
    }

    /// Reads on to the end of the next message, and leaves what follows it in `input`. `None`: the input is used up.
    ///
    /// # Errors
    /// Where a limit is passed or the chunks make no sense; then nothing further can be read.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        loop {
            match &mut self.at {
                Position::Header { seen, length } => {
                    let streams = &self.streams;
                    let extended = |id| streams.iter().any(|stream| stream.id == id && stream.extended);
                    loop {
                        let whole = header_length(&seen[..*length], extended);
                        if *length == whole {
                            break;
                        }
                        let taken = take(input, whole - *length);
                        if taken.is_empty() {
                            return Ok(None);
                        }
                        seen[*length..*length + taken.len()].copy_from_slice(taken);
                        *length += taken.len();
                    }
                    let (header, length) = (*seen, *length);
                    let index = self.begin_chunk(&header[..length])?;
                    let stream = &self.streams[index];
                    let left = (stream.length - stream.partial.len()).min(self.chunk_bytes);
                    self.at = Position::Payload { index, left };
                }
                Position::Payload { index, left } => {
                    let stream = &mut self.streams[*index];
                    let taken = take(input, *left);
                    if taken.is_empty() && *left > 0 {
                        return Ok(None);
                    }
                    *left -= taken.len();
                    self.partial_bytes += taken.len();
                    let limit = if self.takes_media { self.limits.partial_media_bytes } else { self.limits.partial_bytes };
                    if self.partial_bytes > limit {
                        return Err(Error::TooMuchIncomplete { limit });
                    }
                    let alone = self.partial_bytes == stream.partial.len() + taken.len();
                    stream.append(taken, if alone { input.len() } else { 0 });
                    if *left == 0 {
                        let complete = stream.partial.len() == stream.length;
                        let message = complete.then(|| stream.complete());
                        self.at = Position::START;
                        if let Some(message) = message {
                            self.partial_bytes -= message.payload.len();
                            return Ok(Some(message));
                        }
                    }
                }
            }
        }
    }

    /// Takes in a whole header; gives the index of its chunk stream.
    fn begin_chunk(&mut self, header: &[u8]) -> Result<usize, Error> {
        let format = header[0] >> 6;
        let id = chunk_stream_id(header);
        let index = self.find_or_add(id, format)?;
        let stream = &mut self.streams[index];
        let fields = &header[basic_length(header[0])..];
        let (fields, extended_field) = fields.split_at(message_header_length(format));
        let extended = extended_field.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));

        if format == 3 {
            if stream.in_progress {
                return Ok(index);
            }
            stream.repeat_header(extended);
        } else {
            // In the middle of a message a new header means that the peer gave that message up.
            self.partial_bytes -= stream.partial.len();
            stream.partial = Vec::new();
            stream.replace_header(format, fields, extended);
        }
        stream.in_progress = true;
        let limit = match stream.kind {
            kind::AUDIO | kind::VIDEO | kind::AGGREGATE if self.takes_media => self.limits.media_bytes,
            _ => self.limits.command_bytes,
        };
        if stream.length > limit {
            return Err(Error::MessageTooLarge { length: stream.length, limit });
        }
        Ok(index)
    }

    fn find_or_add(&mut self, id: u32, format: u8) -> Result<usize, Error> {
        if let Some(index) = self.streams.iter().position(|stream| stream.id == id) {
            return Ok(index);
        }
        // Type 1 says all but the NetStream, and librtmp's family does begin with it.
        if format >= 2 {
            return Err(Error::OrphanChunk(id));
        }
        if self.streams.len() >= self.limits.chunk_streams {
            return Err(Error::TooManyChunkStreams { limit: self.limits.chunk_streams });
        }
        self.streams.push(ChunkStream { id, ..ChunkStream::default() });
        Ok(self.streams.len() - 1)
    }

    /// §5.4.1.
    ///
    /// # Errors
    /// For a size of zero or with the highest bit set.
    pub fn set_chunk_size(&mut self, bytes: u32) -> Result<(), Error> {
        if bytes == 0 || bytes > i32::MAX.cast_unsigned() {
            return Err(Error::BadChunkSize(bytes));
        }
        self.chunk_bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(MAX_CHUNK_BYTES);
        Ok(())
    }

    /// §5.4.2: the rest of the message in progress on that chunk stream will not come.
    pub fn abort(&mut self, chunk_stream: u32) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == chunk_stream) {
            self.partial_bytes -= stream.partial.len();
            stream.partial = Vec::new();
            stream.in_progress = false;
        }
    }

    /// Whether messages of the size of media may come from now on.
    pub fn takes_media(&mut self, takes_media: bool) {
        self.takes_media = takes_media;
    }
}

impl ChunkStream {
    /// A header of type 0, 1 or 2, §5.3.1.2.1 to 3.
    fn replace_header(&mut self, format: u8, fields: &[u8], extended: Option<u32>) {
        let field = extended.unwrap_or(u24(fields));
        self.extended = extended.is_some();
        self.absolute = format == 0;
        self.delta = field;
        self.timestamp = if format == 0 { field } else { self.timestamp.wrapping_add(field) };
        if format < 2 {
            self.length = u24(&fields[3..]) as usize;
            self.kind = fields[6];
        }
        if format == 0 {
            self.stream_id = u32::from_le_bytes([fields[7], fields[8], fields[9], fields[10]]);
        }
    }

    /// A header of type 3 that begins a message, §5.3.1.2.4: all as before.
    fn repeat_header(&mut self, extended: Option<u32>) {
        self.timestamp = match extended {
            // By the letter the time itself would be added as if it were a step. No encoder means that.
            Some(timestamp) if self.absolute => timestamp,
            Some(delta) => self.timestamp.wrapping_add(delta),
            None => self.timestamp.wrapping_add(self.delta),
        };
    }

    /// `behind`: how many bytes have arrived behind these and are most likely of the same message, so that it need not grow chunk by chunk.
    fn append(&mut self, bytes: &[u8], behind: usize) {
        if self.partial.capacity() - self.partial.len() < bytes.len() {
            // What has arrived, or double of what came of this message before; and never more than that needs.
            let wanted = (self.partial.len() + bytes.len() + behind).max(2 * self.partial.len()).min(self.length);
            self.partial.reserve_exact(wanted - self.partial.len());
        }
        self.partial.extend_from_slice(bytes);
    }

    fn complete(&mut self) -> Message {
        self.in_progress = false;
        let payload = Bytes::from(std::mem::take(&mut self.partial));
        Message { kind: self.kind, stream_id: self.stream_id, timestamp: self.timestamp, payload }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
