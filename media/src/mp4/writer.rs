//! The recording while it grows: frames in; head, fragments and index out.

use bytes::Bytes;

use crate::codec::aac::AacConfig;
use crate::codec::in_band::ParameterSets;
use crate::codec::opus;
use crate::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use crate::time::{MILLISECONDS, rescale};

use super::boxes::{HEADER_BYTES, free_header, ftyp};
use super::finalise::{self, Step};
use super::fragment::{Fragment, Run, moof_and_mdat_header};
use super::index::{MAX_FIRST_DTS, MAX_SAMPLE_TICKS, MAX_SAMPLES_PER_TRACK, Sample, SampleIndex, TrackIndex};
use super::{Layout, Recording, moov};

/// The reserve to begin with where it can be enlarged while the file grows, which is what [`RecordingWriter::enlarge_reserve`] is for: about two minutes.
pub const SMALL_RESERVE_BYTES: u32 = 64 << 10;
/// The reserve where it cannot: about half an hour, at 0.5 KB of moov a second. A longer recording is copied when it ends.
pub const LARGE_RESERVE_BYTES: u32 = 1 << 20;
/// The most a fragment may hold: a minute at 140 Mbit/s. Who cuts every second stays far below.
pub const MAX_FRAGMENT_BYTES: u64 = 1 << 30;
/// The most decoder configurations a track may go through.
pub const MAX_DESCRIPTIONS: usize = 64;
/// Times are kept within this many ticks of 0, so that no sum of them overflows.
const MAX_TICKS: i64 = 1 << 53;
/// How long the only frame of a video track lasts, for want of a next one: one of 25 a second.
const LONE_FRAME_MS: i64 = 40;

/// Why the recording cannot go on in this file. Nothing is lost: what was cut so far can be finalised, and a new file begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WriterError {
    #[error("a frame of a track that was not declared")]
    UnknownTrack,
    #[error("more than {MAX_FRAGMENT_BYTES} bytes in one fragment")]
    FragmentFull,
    #[error("more than {MAX_SAMPLES_PER_TRACK} samples in one track")]
    TooManySamples,
    #[error("more than {MAX_DESCRIPTIONS} decoder configurations in one track")]
    TooManyDescriptions,
    #[error("the reserve is too small for another head")]
    ReserveUsedUp,
}

/// Turns frames into the bytes of a growing file.
///
/// Timing: the origin of the file is the earliest decoding time of the first fragment. A sample lasts until the next of its track, so each
/// track holds one frame back; the last one lasts as long as the one before, or as many samples as an AAC frame or Opus packet has. Decoding times that do not
/// increase are mended by the least that makes them: one tick after the one before. The frame is kept, and its presentation time too, as far as
/// that does not put presentation before decoding. Presentation times are never invented by counting.
#[derive(Debug)]
pub struct RecordingWriter {
    tracks: Vec<Track>,
    layout: Layout,
    index: SampleIndex,
    length: u64,
    sequence: u32,
    pending_bytes: u64,
    /// Where the file's time begins in that of the frames, once the first fragment is cut.
    origin_ms: Option<i64>,
    /// When the first of the frames is decoded, in milliseconds of the file's time.
    begins_ms: i64,
}

/// How the reserve becomes larger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enlargement {
    /// To be carried out one after the other. Where the inserting fails for want of support, nothing has happened to the file.
    pub steps: Vec<Step>,
    layout: Layout,
}

#[derive(Debug)]
struct Track {
    /// Of the frames that come now; the file's timescale is that of the first configuration.
    timescale: u32,
    /// The sample description index that frames get now.
    description: u32,
    frame_duration: FrameDuration,
    /// Of the configuration that frames have now.
    parameter_sets: Option<ParameterSets>,
    held: Option<Pending>,
    last_duration: Option<u32>,
    /// Frames whose duration is known.
    ready: Vec<(Pending, u32)>,
    /// The index has samples of an earlier publish, and none of this one.
    returns: bool,
}

/// How long a frame lasts by itself, whatever follows.
#[derive(Debug)]
pub(super) enum FrameDuration {
    /// It does not say.
    Unknown,
    /// Samples of each, of so many a second.
    Same { samples: u32, sample_rate: u32 },
    /// As its first byte says.
    Opus,
}

