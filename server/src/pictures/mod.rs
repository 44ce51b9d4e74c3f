//! Pictures of recordings and of what is live: posters, storyboards, stills. All decoding is here, and is done by FFmpeg through video-rs in a
//! process of its own ([`Darkroom`]), which has no more memory, time and rights than it needs: what an encoder sends is anybody's, and a decoder that
//! it brings down must not be ours. Does not know which rows and files there are.

mod canvas;
mod darkroom;
mod film;
mod live;
mod matrix;
mod poster;
mod storyboard;
mod worker;

use std::io::{self, Cursor};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use video_rs::ffmpeg;

use self::film::Film;
use crate::db::assets::Facts;

pub use darkroom::{Darkroom, DarkroomError, Session, this_program};
pub use live::LiveStills;
pub use storyboard::{Cue, Storyboard, web_vtt};
pub use worker::{PROTOCOL, work};

/// What posters and stills must fit into, in pixels.
const PICTURE_BOX: (u32, u32) = (640, 360);
/// The most pixels of a coded picture that is decoded, 8K and a little: each may take some bytes of memory.
const MAX_PIXELS: u32 = 8_192 * 4_608;
/// How long one request may take. From then on the decoder gives up by itself. Wall time: on a busy machine the process waits for those who
/// record, and half a second of work has been seen to take half a minute.
const TIME_LIMIT: Duration = Duration::from_mins(2);
/// How much processor time one process may take, in seconds; then the system ends it.
const PROCESSOR_LIMIT_S: u64 = 60;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error("it is no MP4 that can be read: {0}")]
    Unreadable(ffmpeg::Error),
    #[error("its pictures of {width} × {height} are too large: {MAX_PIXELS} pixels are decoded at most")]
    TooLarge { width: u32, height: u32 },
    #[error("there is no decoder for {0}")]
    NoDecoder(String),
    #[error("no picture could be decoded: {0}")]
    Undecodable(ffmpeg::Error),
    #[error("there is no picture in it")]
    Empty,
    #[error("decoding took longer than {} s", TIME_LIMIT.as_secs())]
    TimedOut,
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("FFmpeg failed: {0}")]
    Ffmpeg(#[from] ffmpeg::Error),
}

impl PictureError {
    /// Whether the file's bytes are what is wrong, and no later look can see anything else.
    #[must_use]
    pub fn is_of_the_file(&self) -> bool {
        match self {
            Self::Unreadable(error) => matches!(error, ffmpeg::Error::InvalidData | ffmpeg::Error::Eof),
            Self::TooLarge { .. } | Self::NoDecoder(_) | Self::Undecodable(_) | Self::Empty => true,
            Self::TimedOut | Self::Io(_) | Self::Ffmpeg(_) => false,
        }
    }
}

/// What a decoder sees of a recording: its facts, and a JPEG of it, where it has pictures.
#[derive(Clone, PartialEq, Debug)]
pub struct Look {
    pub facts: Facts,
    pub poster: Option<Bytes>,
}

/// What can be asked of the process that decodes. Media in memory travel behind the request.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Request<'a> {
    Look { path: &'a str, duration_ms: u64 },
    Storyboard { path: &'a str, duration_ms: u64 },
    Still,
}

/// What it answers. Pictures travel behind the answer, of so many bytes each.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Answer {
    Looked { facts: Facts, poster: Option<usize> },
    Storyboard { cues: Vec<Cue>, sprite: Option<usize>, decoded_packets: u32 },
    Still { picture: usize },
    Failed { reason: String, is_of_the_file: bool },
}

/// What the demuxer says of a file; no decoder is opened, so that this can be asked in any process. Blocks.
///
/// # Errors
/// Where it is not a file that can be played.
pub fn facts(path: &Path) -> Result<Facts, PictureError> {
    film::facts(path)
}

/// Facts and poster. Blocks for up to [`TIME_LIMIT`].
fn look(path: &Path, duration_ms: u64) -> Result<Look, PictureError> {
    let facts = facts(path)?;
    let poster = match Film::open(std::fs::File::open(path)?)? {
        Some(mut film) => Some(poster::poster(&mut film, duration_ms)?),
        None => None,
    };
    Ok(Look { facts, poster })
}

/// Blocks for up to [`TIME_LIMIT`].
fn storyboard(path: &Path, duration_ms: u64) -> Result<Option<Storyboard>, PictureError> {
    let Some(mut film) = Film::open(std::fs::File::open(path)?)? else { return Ok(None) };
    storyboard::storyboard(&mut film, duration_ms).map(Some)
}

/// A JPEG of the first keyframe in an MP4 that is in memory. Blocks.
fn still(mp4: Bytes) -> Result<Bytes, PictureError> {
    let mut film = Film::open(Cursor::new(mp4))?.ok_or(PictureError::Empty)?;
    let picture = film.keyframe()?.ok_or(PictureError::Empty)?;
    canvas::jpeg(&canvas::scaled(&picture.image, PICTURE_BOX)?)
}
