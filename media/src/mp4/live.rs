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
use super::silence::Silence;
use super::writer::FrameDuration;

/// So long before the first frame media time begins, for the other track may have begun a little earlier.
pub const LEAD_MS: i64 = 1_000;
/// How long a video frame is said to last where the track's own step is not known: one of 25 a second.
const LONE_FRAME_MS: i64 = 40;
/// No video frame is said to last longer, unless the one before it did: what is said is a guess, and the next fragment's time puts it right.
const LONGEST_GUESS_MS: i64 = 1_000;
/// A decoding time that is more than two durations of the last frame behind that one is a hole to Media Source Extensions (W3C, coded frame processing, step 6):
/// every frame of *each* track is thrown away until one that can be begun with, seconds of picture for one frame that a busy encoder left out. This is told at
/// the most, in halves of the duration: the rest is for what browsers round off.
const MOST_HALVES: i64 = 3;
/// A keyframe is told at its own time where the decoding time has fallen back by more than this: what can be begun with may come after a hole.
const MAX_BEHIND_MS: i64 = 500;
/// And so is every frame where it has fallen back by more than this.
const NO_FURTHER_BEHIND_MS: i64 = 60_000;
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
    /// When it is due to be decoded, in milliseconds of media time. The fragment may say earlier, see [`LiveWriter`].
    pub dts_ms: i64,
    /// How long it is said to last, in milliseconds.
    pub duration_ms: i64,
}

/// Makes fragments of frames.
///
/// Timing: each frame has its exact time of presentation; decoding times that do not increase are mended by the least, one tick. How long a frame lasts would
/// show with the next one only, so of video frames the step before is told; of AAC and Opus what the frame holds. Where a video frame then comes later than that,
/// its decoding time is told as early as it takes to be no hole to browsers, and comes back to what it should be with the next frames. Sound has no such gaps
/// where [`LiveWriter::fill`] is asked first.
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
    last: Option<Last>,
    step: Option<i64>,
    /// Of sound.
    silence: Option<Silence>,
}

/// The frame before, in ticks.
#[derive(Clone, Copy, Debug)]
struct Last {
    /// When it was due.
    dts: i64,
    /// What its fragment says, never later.
    told_dts: i64,
    told_duration: i64,
}

