//! Messages are cut by an encoder that is free in all that the specification leaves free, and must come out whole.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use proptest::prelude::*;

use super::super::super::Output;
use super::super::{ChunkWriter, Header};
use super::*;

/// One message of the chunk stream `id`, and how its first chunk's header is to be, if that says enough.
#[derive(Clone, Debug)]
struct Sent {
    id: u32,
    wanted_format: u8,
    kind: u8,
    stream_id: u32,
    timestamp: u32,
    length: usize,
}

/// A chunk, and the message that it completes.
type Chunk = (Vec<u8>, Option<Message>);

/// What an encoder remembers of a chunk stream.
struct Memory {
    sent: Sent,
    delta: u32,
    absolute: bool,
    extended: bool,
}

fn basic_header(out: &mut Vec<u8>, format: u8, id: u32) {
    let high = format << 6;
    match id {
        0..=63 => out.push(high | id as u8),
        64..=319 => out.extend([high, (id - 64) as u8]),
        _ => out.extend([high | 1, ((id - 64) % 256) as u8, ((id - 64) / 256) as u8]),
    }
}

/// Cuts one message into chunks, the first with the wanted header, or a longer one where that would not say enough.
fn cut(sent: &Sent, memory: &mut Vec<Memory>, chunk_bytes: usize) -> Vec<Vec<u8>> {
    let position = memory.iter().position(|memory| memory.sent.id == sent.id);
    let before = position.map(|index| memory.swap_remove(index));
    let mut format = sent.wanted_format;
    let mut delta = sent.timestamp;
    match &before {
        None => format = 0,
        Some(before) => {
            delta = sent.timestamp.wrapping_sub(before.sent.timestamp);
            let same = before.sent.length == sent.length && before.sent.kind == sent.kind;
            if before.sent.stream_id != sent.stream_id {
                format = 0;
            } else if !same {
                format = format.min(1);
            } else if before.delta != delta || before.absolute && before.extended {
                format = format.min(2);
            }
        }
    }
    let field = if format == 0 { sent.timestamp } else { delta };
    let extended = if format == 3 { before.is_some_and(|before| before.extended) } else { field >= EXTENDED_TIMESTAMP };
    let payload = vec![sent.length as u8; sent.length];
    let mut pieces: Vec<&[u8]> = payload.chunks(chunk_bytes).collect();
    if pieces.is_empty() {
        pieces.push(&[]);
    }
    let chunks = pieces.iter().enumerate().map(|(n, piece)| {
        let mut out = Vec::new();
        let format = if n == 0 { format } else { 3 };
        basic_header(&mut out, format, sent.id);
        if format < 3 {
            out.extend(&field.min(EXTENDED_TIMESTAMP).to_be_bytes()[1..]);
        }
        if format < 2 {
            out.extend(&(sent.length as u32).to_be_bytes()[1..]);
            out.push(sent.kind);
        }
        if format == 0 {
            out.extend(sent.stream_id.to_le_bytes());
        }
        if extended {
            out.extend(field.to_be_bytes());
        }
        out.extend(*piece);
        out
    });
    let chunks = chunks.collect();
    let (delta, absolute) = if format == 0 { (sent.timestamp, true) } else { (delta, false) };
    memory.push(Memory { sent: sent.clone(), delta, absolute, extended });
    chunks
}

fn a_message() -> impl Strategy<Value = Sent> {
    let id = prop::sample::select(vec![2_u32, 3, 4, 63, 64, 319, 320, 65_599]);
    let timestamp = prop_oneof![0_u32..200, Just(0xff_fffe), Just(0xff_ffff), Just(0x100_0000), Just(u32::MAX), any::<u32>()];
    let length = prop_oneof![Just(0_usize), 1_usize..10, 100_usize..600];
    (id, 0_u8..4, prop::sample::select(vec![8_u8, 9, 18, 20]), 0_u32..3, timestamp, length).prop_map(
        |(id, wanted_format, kind, stream_id, timestamp, length)| Sent { id, wanted_format, kind, stream_id, timestamp, length },
    )
}

