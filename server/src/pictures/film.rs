//! A recording as FFmpeg opens it: its facts, and its pictures one after another or keyframe by keyframe.
//!
//! FFmpeg's own look at a file would decode its first pictures with no limit of ours: so no decoder is opened but the one here.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Once;
use std::time::Instant;

use video_rs::ffmpeg::codec::{self, decoder, threading};
use video_rs::ffmpeg::format::context::{Input, StreamIo};
use video_rs::ffmpeg::media::Type;
use video_rs::ffmpeg::util::frame::Video as Image;
use video_rs::ffmpeg::{self, Dictionary, Packet, Rational, format};

use super::{MAX_PIXELS, PictureError, TIME_LIMIT};
use crate::db::assets::Facts;

/// FFmpeg's clock for seeks and durations: microseconds.
const TICKS_A_MS: u64 = 1_000;
/// Packets that the demuxer finds broken are passed over, so many in a file.
const MAX_BROKEN_PACKETS: u32 = 1_000;

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

/// Opens an MP4, and nothing else: no playlist, and nothing that refers to other files.
fn open(source: impl Read + Seek + Send + 'static, deadline: Instant) -> Result<Input, PictureError> {
    silence();
    let mut options = Dictionary::new();
    options.set("format_whitelist", "mov");
    options.set("codec_whitelist", "none");
    // Without a decoder it would read on for the pixel format, which is of no use here.
    options.set("probesize", "32");
    let io = StreamIo::from_read_seek(source)?;
    format::input_from_stream_with_interrupt(io, None, Some(options), move || Instant::now() > deadline).map_err(|error| {
        match error {
            ffmpeg::Error::Exit => PictureError::TimedOut,
            error => PictureError::Unreadable(error),
        }
    })
}

/// See [`super::facts`].
pub(super) fn facts(path: &Path) -> Result<Facts, PictureError> {
    let input = open(File::open(path)?, Instant::now() + TIME_LIMIT)?;
    let mut facts = Facts {
        duration_ms: u64::try_from(input.duration()).unwrap_or(0) / TICKS_A_MS,
        size_bytes: std::fs::metadata(path)?.len(),
        ..Facts::default()
    };
    if let Some(stream) = input.streams().best(Type::Video) {
        let decoder = unopened(stream.parameters())?;
        facts.width = Some(decoder.width());
        facts.height = Some(decoder.height());
        facts.video_codec = Some(decoder.id().name().to_owned());
        let rate = stream.avg_frame_rate();
        facts.fps = (rate.denominator() > 0).then(|| (f64::from(rate) * 1_000.0).round() / 1_000.0);
    }
    if let Some(stream) = input.streams().best(Type::Audio) {
        facts.audio_codec = Some(stream.parameters().id().name().to_owned());
    }
    Ok(facts)
}

/// A decoder that knows what the container says of its track, and is not opened.
fn unopened(parameters: codec::Parameters) -> Result<decoder::Video, ffmpeg::Error> {
    Ok(decoder::Video(decoder::Opened(codec::Context::from_parameters(parameters)?.decoder())))
}

/// A decoded picture, and when it is shown.
pub(super) struct Picture {
    pub(super) image: Image,
    pub(super) at_ms: i64,
}

/// The pictures of a file.
pub(super) struct Film {
    input: Input,
    decoder: decoder::Video,
    stream: usize,
    time_base: Rational,
    deadline: Instant,
    broken_packets: u32,
    decoded_packets: u32,
    /// The decoder has all that there is, and gives what it still has.
    draining: bool,
    /// The last complaint of the decoder, for the case that no picture comes.
    complaint: Option<ffmpeg::Error>,
}

impl Film {
    /// `None` where there are no moving pictures in it. From here on there are [`TIME_LIMIT`] for all that is asked.
    ///
    /// # Errors
    /// Where it is no MP4, or its pictures are beyond the limits.
    pub(super) fn open(source: impl Read + Seek + Send + 'static) -> Result<Option<Self>, PictureError> {
        let deadline = Instant::now() + TIME_LIMIT;
        let input = open(source, deadline)?;
        let Some(stream) = input.streams().best(Type::Video) else { return Ok(None) };
        let said = unopened(stream.parameters())?;
        let (width, height, id) = (said.width(), said.height(), said.id());
        drop(said);
        if width.checked_mul(height).is_none_or(|pixels| pixels > MAX_PIXELS) {
            return Err(PictureError::TooLarge { width, height });
        }
        let mut decoder = codec::Context::from_parameters(stream.parameters())?.decoder();
        // More threads would hold more pictures, and take processors from those who record.
        decoder.set_threading(threading::Config::count(1));
        decoder.set_packet_time_base(stream.time_base());
        let mut options = Dictionary::new();
        // The parameter sets in the media may say another size than the container.
        options.set("max_pixels", &MAX_PIXELS.to_string());
        let codec = decoder::find(id).ok_or_else(|| PictureError::NoDecoder(id.name().to_owned()))?;
        let decoder = decoder.open_as_with(codec, options).and_then(decoder::Opened::video).map_err(PictureError::Undecodable)?;
        let (stream, time_base) = (stream.index(), stream.time_base());
        Ok(Some(Self {
            input,
            decoder,
            stream,
            time_base,
            deadline,
            broken_packets: 0,
            decoded_packets: 0,
            draining: false,
            complaint: None,
        }))
    }