impl FrameDuration {
    pub(super) fn of(codec: &CodecConfig) -> Self {
        match codec {
            CodecConfig::H264 { .. } | CodecConfig::Hevc { .. } | CodecConfig::Av1 { .. } => Self::Unknown,
            CodecConfig::Aac { asc, sample_rate, .. } => AacConfig::parse(asc)
                .map_or(Self::Unknown, |aac| Self::Same { samples: aac.frame_samples, sample_rate: *sample_rate }),
            CodecConfig::Opus { .. } => Self::Opus,
        }
    }

    /// In ticks of the file.
    pub(super) fn ticks(&self, frame: &[u8], file_timescale: u32) -> Option<u32> {
        let (samples, sample_rate) = match *self {
            Self::Unknown => return None,
            Self::Same { samples, sample_rate } => (samples, sample_rate),
            Self::Opus => (opus::packet_samples(frame)?, opus::SAMPLE_RATE),
        };
        u32::try_from(rescale(samples.into(), sample_rate, file_timescale)).ok()
    }
}

#[derive(Debug)]
struct Pending {
    dts: i64,
    pts_offset: i32,
    sync: bool,
    description: u32,
    data: Bytes,
}

impl RecordingWriter {
    /// Begins a file with these tracks, in this order. `reserve_bytes` is raised to 8 where it is less.
    ///
    /// Returns the head too: the first bytes of the file, to be written and synced before any fragment. The reserve in it is written out, so that
    /// finalising cannot fail for want of space.
    #[must_use]
    pub fn new(tracks: &[TrackConfig], reserve_bytes: u32) -> (Self, Bytes) {
        let index =
            SampleIndex { tracks: tracks.iter().map(|track| TrackIndex::new(track.timescale, track.codec.clone())).collect() };
        let mut head = ftyp(&index);
        let reserve_bytes = reserve_bytes.max(HEADER_BYTES);
        let reserve_offset = head.len() as u64;
        head.extend_from_slice(&free_header(reserve_bytes));
        head.resize(head.len() + (reserve_bytes - HEADER_BYTES) as usize, 0);
        let moov = moov::head(&index);
        head.extend_from_slice(&moov);
        let length = head.len() as u64;
        let layout = Layout {
            reserve_offset,
            reserve_bytes,
            first_free_bytes: reserve_bytes,
            head_moov_bytes: moov.len() as u32,
            media_offset: length,
        };
        let tracks = tracks.iter().map(|config| Track::new(config, 1)).collect();
        let writer = Self { tracks, layout, index, length, sequence: 0, pending_bytes: 0, origin_ms: None, begins_ms: 0 };
        (writer, Bytes::from(head))
    }

    /// Goes on with a recording that had come to its end, in a file that was brought back to growing by [`finalise::reopen`] and ends with its last
    /// fragment. The time in which nothing came is left out: the first frame is decoded when all that there is has ended. Until then each track's last
    /// sample lasts, so that picture and sound begin together again as they are sent.
    ///
    /// `None` where these are not the recording's tracks: a decoder that has what the file declares could not go on with them.
    #[must_use]
    pub fn resume(recording: Recording, tracks: &[TrackConfig]) -> Option<Self> {
        let Recording { layout, index, good_length, fragments } = recording;
        if tracks.len() != index.tracks.len() {
            return None;
        }
        let track = |indexed: &TrackIndex| {
            let config = tracks.iter().find(|config| config.codec.kind() == indexed.kind())?;
            let known = indexed.descriptions.iter().position(|known| *known == config.codec)?;
            let returns = indexed.samples > 0;
            Some(Track { returns, ..Track::new(config, known as u32 + 1) })
        };
        let tracks = index.tracks.iter().map(track).collect::<Option<Vec<_>>>()?;
        let end_ms = |track: &TrackIndex| {
            let ticks = u128::from(track.next_dts().unwrap_or(0));
            (ticks * u128::from(MILLISECONDS)).div_ceil(track.timescale.into()) as i64
        };
        let begins_ms = index.tracks.iter().map(end_ms).max().unwrap_or(0);
        let length = good_length;
        Some(Self { tracks, layout, index, length, sequence: fragments, pending_bytes: 0, origin_ms: None, begins_ms })
    }