/// All messages in `bytes`, which come in pieces of the given sizes, over and over.
fn read_in_pieces(reader: &mut ChunkReader, mut bytes: &[u8], sizes: &[usize]) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::new();
    let mut sizes = sizes.iter().copied().cycle();
    while !bytes.is_empty() {
        let mut piece = take(&mut bytes, sizes.next().unwrap_or(usize::MAX).max(1));
        while let Some(message) = reader.read(&mut piece)? {
            messages.push(message);
        }
        assert!(piece.is_empty(), "all input is used up");
    }
    Ok(messages)
}

proptest! {
    #[test]
    fn interleaved_messages_come_out_whole_however_the_bytes_are_split(
        sent in prop::collection::vec(a_message(), 1..30),
        order in prop::collection::vec(any::<prop::sample::Index>(), 200),
        sizes in prop::collection::vec(1_usize..300, 1..10),
        chunk_bytes in 1_usize..300,
    ) {
        // Each chunk stream sends its messages in order; which of them sends its next chunk is drawn.
        let mut memory = Vec::new();
        let mut queues: Vec<(u32, VecDeque<Chunk>)> = Vec::new();
        for sent in &sent {
            let chunks = cut(sent, &mut memory, chunk_bytes);
            let whole = Message {
                kind: sent.kind,
                stream_id: sent.stream_id,
                timestamp: sent.timestamp,
                payload: Bytes::from(vec![sent.length as u8; sent.length]),
            };
            let index = queues.iter().position(|(id, _)| *id == sent.id).unwrap_or_else(|| {
                queues.push((sent.id, VecDeque::new()));
                queues.len() - 1
            });
            let last = chunks.len() - 1;
            for (n, chunk) in chunks.into_iter().enumerate() {
                queues[index].1.push_back((chunk, (n == last).then(|| whole.clone())));
            }
        }
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        let mut order = order.iter().cycle();
        while !queues.is_empty() {
            let index = order.next().unwrap().index(queues.len());
            let Some((chunk, complete)) = queues[index].1.pop_front() else { queues.swap_remove(index); continue };
            bytes.extend(chunk);
            expected.extend(complete);
        }
        let mut reader = ChunkReader::new(Limits::default());
        reader.set_chunk_size(chunk_bytes as u32).unwrap();
        prop_assert_eq!(read_in_pieces(&mut reader, &bytes, &sizes).unwrap(), expected);
        prop_assert_eq!(reader.partial_bytes, 0);
    }

    #[test]
    fn what_is_written_is_read_back(
        timestamp: u32,
        chunk_bytes in 1_usize..5_000,
        head in 0_usize..20,
        body in 0_usize..3_000,
        sizes in prop::collection::vec(1_usize..2_000, 1..5),
    ) {
        let (head, body) = (vec![1; head], vec![2; body]);
        let mut output = Output::default();
        let header = Header { chunk_stream: 6, kind: kind::VIDEO, stream_id: 1, timestamp };
        ChunkWriter::new(chunk_bytes).write(&mut output, header, &head, body.clone().into());
        let bytes = output.copy_to_bytes(output.remaining());
        let mut reader = ChunkReader::new(Limits::default());
        reader.set_chunk_size(chunk_bytes as u32).unwrap();
        let message = Message { kind: kind::VIDEO, stream_id: 1, timestamp, payload: [head, body].concat().into() };
        prop_assert_eq!(read_in_pieces(&mut reader, &bytes, &sizes).unwrap(), [message]);
    }

    #[test]
    fn no_bytes_bring_it_down_and_memory_follows_what_has_arrived(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        takes_media: bool,
    ) {
        let mut reader = ChunkReader::new(Limits::default());
        reader.takes_media(takes_media);
        let mut input = &bytes[..];
        while let Ok(Some(_)) = reader.read(&mut input) {}
        let held: usize = reader.streams.iter().map(|stream| stream.partial.capacity()).sum();
        // Double of what came of each message, and for the first of several one time what came for all.
        prop_assert!(held <= 3 * bytes.len());
    }
}

fn header_0(id: u8, length: u32, kind: u8) -> Vec<u8> {
    let [_, l0, l1, l2] = length.to_be_bytes();
    vec![id, 0, 0, 0, l0, l1, l2, kind, 1, 0, 0, 0]
}