    /// Goes to the last keyframe at or before a time; false where there is none, and then stays where it is.
    pub(super) fn seek(&mut self, at_ms: u64) -> bool {
        let at = i64::try_from(at_ms.saturating_mul(TICKS_A_MS)).unwrap_or(i64::MAX);
        let found = self.input.seek(at, ..at).is_ok();
        if found {
            self.restart();
        }
        found
    }

    fn restart(&mut self) {
        self.decoder.flush();
        self.draining = false;
    }

    /// The next keyframe, alone; `None` at the end. One that cannot be decoded is passed over.
    ///
    /// # Errors
    /// Where the file cannot be read on, or time is up.
    pub(super) fn keyframe(&mut self) -> Result<Option<Picture>, PictureError> {
        while let Some(negative) = self.next_keyframe()? {
            if let Some(picture) = self.develop(&negative) {
                return Ok(Some(picture));
            }
        }
        Ok(None)
    }

    /// The next keyframe as it is stored; `None` at the end.
    ///
    /// # Errors
    /// Where the file cannot be read on, or time is up.
    pub(super) fn next_keyframe(&mut self) -> Result<Option<Packet>, PictureError> {
        while let Some(packet) = self.packet()? {
            if packet.is_key() {
                return Ok(Some(packet));
            }
        }
        Ok(None)
    }

    /// The picture of a keyframe, alone; `None` where it cannot be decoded.
    pub(super) fn develop(&mut self, keyframe: &Packet) -> Option<Picture> {
        self.restart();
        self.send(keyframe);
        self.drain();
        let picture = self.receive();
        self.restart();
        picture
    }

    /// The next picture in the order in which they are shown; `None` at the end. Damaged ones are passed over.
    ///
    /// # Errors
    /// Where the file cannot be read on, or time is up.
    pub(super) fn next(&mut self) -> Result<Option<Picture>, PictureError> {
        loop {
            if let Some(picture) = self.receive() {
                return Ok(Some(picture));
            }
            if self.draining {
                return Ok(None);
            }
            match self.packet()? {
                Some(packet) => self.send(&packet),
                None => self.drain(),
            }
        }
    }

    /// Why there was no picture, where there was none.
    pub(super) fn why_empty(&self) -> PictureError {
        self.complaint.map_or(PictureError::Empty, PictureError::Undecodable)
    }

    /// How many packets the decoder was given so far, also such as it could make nothing of.
    pub(super) fn decoded_packets(&self) -> u32 {
        self.decoded_packets
    }

    fn send(&mut self, packet: &Packet) {
        self.decoded_packets += 1;
        if let Err(error) = self.decoder.send_packet(packet) {
            self.complaint = Some(error);
        }
    }

    fn drain(&mut self) {
        self.draining = true;
        // Refused only where it has been told before.
        let _ = self.decoder.send_eof();
    }

    fn receive(&mut self) -> Option<Picture> {
        let mut image = Image::empty();
        match self.decoder.receive_frame(&mut image) {
            Ok(()) => Some(Picture { at_ms: self.ms(image.timestamp()), image }),
            Err(ffmpeg::Error::Eof) => None,
            Err(ffmpeg::Error::Other { errno }) if errno == ffmpeg::util::error::EAGAIN => None,
            Err(error) => {
                self.complaint = Some(error);
                None
            }
        }
    }

    /// The next packet of the video track.
    fn packet(&mut self) -> Result<Option<Packet>, PictureError> {
        loop {
            if Instant::now() > self.deadline {
                return Err(PictureError::TimedOut);
            }
            let mut packet = Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) if packet.stream() == self.stream => return Ok(Some(packet)),
                Ok(()) => {}
                Err(ffmpeg::Error::Eof) => return Ok(None),
                Err(ffmpeg::Error::Exit) => return Err(PictureError::TimedOut),
                Err(error @ ffmpeg::Error::InvalidData) => {
                    self.broken_packets += 1;
                    if self.broken_packets > MAX_BROKEN_PACKETS {
                        return Err(PictureError::Undecodable(error));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn ms(&self, timestamp: Option<i64>) -> i64 {
        let seconds = timestamp.unwrap_or(0) as f64 * f64::from(self.time_base);
        (seconds * 1_000.0).round() as i64
    }
}
