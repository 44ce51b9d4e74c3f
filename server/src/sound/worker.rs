//! The process in which sound is decoded, from inside: frames come in on standard input, and packets in another codec, or figures, go out on standard output.
//!
//! Each is its length, 4 bytes, its time, 8 bytes, both little endian, and itself; on the way in behind a byte that says its coding.

use std::io::{self, Read, Write};

use rustix::process::{Resource, Rlimit, nice, setrlimit};
use video_rs::ffmpeg;

use super::decoder::Coding;
use super::meter::Meter;
use super::transcoder::Transcoder;
use super::{Codec, MAX_FRAME_BYTES, Target};

/// What the two ends speak; counted up when they would misunderstand each other.
pub const PROTOCOL: u32 = 2;
/// All memory of the process, libraries included.
const MAX_MEMORY_BYTES: u64 = 1 << 30;
/// Behind who records, before who makes pictures: a viewer hears it.
const NICENESS: i32 = 5;

/// What is done with frames.
enum Desk {
    Transcoder(Transcoder),
    Meter(Meter),
}

/// Answers what comes on standard input, until it ends.
///
/// # Errors
/// Where the other end speaks another protocol or is gone, or FFmpeg has no AAC or Opus.
pub fn work(protocol: u32, target: Target) -> io::Result<()> {
    if protocol != PROTOCOL {
        return Err(io::Error::other(format!("protocol {protocol} is asked for, and this is {PROTOCOL}")));
    }
    give_up_rights()?;
    ffmpeg::init().map_err(io::Error::other)?;
    ffmpeg::log::set_level(ffmpeg::log::Level::Quiet);
    let mut desk = match target {
        Target::Opus => Desk::Transcoder(Transcoder::new(Codec::Opus).map_err(io::Error::other)?),
        Target::Aac => Desk::Transcoder(Transcoder::new(Codec::Aac).map_err(io::Error::other)?),
        Target::Levels => Desk::Meter(Meter::default()),
    };
    let (mut frames, mut packets) = (io::stdin().lock(), io::stdout().lock());
    let mut frame = Vec::new();
    while let Some(at) = read(&mut frames, &mut frame)? {
        let strange = || io::Error::other("a frame comes in a coding that is not known");
        let (coding, frame) = frame.split_first().ok_or_else(strange)?;
        let coding = Coding::of(*coding).ok_or_else(strange)?;
        let made = match &mut desk {
            Desk::Transcoder(transcoder) => transcoder.put(at, coding, frame),
            Desk::Meter(meter) => meter.put(at, coding, frame),
        };
        for (at, packet) in made.map_err(io::Error::other)? {
            write(&mut packets, at, &packet)?;
        }
        packets.flush()?;
    }
    Ok(())
}

/// Takes no memory from others, writes no file, and goes first where memory is short.
fn give_up_rights() -> io::Result<()> {
    // A hint to the system, which may not know it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let _ = nice(NICENESS);
    for (resource, most) in [(Resource::As, MAX_MEMORY_BYTES), (Resource::Fsize, 0), (Resource::Core, 0)] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// The time of the next frame; `None` at the end.
fn read(from: &mut impl Read, frame: &mut Vec<u8>) -> io::Result<Option<i64>> {
    let mut head = [0; 12];
    match from.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        done => done?,
    }
    let (length, at) = parse_head(head);
    if length > MAX_FRAME_BYTES {
        return Err(io::Error::other("the frame is too long"));
    }
    frame.resize(length as usize, 0);
    from.read_exact(frame)?;
    Ok(Some(at))
}

fn write(to: &mut impl Write, at: i64, packet: &[u8]) -> io::Result<()> {
    to.write_all(&head(packet.len(), at))?;
    to.write_all(packet)
}

pub(super) fn head(length: usize, at: i64) -> [u8; 12] {
    let mut head = [0; 12];
    head[..4].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    head[4..].copy_from_slice(&at.to_le_bytes());
    head
}

pub(super) fn parse_head(head: [u8; 12]) -> (u32, i64) {
    let [l0, l1, l2, l3, at @ ..] = head;
    (u32::from_le_bytes([l0, l1, l2, l3]), i64::from_le_bytes(at))
}