    /// Where the parts of the file lie.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// When the first of the frames is decoded, in milliseconds of the file's time: later than 0 in a recording that goes on.
    #[must_use]
    pub fn begins_ms(&self) -> u64 {
        self.begins_ms.unsigned_abs()
    }

    /// The same in what is presented: how much of the recording is played before.
    #[must_use]
    pub fn presented_before_ms(&self) -> u64 {
        u64::try_from(self.begins_ms - self.index.base_ms()).unwrap_or(0)
    }

    /// How the reserve becomes twice as large, where a quarter more of an index would not fit into it; so that there is nothing left to do about that
    /// when the recording ends. `block_bytes` is the block size of the file system. `None` where there is room, or where it cannot be enlarged.
    ///
    /// Once it is done, [`Self::enlarged`] takes note of it.
    #[must_use]
    pub fn enlarge_reserve(&self, block_bytes: u32) -> Option<Enlargement> {
        let needed_bytes = finalise::reserve_for(self.index.moov_bytes());
        if needed_bytes + needed_bytes / 4 <= self.layout.reserve_bytes.into() {
            return None;
        }
        let mut steps = Vec::new();
        let layout = finalise::insert(&self.layout, u64::MAX, block_bytes, &mut steps)?;
        Some(Enlargement { steps, layout })
    }

    /// The steps have been carried out, and the media have moved.
    pub fn enlarged(&mut self, done: &Enlargement) {
        self.length += done.layout.media_offset - self.layout.media_offset;
        self.layout = done.layout;
    }

    /// The index of all that has been cut.
    #[must_use]
    pub fn index(&self) -> &SampleIndex {
        &self.index
    }

    /// Bytes of the file up to the end of the last fragment cut.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of the frames that wait for the next cut.
    #[must_use]
    pub fn pending_bytes(&self) -> u64 {
        self.pending_bytes
    }

    /// Takes a frame of a declared track, in the timescale of its latest configuration.
    ///
    /// # Errors
    /// Where there is no such track, or a limit is reached.
    pub fn push(&mut self, frame: Frame) -> Result<(), WriterError> {
        let at = self.track_of(frame.kind).ok_or(WriterError::UnknownTrack)?;
        let frame = self.tracks[at].with_parameter_sets(frame, self.index.tracks[at].descriptions.len());
        let (track, indexed) = (&mut self.tracks[at], &self.index.tracks[at]);
        let size = frame.data.len() as u64;
        if self.pending_bytes + size > MAX_FRAGMENT_BYTES {
            return Err(WriterError::FragmentFull);
        }
        if u64::from(indexed.samples) + track.ready.len() as u64 + 2 > u64::from(MAX_SAMPLES_PER_TRACK) {
            return Err(WriterError::TooManySamples);
        }
        let earliest = match (&track.held, self.origin_ms) {
            (Some(held), _) => held.dts + 1,
            (None, Some(origin_ms)) => rescale(origin_ms, MILLISECONDS, indexed.timescale),
            (None, None) => -MAX_TICKS,
        };
        track.push(frame, indexed.timescale, earliest);
        self.pending_bytes += size;
        Ok(())
    }