#[test]
fn a_declared_length_reserves_nothing() {
    let limits = Limits { chunk_streams: 60, ..Limits::default() };
    let mut reader = ChunkReader::new(limits);
    reader.takes_media(true);
    reader.set_chunk_size(0x7fff_ffff).unwrap();
    let mut input = header_0(3, 8 << 20, kind::VIDEO);
    input.push(0);
    assert_eq!(reader.read(&mut &input[..]), Ok(None));
    assert_eq!(reader.streams[0].partial.capacity(), 1);
}

#[test]
fn a_message_that_has_arrived_as_a_whole_is_allocated_once_and_one_beside_it_by_what_came() {
    let mut reader = ChunkReader::new(Limits::default());
    let chunk = |header: &[u8], bytes: usize| [header, &vec![7; bytes]].concat();
    let input = [chunk(&header_0(3, 1_000, kind::COMMAND), 128), chunk(&header_0(4, 1_000, kind::COMMAND), 128), vec![0xc3; 400]]
        .concat();
    assert_eq!(reader.read(&mut &input[..]), Ok(None));
    let capacities: Vec<usize> = reader.streams.iter().map(|stream| stream.partial.capacity()).collect();
    assert_eq!(capacities, [input.len() - 12, 128]);
}

#[test]
fn too_many_chunk_streams_too_large_messages_and_too_much_in_pieces_are_errors() {
    let limits = Limits::default();
    let mut reader = ChunkReader::new(limits);
    let empty = |id: u8| header_0(id, 0, kind::COMMAND);
    for id in 3..3 + limits.chunk_streams as u8 {
        assert!(reader.read(&mut &empty(id)[..]).unwrap().is_some());
    }
    let error = reader.read(&mut &empty(63)[..]);
    assert_eq!(error, Err(Error::TooManyChunkStreams { limit: limits.chunk_streams }));

    let mut reader = ChunkReader::new(limits);
    let error = reader.read(&mut &header_0(3, 32_769, kind::VIDEO)[..]);
    assert_eq!(error, Err(Error::MessageTooLarge { length: 32_769, limit: 32_768 }), "before a publish");
    let mut reader = ChunkReader::new(limits);
    reader.takes_media(true);
    assert_eq!(reader.read(&mut &header_0(3, 32_769, kind::VIDEO)[..]), Ok(None));
    let error = reader.read(&mut &[&[0; 128][..], &header_0(4, 32_769, kind::COMMAND)[..]].concat()[..]);
    assert_eq!(error, Err(Error::MessageTooLarge { length: 32_769, limit: 32_768 }), "commands stay small");

    let mut reader = ChunkReader::new(limits);
    reader.set_chunk_size(20_000).unwrap();
    let part = |id: u8| [header_0(id, 30_000, kind::COMMAND), vec![0; 20_000]].concat();
    assert_eq!(reader.read(&mut &part(3)[..]), Ok(None));
    assert_eq!(reader.read(&mut &part(4)[..]), Err(Error::TooMuchIncomplete { limit: limits.partial_bytes }));
}

#[test]
fn an_aborted_message_leaves_no_trace() {
    let mut reader = ChunkReader::new(Limits::default());
    let begun = [header_0(3, 200, kind::COMMAND), vec![0; 128]].concat();
    assert_eq!(reader.read(&mut &begun[..]), Ok(None));
    reader.abort(3);
    assert_eq!(reader.partial_bytes, 0);
    let whole = [header_0(3, 5, kind::COMMAND), vec![7; 5]].concat();
    let message = reader.read(&mut &whole[..]).unwrap().unwrap();
    assert_eq!(&message.payload[..], [7; 5]);
}

#[test]
fn a_header_that_refers_to_nothing_is_an_error() {
    for first in [0xc3, 0x83] {
        let mut reader = ChunkReader::new(Limits::default());
        assert_eq!(reader.read(&mut &[first, 0, 0, 0, 0, 0][..]), Err(Error::OrphanChunk(3)));
    }
}

#[test]
fn a_chunk_size_of_nothing_is_refused_and_a_vast_one_is_taken() {
    let mut reader = ChunkReader::new(Limits::default());
    assert_eq!(reader.set_chunk_size(0), Err(Error::BadChunkSize(0)));
    assert_eq!(reader.set_chunk_size(0x8000_0000), Err(Error::BadChunkSize(0x8000_0000)));
    assert_eq!(reader.set_chunk_size(0x7fff_ffff), Ok(()));
}
