//! The process in which pictures are made, from inside: gives up what it does not need, then answers requests until there are no more.
//!
//! A request is the length of its head and of the media behind it, 4 bytes each, little endian, then these; the same for an answer.

use std::io::{self, Read, Write};
use std::path::Path;

use bytes::Bytes;
use rustix::process::{Resource, Rlimit, nice, setrlimit};

use super::{Answer, PROCESSOR_LIMIT_S, PictureError, Request, Storyboard, look, still, storyboard};

/// What the two ends speak; counted up when they would misunderstand each other.
pub const PROTOCOL: u32 = 2;
/// All memory of the process, libraries included: enough for some pictures of the largest size, and for the index of a day.
const MAX_MEMORY_BYTES: u64 = 2 << 30;
/// The most bytes of a request's head and of the media behind it.
const MAX_HEAD_BYTES: u32 = 64 << 10;
const MAX_MEDIA_BYTES: u32 = 80 << 20;
/// Recording and delivery get about ten times as much of a busy processor; the lowest priority of all would never get done.
const NICENESS: i32 = 10;

/// Answers what standard input asks, until it ends.
///
/// # Errors
/// Where the other end speaks another protocol, or is gone.
pub fn work(protocol: u32) -> io::Result<()> {
    if protocol != PROTOCOL {
        return Err(io::Error::other(format!("protocol {protocol} is asked for, and this is {PROTOCOL}")));
    }
    give_up_rights()?;
    let (mut requests, mut answers) = (io::stdin().lock(), io::stdout().lock());
    while let Some((head, media)) = read(&mut requests)? {
        let (answer, picture) = match serde_json::from_slice(&head) {
            Ok(request) => answer(&request, media).unwrap_or_else(|error| {
                let failed = Answer::Failed { reason: error.to_string(), is_of_the_file: error.is_of_the_file() };
                (failed, Bytes::new())
            }),
            Err(error) => return Err(error.into()),
        };
        write(&mut answers, &answer, &picture)?;
    }
    Ok(())
}

/// Takes no memory from others, writes no file, and goes first where memory is short.
fn give_up_rights() -> io::Result<()> {
    // A hint to the system, which may not know it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let _ = nice(NICENESS);
    let limits =
        [(Resource::As, MAX_MEMORY_BYTES), (Resource::Cpu, PROCESSOR_LIMIT_S), (Resource::Fsize, 0), (Resource::Core, 0)];
    for (resource, most) in limits {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

fn answer(request: &Request<'_>, media: Bytes) -> Result<(Answer, Bytes), PictureError> {
    Ok(match request {
        Request::Look { path, duration_ms } => {
            let seen = look(Path::new(path), *duration_ms)?;
            let poster = seen.poster.as_ref().map(Bytes::len);
            (Answer::Looked { facts: seen.facts, poster }, seen.poster.unwrap_or_default())
        }
        Request::Storyboard { path, duration_ms } => match storyboard(Path::new(path), *duration_ms)? {
            Some(Storyboard { sprite, cues, decoded_packets }) => {
                (Answer::Storyboard { cues, sprite: Some(sprite.len()), decoded_packets }, sprite)
            }
            None => (Answer::Storyboard { cues: Vec::new(), sprite: None, decoded_packets: 0 }, Bytes::new()),
        },
        Request::Still => {
            let picture = still(media)?;
            (Answer::Still { picture: picture.len() }, picture)
        }
    })
}

/// `None` where the other end wants no more.
fn read(from: &mut impl Read) -> io::Result<Option<(Vec<u8>, Bytes)>> {
    let mut lengths = [0; 8];
    match from.read_exact(&mut lengths) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        done => done?,
    }
    let [head_bytes, media_bytes] = [0, 4].map(|at| u32::from_le_bytes([0, 1, 2, 3].map(|n| lengths[at + n])));
    if head_bytes > MAX_HEAD_BYTES || media_bytes > MAX_MEDIA_BYTES {
        return Err(io::Error::other("the request is too long"));
    }
    let (mut head, mut media) = (vec![0; head_bytes as usize], vec![0; media_bytes as usize]);
    from.read_exact(&mut head)?;
    from.read_exact(&mut media)?;
    Ok(Some((head, media.into())))
}

fn write(to: &mut impl Write, answer: &Answer, picture: &[u8]) -> io::Result<()> {
    let head = serde_json::to_vec(answer)?;
    for length in [head.len(), picture.len()] {
        to.write_all(&u32::try_from(length).map_err(io::Error::other)?.to_le_bytes())?;
    }
    to.write_all(&head)?;
    to.write_all(picture)?;
    to.flush()
}
