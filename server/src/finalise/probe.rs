//! A finished recording as a decoder sees it: its facts, and a picture of it. FFmpeg through video-rs; everything here blocks.

use std::path::Path;
use std::sync::Once;
use std::time::{Duration, Instant};

use bytes::Bytes;
use video_rs::decode::DecoderSplit;
use video_rs::ffmpeg::codec::{self, encoder};
use video_rs::ffmpeg::format::Pixel;
use video_rs::ffmpeg::media::Type;
use video_rs::ffmpeg::software::scaling::{Context as Scaler, Flags};
use video_rs::ffmpeg::util::frame::Video as Picture;
use video_rs::ffmpeg::{self, Packet, Rational};
use video_rs::{DecoderBuilder, Reader, Resize};

use crate::db::assets::Facts;

/// What a poster must fit into, in pixels.
const POSTER_SIZE: (u32, u32) = (640, 360);
/// FFmpeg's scale from 2 (best) to 31.
const POSTER_QUALITY: i32 = 4;
/// Where the poster is taken, where the recording is long enough: encoders like to begin with black.
const POSTER_AT_MS: u64 = 1_000;
/// How many pictures are looked at for one that shows something.
const MAX_PICTURES: usize = 50;
/// How long a file may keep the decoder busy.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// The mean brightness, of 255, below which a picture is all but black.
const BLACK: u64 = 24;

/// Why a file cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("{0}")]
    Media(#[from] video_rs::Error),
    #[error("{0}")]
    Ffmpeg(#[from] ffmpeg::Error),
    #[error("the file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("no picture could be decoded")]
    NoPicture,
    #[error("decoding took too long")]
    TimedOut,
}

impl ProbeError {
    /// Whether the file's bytes are what is wrong, and no later look can see anything else.
    #[must_use]
    pub fn is_of_the_file(&self) -> bool {
        let ffmpeg = match self {
            Self::Media(video_rs::Error::BackendError(error)) | Self::Ffmpeg(error) => error,
            Self::Media(_) | Self::NoPicture => return true,
            Self::Io(_) | Self::TimedOut => return false,
        };
        matches!(ffmpeg, ffmpeg::Error::InvalidData)
    }
}

/// FFmpeg speaks to stderr by itself; what it finds reaches us as errors.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = ffmpeg::init() {
            tracing::error!(%error, "FFmpeg cannot be set up");
        }
        ffmpeg::log::set_level(ffmpeg::log::Level::Quiet);
    });
}

/// What the demuxer says of a file.
///
/// # Errors
/// Where it is not one that can be played.
pub fn facts(path: &Path) -> Result<Facts, ProbeError> {
    silence();
    let input = Reader::new(path)?.input;
    let mut facts = Facts {
        duration_ms: u64::try_from(input.duration()).unwrap_or(0) * 1_000 / u64::from(ffmpeg::ffi::AV_TIME_BASE.unsigned_abs()),
        size_bytes: std::fs::metadata(path)?.len(),
        ..Facts::default()
    };
    if let Some(stream) = input.streams().best(Type::Video) {
        let decoder = codec::Context::from_parameters(stream.parameters())?.decoder().video()?;
        facts.width = Some(decoder.width());
        facts.height = Some(decoder.height());
        facts.video_codec = Some(stream.parameters().id().name().to_owned());
        let rate = stream.avg_frame_rate();
        facts.fps = (rate.denominator() > 0).then(|| (f64::from(rate) * 1_000.0).round() / 1_000.0);
    }
    if let Some(stream) = input.streams().best(Type::Audio) {
        facts.audio_codec = Some(stream.parameters().id().name().to_owned());
    }
    Ok(facts)
}

/// A JPEG of the picture at about one second, or the first one after it that is not black; `None` where there is no video.
///
/// # Errors
/// Where nothing can be decoded.
pub fn poster(path: &Path, duration_ms: u64) -> Result<Option<Bytes>, ProbeError> {
    silence();
    if Reader::new(path)?.input.streams().best(Type::Video).is_none() {
        return Ok(None);
    }
    let resize = Resize::Fit(POSTER_SIZE.0, POSTER_SIZE.1);
    let (mut decoder, mut reader, stream) = DecoderBuilder::new(path).with_resize(resize).build()?.into_parts();
    let at_ms = POSTER_AT_MS.min(duration_ms / 10);
    let deadline = Instant::now() + TIME_LIMIT;
    let mut best: Option<(u64, Picture)> = None;
    let mut seen = 0;
    let mut consider = |picture: Picture| {
        let brightness = mean_brightness(&picture);
        let better = best.as_ref().is_none_or(|(most, _)| brightness > *most);
        if better {
            best = Some((brightness, picture));
        }
        seen += 1;
        brightness >= BLACK || seen >= MAX_PICTURES
    };
    // Decoding from the beginning costs less than a seek to the keyframe before, and works where there is only one.
    let mut found = false;
    while !found {
        if Instant::now() > deadline {
            return Err(ProbeError::TimedOut);
        }
        let Ok(packet) = reader.read(stream) else { break };
        let early = packet.pts().as_secs() * 1_000.0 < at_ms as f32;
        match decoder.decode_raw(packet) {
            Ok(Some(picture)) if !early => found = consider(picture),
            // A damaged picture is no reason to give up on those after it.
            _ => {}
        }
    }
    while !found && let Ok(Some(picture)) = drain(&mut decoder) {
        found = consider(picture);
    }
    let (_, picture) = best.ok_or(ProbeError::NoPicture)?;
    encode_jpeg(&picture).map(Some)
}

fn drain(decoder: &mut DecoderSplit) -> Result<Option<Picture>, video_rs::Error> {
    decoder.drain_raw()
}

/// Of an RGB picture, as the decoder's scaler makes them; a sample of its bytes.
fn mean_brightness(picture: &Picture) -> u64 {
    let (width, stride) = (picture.width() as usize * 3, picture.stride(0));
    let rows = picture.data(0).chunks(stride.max(1)).take(picture.height() as usize);
    let (sum, count) = rows
        .flat_map(|row| row.iter().take(width).step_by(7))
        .fold((0_u64, 0_u64), |(sum, count), byte| (sum + u64::from(*byte), count + 1));
    sum / count.max(1)
}

fn encode_jpeg(picture: &Picture) -> Result<Bytes, ProbeError> {
    let (width, height) = (picture.width(), picture.height());
    let mut scaler = Scaler::get(picture.format(), width, height, Pixel::YUVJ420P, width, height, Flags::BILINEAR)?;
    let mut yuv = Picture::empty();
    scaler.run(picture, &mut yuv)?;
    yuv.set_pts(Some(0));

    let codec = encoder::find(codec::Id::MJPEG).ok_or(ffmpeg::Error::EncoderNotFound)?;
    let mut settings = codec::Context::new_with_codec(codec).encoder().video()?;
    settings.set_width(width);
    settings.set_height(height);
    settings.set_format(Pixel::YUVJ420P);
    settings.set_time_base(Rational(1, 25));
    settings.set_flags(codec::Flags::QSCALE);
    settings.set_global_quality(POSTER_QUALITY * ffmpeg::ffi::FF_QP2LAMBDA);
    let mut encoder = settings.open()?;
    encoder.send_frame(&yuv)?;
    encoder.send_eof()?;
    let mut packet = Packet::empty();
    encoder.receive_packet(&mut packet)?;
    packet.data().map(Bytes::copy_from_slice).ok_or(ProbeError::NoPicture)
}
