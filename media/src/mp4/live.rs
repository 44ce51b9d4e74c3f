//! What is watched live: an init segment, and one fragment (moof + mdat) for each frame, so that no frame waits for the next.
//!
//! Fragments are whole and self-contained: whoever has the init segment can begin with any that starts at a keyframe. Nothing is kept here.

use bytes::Bytes;

use crate::frame::{Frame, TrackConfig, TrackKind};
use crate::time::{MILLISECONDS, rescale};

use super::boxes::ftyp;
use super::fragment::{Run, moof_and_mdat_header};
use super::index::{MAX_SAMPLE_TICKS, Sample, SampleIndex, TrackIndex};
use super::moov;
use super::writer::FrameDuration;

/// So long before the first frame media time begins, for the other track may have begun a little earlier.
pub const LEAD_MS: i64 = 1_000;
/// How long a video frame is said to last where the track's own step is not known: one of 25 a second.
const LONE_FRAME_MS: i64 = 40;
/// No video frame is said to last longer: what is said is a guess, and the next fragment's time puts it right.
const LONGEST_GUESS_MS: i64 = 1_000;
/// The largest frame: a fragment's sizes have 32 bits.
const MAX_FRAME_BYTES: usize = 1 << 30;
/// Times beyond it are a hostile clock's; no sum of lesser ones overflows.
const MAX_TICKS: i64 = 1 << 53;

/// Where media time begins for a publish whose first frame this is: in milliseconds of the frames' time.
#[must_use]
pub fn origin_ms(frame: &Frame, timescale: u32) -> i64 {
    rescale(frame.dts, timescale, MILLISECONDS).saturating_sub(LEAD_MS)
}

/// One frame as viewers get it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveFragment {
    /// moof and mdat.
    pub bytes: Bytes,
    pub kind: TrackKind,
    /// As the frame's.
    pub keyframe: bool,
    /// When it is decoded, in milliseconds of media time.
    pub dts_ms: i64,
    /// How long it is said to last, in milliseconds.
    pub duration_ms: i64,
}

/// Makes fragments of frames.
///
/// Timing: each fragment has its exact decoding time; those that do not increase are mended by the least, one tick. How long a frame lasts would show with
/// the next one only, so of video frames the step before is told; of AAC and Opus what the frame holds.
#[derive(Debug)]
pub struct LiveWriter {
    tracks: Vec<Track>,
    sequence: u32,
}

#[derive(Debug)]
struct Track {
    kind: TrackKind,
    timescale: u32,
    /// Of media time, in the track's ticks.
    origin: i64,
    frame_duration: FrameDuration,
    last_dts: Option<i64>,
    step: Option<i64>,
}

impl LiveWriter {
    /// For these tracks, at most one of a kind, and an [`origin_ms`]. Returns the init segment too.
    #[must_use]
    pub fn new(tracks: &[TrackConfig], origin_ms: i64) -> (Self, Bytes) {
        let index =
            SampleIndex { tracks: tracks.iter().map(|track| TrackIndex::new(track.timescale, track.codec.clone())).collect() };
        let init = [ftyp(&index), moov::head(&index)].concat();
        let track = |config: &TrackConfig| Track {
            kind: config.codec.kind(),
            timescale: config.timescale,
            origin: rescale(origin_ms, MILLISECONDS, config.timescale),
            frame_duration: FrameDuration::of(&config.codec),
            last_dts: None,
            step: None,
        };
        (Self { tracks: tracks.iter().map(track).collect(), sequence: 0 }, init.into())
    }

    /// `None` for a frame that cannot be shown: of a track that was not declared, from before media time began, or of a gigabyte or an absurd time.
    pub fn push(&mut self, frame: &Frame) -> Option<LiveFragment> {
        let at = self.tracks.iter().position(|track| track.kind == frame.kind)?;
        if frame.data.len() > MAX_FRAME_BYTES {
            return None;
        }
        let track = &mut self.tracks[at];
        let (dts, duration) = track.place(frame)?;
        let late = dts - frame.dts.saturating_sub(track.origin);
        let pts_offset = (i64::from(frame.pts_offset) - late).max(i64::from(frame.pts_offset).min(0));
        let sample = Sample {
            size: frame.data.len() as u32,
            duration,
            pts_offset: pts_offset.clamp(i32::MIN.into(), i32::MAX.into()) as i32,
            sync: frame.keyframe,
        };
        self.sequence = self.sequence.wrapping_add(1);
        let run = Run { track: at, description: 1, dts: dts.unsigned_abs(), samples: vec![sample] };
        let mut bytes = moof_and_mdat_header(self.sequence, &[run]);
        bytes.reserve_exact(frame.data.len());
        bytes.extend_from_slice(&frame.data);
        Some(LiveFragment {
            bytes: bytes.into(),
            kind: frame.kind,
            keyframe: frame.keyframe,
            dts_ms: rescale(dts, track.timescale, MILLISECONDS),
            duration_ms: rescale(duration.into(), track.timescale, MILLISECONDS),
        })
    }
}

impl Track {
    /// Decoding time, not negative, and duration, in ticks.
    fn place(&mut self, frame: &Frame) -> Option<(i64, u32)> {
        let sent = frame.dts.saturating_sub(self.origin);
        if !(0..MAX_TICKS).contains(&sent) {
            return None;
        }
        let dts = self.last_dts.map_or(sent, |last| sent.max(last + 1));
        if let Some(last) = self.last_dts.replace(dts) {
            self.step = Some(dts - last);
        }
        let ticks = |ms| rescale(ms, MILLISECONDS, self.timescale);
        let guess = || self.step.unwrap_or_else(|| ticks(LONE_FRAME_MS)).clamp(1, ticks(LONGEST_GUESS_MS).max(1)) as u32;
        let duration = self.frame_duration.ticks(&frame.data, self.timescale).unwrap_or_else(guess);
        Some((dts, duration.min(MAX_SAMPLE_TICKS as u32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::CodecConfig;

    fn video() -> TrackConfig {
        let avcc = Bytes::from_static(include_bytes!("../../tests/data/x264-320x180.avcc"));
        TrackConfig { codec: CodecConfig::H264 { avcc, width: 320, height: 180 }, timescale: 1_000 }
    }

    fn picture(dts: i64, pts_offset: i32) -> Frame {
        Frame { kind: TrackKind::Video, dts, pts_offset, keyframe: true, data: Bytes::from_static(b"picture") }
    }

    #[test]
    fn a_frame_lasts_as_long_as_the_step_before_it() {
        let first = picture(5_000, 0);
        let (mut writer, _) = LiveWriter::new(&[video()], origin_ms(&first, 1_000));
        let mut push = |dts| writer.push(&picture(dts, 0)).map(|fragment| (fragment.dts_ms, fragment.duration_ms));
        assert_eq!(push(5_000), Some((1_000, 40)), "not known yet");
        assert_eq!(push(5_033), Some((1_033, 33)));
        assert_eq!(push(5_033), Some((1_034, 1)), "mended");
        assert_eq!(push(15_033), Some((11_033, 1_000)), "a pause is no frame");
        assert_eq!(push(3_999), None, "before the beginning");
    }

    #[test]
    fn a_frame_of_another_track_or_from_before_the_beginning_goes_nowhere() {
        let (mut writer, _) = LiveWriter::new(&[video()], 0);
        assert!(writer.push(&Frame { kind: TrackKind::Audio, ..picture(0, 0) }).is_none());
        assert!(writer.push(&picture(-1, 5)).is_none());
        assert!(writer.push(&picture(0, -40)).is_some());
    }
}