    /// Closes a fragment with all frames whose duration is known; `None` where there are none. To be called when
    /// the first frame of the next fragment has been pushed, a keyframe best: that frame is held back for its duration and begins the next one.
    ///
    /// The index counts the fragment as written. Where writing it fails, the writer is of no more use; [`scan()`](super::scan()) says what the file has.
    pub fn cut(&mut self) -> Option<Fragment> {
        if self.tracks.iter().all(|track| track.ready.is_empty()) {
            return None;
        }
        let origin_ms = *self.origin_ms.get_or_insert_with(|| origin_ms(&self.tracks, &self.index) - self.begins_ms);
        let (mut runs, mut media) = (Vec::new(), Vec::new());
        for (at, track) in self.tracks.iter_mut().enumerate() {
            let indexed = &mut self.index.tracks[at];
            let origin = rescale(origin_ms, MILLISECONDS, indexed.timescale);
            if let Some((first, _)) = track.ready.first().filter(|_| track.returns) {
                indexed.last_until(since_origin(first.dts, origin));
                track.returns = false;
            }
            let mut next_dts = indexed.next_dts();
            for (pending, duration) in track.ready.drain(..) {
                let size = pending.data.len() as u32;
                let sample = Sample { size, duration, pts_offset: pending.pts_offset, sync: pending.sync };
                let dts = next_dts.unwrap_or_else(|| since_origin(pending.dts, origin));
                next_dts = Some(dts + u64::from(duration));
                match runs.last_mut() {
                    Some(Run { track, description, samples, .. }) if (*track, *description) == (at, pending.description) => {
                        samples.push(sample);
                    }
                    _ => runs.push(Run { track: at, description: pending.description, dts, samples: vec![sample] }),
                }
                media.push(pending.data);
            }
        }
        self.sequence += 1;
        let head = Bytes::from(moof_and_mdat_header(self.sequence, &runs));
        let offset = self.length;
        self.length += head.len() as u64;
        for run in &runs {
            let chunk_offset = self.length - self.layout.media_offset;
            self.index.tracks[run.track].push_chunk(chunk_offset, run.description, run.dts, run.samples.iter().copied());
            self.length += run.bytes();
        }
        self.pending_bytes -= self.length - offset - head.len() as u64;
        let mut parts = Vec::with_capacity(media.len() + 1);
        parts.push(head);
        parts.append(&mut media);
        Some(Fragment { offset, parts, length: self.length - offset })
    }

    /// Ends the recording: the last fragment, with the frames that were held back, and what finalising needs once it is written.
    #[must_use]
    pub fn finish(mut self) -> (Option<Fragment>, Recording) {
        for (track, indexed) in self.tracks.iter_mut().zip(&self.index.tracks) {
            track.release_held(indexed.timescale);
        }
        let fragment = self.cut();
        let Self { layout, index, length, sequence, .. } = self;
        (fragment, Recording { layout, index, good_length: length, fragments: sequence })
    }

    /// Takes note of a track's new configuration, or of a new track. Frames pushed from now on belong to it.
    ///
    /// Returns the steps that bring a new head into the file, to be carried out before the next fragment is written; none where the file knows the
    /// configuration already. Each state between two steps plays what the file had before.
    ///
    /// # Errors
    /// Where a limit is reached; then all is as before.
    pub fn configure(&mut self, config: &TrackConfig) -> Result<Vec<Step>, WriterError> {
        let known = self.track_of(config.codec.kind());
        let mut index = SampleIndex { tracks: self.index.tracks.iter().map(TrackIndex::without_samples).collect() };
        let description = match known {
            Some(at) => {
                let descriptions = &mut index.tracks[at].descriptions;
                match descriptions.iter().position(|description| *description == config.codec) {
                    Some(known) => known + 1,
                    None if descriptions.len() == MAX_DESCRIPTIONS => return Err(WriterError::TooManyDescriptions),
                    None => {
                        descriptions.push(config.codec.clone());
                        descriptions.len()
                    }
                }
            }
            None => {
                index.tracks.push(TrackIndex::new(config.timescale, config.codec.clone()));
                1
            }
        };
        let changed = known.is_none_or(|at| index.tracks[at].descriptions.len() > self.index.tracks[at].descriptions.len());
        let steps = if changed { self.replace_head(&moov::head(&index))? } else { Vec::new() };
        match known {
            Some(at) => {
                self.index.tracks[at].descriptions.clone_from(&index.tracks[at].descriptions);
                self.tracks[at].reconfigure(config, description as u32);
            }
            None => {
                self.index.tracks.push(TrackIndex::new(config.timescale, config.codec.clone()));
                self.tracks.push(Track::new(config, 1));
            }
        }
        Ok(steps)
    }

    /// Lays a new head into the end of the reserve and retires the old one.
    fn replace_head(&mut self, moov: &[u8]) -> Result<Vec<Step>, WriterError> {
        let bytes = moov.len() as u32;
        let left = self.layout.reserve_bytes.checked_sub(bytes).filter(|left| *left >= HEADER_BYTES);
        let left = left.ok_or(WriterError::ReserveUsedUp)?;
        let old_moov = self.layout.reserve_end();
        let steps = vec![
            Step::Write { offset: old_moov - u64::from(bytes), bytes: Bytes::copy_from_slice(moov) },
            Step::Sync,
            Step::Write { offset: self.layout.reserve_offset, bytes: Bytes::copy_from_slice(&left.to_be_bytes()) },
            Step::Sync,
            Step::Write { offset: old_moov + 4, bytes: Bytes::from_static(b"free") },
            Step::Sync,
        ];
        self.layout = Layout { reserve_bytes: left, first_free_bytes: left, head_moov_bytes: bytes, ..self.layout };
        Ok(steps)
    }