/// Where a frame stands, in ticks.
struct Place {
    /// When it is due, not negative.
    dts: i64,
    told_dts: i64,
    duration: u32,
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
            last: None,
            step: None,
            silence: Silence::of(&config.codec, config.timescale),
        };
        (Self { tracks: tracks.iter().map(track).collect(), sequence: 0 }, init.into())
    }

    /// What stands in for the sound that is missing before this frame: to be sent before it. Most often there is none.
    pub fn fill(&mut self, frame: &Frame) -> Vec<LiveFragment> {
        let track = self.tracks.iter().find(|track| track.kind == frame.kind);
        let Some(silence) = track.and_then(|track| track.silence.as_ref()) else { return Vec::new() };
        let missing = silence.before(frame.dts);
        missing.iter().filter_map(|silent| self.push(silent)).collect()
    }

    /// `None` for a frame that cannot be shown: of a track that was not declared, from before media time began, or of a gigabyte or an absurd time.
    pub fn push(&mut self, frame: &Frame) -> Option<LiveFragment> {
        let at = self.tracks.iter().position(|track| track.kind == frame.kind)?;
        if frame.data.len() > MAX_FRAME_BYTES {
            return None;
        }
        let track = &mut self.tracks[at];
        let Place { dts, told_dts, duration } = track.place(frame)?;
        let late = dts - frame.dts.saturating_sub(track.origin);
        let pts_offset = (i64::from(frame.pts_offset) - late).max(i64::from(frame.pts_offset).min(0)) + (dts - told_dts);
        let sample = Sample {
            size: frame.data.len() as u32,
            duration,
            pts_offset: pts_offset.clamp(i32::MIN.into(), i32::MAX.into()) as i32,
            sync: frame.keyframe,
        };
        self.sequence = self.sequence.wrapping_add(1);
        let run = Run { track: at, description: 1, dts: told_dts.unsigned_abs(), samples: vec![sample] };
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
    fn place(&mut self, frame: &Frame) -> Option<Place> {
        let sent = frame.dts.saturating_sub(self.origin);
        if !(0..MAX_TICKS).contains(&sent) {
            return None;
        }
        let ticks = |ms| rescale(ms, MILLISECONDS, self.timescale);
        let dts = self.last.map_or(sent, |last| sent.max(last.dts + 1));
        if let Some(silence) = &mut self.silence {
            silence.count(frame.dts, &frame.data);
        }
        let told_dts = self.told(frame, dts);
        let step = self.last.map(|last| dts - last.dts);
        // Two that are as long are no guess.
        let longest = ticks(LONGEST_GUESS_MS).max(self.step.unwrap_or_default()).max(1);
        // Who has fallen back comes back the sooner.
        let behind = (dts - told_dts).min(ticks(LONGEST_GUESS_MS));
        let guess = || step.unwrap_or_else(|| ticks(LONE_FRAME_MS)).clamp(1, longest).max(behind);
        let own = self.frame_duration.ticks(&frame.data, self.timescale).map(i64::from);
        let duration = own.unwrap_or_else(guess).clamp(1, MAX_SAMPLE_TICKS as i64);
        self.step = step.or(self.step);
        self.last = Some(Last { dts, told_dts, told_duration: duration });
        Some(Place { dts, told_dts, duration: duration as u32 })
    }

    /// The decoding time that the fragment says of a frame that is due at `dts`. Sound is told when it is due: what comes after a gap would be played at once.
    fn told(&self, frame: &Frame, dts: i64) -> i64 {
        let Some(last) = self.last.filter(|_| frame.kind == TrackKind::Video) else { return dts };
        let early = dts.min(last.told_dts + (MOST_HALVES * last.told_duration / 2).max(1));
        let behind_ms = rescale(dts - early, self.timescale, MILLISECONDS);
        let most_ms = if frame.keyframe { MAX_BEHIND_MS } else { NO_FURTHER_BEHIND_MS };
        if behind_ms > most_ms { dts } else { early }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use crate::codec::opus;
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

    /// What browsers do with fragments: W3C Media Source Extensions, coded frame processing, steps 6 and 10.
    #[derive(Default)]
    struct Browser {
        /// Of each track: the last decoding time, and how long that frame lasts, both in whole microseconds.
        last: [Option<(i64, i64)>; 2],
        waits_for_keyframe: [bool; 2],
    }

    impl Browser {
        /// Whether the frame is kept.
        fn append(&mut self, track: usize, timescale: i64, dts: i64, duration: i64, keyframe: bool) -> bool {
            let [dts, duration] = [dts, duration].map(|ticks| ticks * 1_000_000 / timescale);
            if self.last[track].is_some_and(|(last, lasts)| dts < last || dts - last > 2 * lasts) {
                self.last = [None; 2];
                self.waits_for_keyframe = [true; 2];
            }
            if self.waits_for_keyframe[track] && !keyframe {
                return false;
            }
            self.waits_for_keyframe[track] = false;
            self.last[track] = Some((dts, duration));
            true
        }
    }

    fn told(fragment: &LiveFragment) -> (i64, Sample) {
        let (size, _) = fragment.bytes.split_first_chunk().expect("a box");
        let moof = &fragment.bytes[8..u32::from_be_bytes(*size) as usize];
        let (run, _) = read::moof(read::Reader(moof)).expect("readable").remove(0);
        (run.dts as i64, run.samples[0])
    }

    proptest::proptest! {
        #[test]
        fn no_frame_is_thrown_away_by_browsers_however_unevenly_they_come(
            // Up to 1.5 s of picture and 2.8 s of sound.
            steps in proptest::collection::vec((0..2usize, 0..135_000i64, 0..80i32, proptest::bool::weighted(0.1)), 1..200),
        ) {
            let picture = TrackConfig { timescale: 90_000, ..video() };
            let sound = TrackConfig { codec: CodecConfig::Opus { dops: opus::stereo_dops(312), channels: 2, pre_skip: 312 }, timescale: 48_000 };
            let timescales = [picture.timescale.into(), sound.timescale.into()];
            let (mut writer, _) = LiveWriter::new(&[picture, sound], 0);
            let mut browser = Browser::default();
            let mut due = [0i64; 2];
            let mut begun = false;
            for (track, step, pts_offset, keyframe) in steps {
                let is_video = track == 0;
                // Sound has no less than it lasts.
                due[track] += step.max(if is_video { 1 } else { 960 });
                // The first can be begun with, as it is where viewers join.
                let keyframe = keyframe || !is_video || !begun;
                begun |= is_video;
                let (kind, pts_offset, data) = if is_video {
                    (TrackKind::Video, pts_offset, Bytes::from_static(b"picture"))
                } else {
                    (TrackKind::Audio, 0, Bytes::from_static(&[0b1111_1000, 1, 2]))
                };
                let frame = Frame { kind, dts: due[track], pts_offset, keyframe, data };
                for fragment in writer.fill(&frame) {
                    let (dts, sample) = told(&fragment);
                    proptest::prop_assert!(browser.append(track, timescales[track], dts, sample.duration.into(), true));
                    proptest::prop_assert!(!is_video && dts + i64::from(sample.duration) <= frame.dts + 240);
                }
                let fragment = writer.push(&frame).expect("a fragment");
                let (dts, sample) = told(&fragment);
                proptest::prop_assert!(browser.append(track, timescales[track], dts, sample.duration.into(), keyframe));
                let is_early = dts < frame.dts;
                proptest::prop_assert!(dts <= frame.dts && (is_video || !is_early));
                proptest::prop_assert_eq!(dts + i64::from(sample.pts_offset), frame.dts + i64::from(pts_offset));
            }
        }
    }

    #[test]
    fn slides_do_not_fall_back_further_and_further() {
        let (mut writer, _) = LiveWriter::new(&[video()], 0);
        let mut behind = |at: i64| {
            let frame = Frame { keyframe: at == 0, ..picture(at * 5_000, 0) };
            at * 5_000 - writer.push(&frame).map(|fragment| told(&fragment).0).expect("a fragment")
        };
        assert!((0..1_000).map(&mut behind).all(|behind| behind < 10_000));
        assert_eq!(behind(1_000), 0);
    }

    #[test]
    fn a_keyframe_after_a_long_pause_is_told_at_its_own_time() {
        let (mut writer, _) = LiveWriter::new(&[video()], 0);
        let mut push = |dts, keyframe| writer.push(&Frame { keyframe, ..picture(dts, 0) }).map(|fragment| told(&fragment).0);
        assert_eq!(push(0, true), Some(0));
        assert_eq!(push(10_000, false), Some(60), "no hole to a browser");
        assert_eq!(push(10_040, true), Some(10_040));
    }

    #[test]
    fn a_frame_of_another_track_or_from_before_the_beginning_goes_nowhere() {
        let (mut writer, _) = LiveWriter::new(&[video()], 0);
        assert!(writer.push(&Frame { kind: TrackKind::Audio, ..picture(0, 0) }).is_none());
        assert!(writer.push(&picture(-1, 5)).is_none());
        assert!(writer.push(&picture(0, -40)).is_some());
    }
}