    fn track_of(&self, kind: TrackKind) -> Option<usize> {
        self.index.tracks.iter().position(|track| track.kind() == kind)
    }
}

/// A track's first decoding time in the file. None is before the origin where the tracks came in order.
fn since_origin(dts: i64, origin: i64) -> u64 {
    u64::try_from(dts.saturating_sub(origin)).unwrap_or(0).min(MAX_FIRST_DTS)
}

/// The earliest decoding time of all tracks, in milliseconds: no track's first one is before it.
fn origin_ms(tracks: &[Track], index: &SampleIndex) -> i64 {
    let first = |track: &Track| track.ready.first().map(|(pending, _)| pending.dts).or(track.held.as_ref().map(|held| held.dts));
    let firsts = tracks.iter().zip(&index.tracks).filter_map(|(track, indexed)| Some((first(track)?, indexed.timescale)));
    let earliest = |(dts, timescale)| {
        let nearest = rescale(dts, timescale, MILLISECONDS);
        if rescale(nearest, MILLISECONDS, timescale) > dts { nearest - 1 } else { nearest }
    };
    firsts.map(earliest).min().unwrap_or(0)
}

impl Track {
    fn new(config: &TrackConfig, description: u32) -> Self {
        let mut track = Self {
            timescale: 1,
            description,
            frame_duration: FrameDuration::Unknown,
            parameter_sets: None,
            held: None,
            last_duration: None,
            ready: Vec::new(),
            returns: false,
        };
        track.reconfigure(config, description);
        track
    }

    fn reconfigure(&mut self, config: &TrackConfig, description: u32) {
        self.timescale = config.timescale;
        self.description = description;
        self.frame_duration = FrameDuration::of(&config.codec);
        self.parameter_sets = ParameterSets::of(&config.codec);
    }

    /// Each keyframe of H.264 says which configuration is its own: there are players that read a track's first one only, and Chromium, which fails where it is led
    /// back from behind another one to pictures that do not say theirs. So these are there from the beginning; with HEVC, which is less used to it, once
    /// there are several.
    fn with_parameter_sets(&self, frame: Frame, descriptions: usize) -> Frame {
        match &self.parameter_sets {
            Some(sets) if frame.keyframe && (descriptions > 1 || sets.are_h264()) => {
                Frame { data: sets.put_into(&frame.data), ..frame }
            }
            _ => frame,
        }
    }

    /// `earliest` is the least decoding time that mends the order.
    fn push(&mut self, frame: Frame, file_timescale: u32, earliest: i64) {
        let to_file = |ticks: i64| rescale(ticks, self.timescale, file_timescale).clamp(-MAX_TICKS, MAX_TICKS);
        let (sent, pts) = (to_file(frame.dts), to_file(frame.dts.saturating_add(frame.pts_offset.into())));
        let dts = sent.max(earliest);
        let dts = self.held.as_ref().map_or(dts, |held| dts.min(held.dts + MAX_SAMPLE_TICKS as i64));
        let pts_offset = (pts - dts).max((pts - sent).min(0)).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        let next = Pending { dts, pts_offset, sync: frame.keyframe, description: self.description, data: frame.data };
        if let Some(held) = self.held.replace(next) {
            let duration = (dts - held.dts) as u32;
            self.last_duration = Some(duration);
            self.ready.push((held, duration));
        }
    }

    /// Guesses the last frame's duration.
    fn release_held(&mut self, file_timescale: u32) {
        let lone = || rescale(LONE_FRAME_MS, MILLISECONDS, file_timescale) as u32;
        if let Some(held) = self.held.take() {
            let own = self.frame_duration.ticks(&held.data, file_timescale);
            self.ready.push((held, own.or(self.last_duration).unwrap_or_else(lone)));
        }
    }
}
