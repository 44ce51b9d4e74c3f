//! Where segments and parts begin, decided frame by frame as they come: nothing is waited for.

use crate::frame::TrackKind;
use crate::mp4::LiveFragment;

/// How long a part is to be. It ends with the first picture from there on, so that it is longer by less than one.
pub const PART_MS: i64 = 200;
/// A part that lacks so little of that is complete: timestamps are rounded to milliseconds.
const TOLERANCE_MS: i64 = 5;
/// A segment is not shorter, however close keyframes stand.
const MIN_SEGMENT_MS: i64 = 900;
/// Without pictures, where any frame can begin a segment, they are so long.
const AUDIO_SEGMENT_MS: i64 = 2_000;
/// A segment is not longer, also where no keyframe comes: the next one then begins with another frame, and no player can begin with it.
pub const MAX_SEGMENT_MS: i64 = 10_000;
/// Where pictures stay away, parts end with a frame of the other track.
const LONGEST_PART_MS: i64 = 2 * PART_MS;

/// What begins with a frame, and when, in milliseconds of media time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// The frame belongs to the part that is being made.
    Nothing,
    Part {
        at_ms: i64,
    },
    /// And with it a part.
    Segment {
        at_ms: i64,
    },
}

/// Cuts the frames of one set of tracks.
#[derive(Clone, Debug)]
pub struct Cutter {
    /// The track whose frames begin parts.
    leader: TrackKind,
    max_segment_bytes: usize,
    current: Option<Current>,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    segment_begins_ms: i64,
    part_begins_ms: i64,
    segment_bytes: usize,
}

impl Cutter {
    /// A segment of more than `max_segment_bytes` is cut wherever it is.
    #[must_use]
    pub fn new(has_video: bool, max_segment_bytes: usize) -> Self {
        let leader = if has_video { TrackKind::Video } else { TrackKind::Audio };
        Self { leader, max_segment_bytes, current: None }
    }

    /// The track whose frames begin parts.
    #[must_use]
    pub fn leader(&self) -> TrackKind {
        self.leader
    }

    /// The first frame of all begins a segment.
    pub fn next(&mut self, frame: &LiveFragment) -> Cut {
        let at_ms = frame.dts_ms;
        let cut = match self.current {
            None => Cut::Segment { at_ms },
            Some(current) => self.cut(&current, frame),
        };
        let bytes = frame.bytes.len();
        match (cut, &mut self.current) {
            (Cut::Nothing, Some(current)) => current.segment_bytes += bytes,
            (Cut::Part { at_ms }, Some(current)) => {
                current.part_begins_ms = at_ms;
                current.segment_bytes += bytes;
            }
            _ => self.current = Some(Current { segment_begins_ms: at_ms, part_begins_ms: at_ms, segment_bytes: bytes }),
        }
        cut
    }

    fn cut(&self, current: &Current, frame: &LiveFragment) -> Cut {
        let at_ms = frame.dts_ms;
        let (segment_ms, part_ms) = (at_ms - current.segment_begins_ms, at_ms - current.part_begins_ms);
        let leads = frame.kind == self.leader;
        if !leads && part_ms < LONGEST_PART_MS || part_ms <= 0 {
            return Cut::Nothing;
        }
        let long_enough = match self.leader {
            TrackKind::Video => leads && frame.keyframe && segment_ms >= MIN_SEGMENT_MS,
            TrackKind::Audio => segment_ms >= AUDIO_SEGMENT_MS,
        };
        if long_enough || segment_ms >= MAX_SEGMENT_MS || current.segment_bytes > self.max_segment_bytes {
            Cut::Segment { at_ms }
        } else if part_ms >= PART_MS - TOLERANCE_MS {
            Cut::Part { at_ms }
        } else {
            Cut::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: TrackKind, dts_ms: i64, keyframe: bool) -> LiveFragment {
        LiveFragment { bytes: Bytes::from_static(&[0; 100]), kind, keyframe, dts_ms, duration_ms: 40 }
    }

    /// Where segments and parts begin.
    fn cuts(cutter: &mut Cutter, frames: impl IntoIterator<Item = LiveFragment>) -> (Vec<i64>, Vec<i64>) {
        let (mut segments, mut parts) = (Vec::new(), Vec::new());
        for frame in frames {
            match cutter.next(&frame) {
                Cut::Nothing => {}
                Cut::Part { at_ms } => parts.push(at_ms),
                Cut::Segment { at_ms } => {
                    segments.push(at_ms);
                    parts.push(at_ms);
                }
            }
        }
        (segments, parts)
    }

    #[test]
    fn segments_go_from_keyframe_to_keyframe_and_parts_last_five_pictures() {
        let video = (0..100).map(|at| frame(TrackKind::Video, 1_000 + at * 40, at % 25 == 0));
        let (segments, parts) = cuts(&mut Cutter::new(true, usize::MAX), video);
        assert_eq!(segments, [1_000, 2_000, 3_000, 4_000]);
        assert_eq!(parts[..6], [1_000, 1_200, 1_400, 1_600, 1_800, 2_000]);
    }

    #[test]
    fn keyframes_that_stand_close_do_not_make_short_segments_and_ones_far_apart_no_long_ones() {
        let close = (0..100).map(|at| frame(TrackKind::Video, at * 40, at % 5 == 0));
        assert_eq!(cuts(&mut Cutter::new(true, usize::MAX), close).0, [0, 1_000, 2_000, 3_000]);
        let far = (0..600).map(|at| frame(TrackKind::Video, at * 40, at == 0));
        assert_eq!(cuts(&mut Cutter::new(true, usize::MAX), far).0, [0, 10_000, 20_000]);
        let large = (0..20).map(|at| frame(TrackKind::Video, at * 40, at == 0));
        assert_eq!(cuts(&mut Cutter::new(true, 1_000), large).0, [0, 440]);
    }

    #[test]
    fn where_the_picture_stands_still_the_sound_goes_on_in_parts() {
        let mut cutter = Cutter::new(true, usize::MAX);
        cutter.next(&frame(TrackKind::Video, 0, true));
        let sound = (0..100).map(|at| frame(TrackKind::Audio, at * 20, true));
        assert_eq!(cuts(&mut cutter, sound).1, [400, 800, 1_200, 1_600]);
        let sound = (0..300).map(|at| frame(TrackKind::Audio, at * 20, true));
        assert_eq!(cuts(&mut Cutter::new(false, usize::MAX), sound).0, [0, 2_000, 4_000]);
    }

    proptest! {
        #[test]
        fn parts_come_one_after_the_other_and_none_is_much_too_long(
            steps in proptest::collection::vec((0_i64..80, any::<bool>(), prop::bool::weighted(0.1)), 1..400),
        ) {
            let mut at_ms = 0;
            let frames = steps.into_iter().map(|(step, video, keyframe)| {
                at_ms += step;
                frame(if video { TrackKind::Video } else { TrackKind::Audio }, at_ms, keyframe || !video)
            });
            let (segments, parts) = cuts(&mut Cutter::new(true, usize::MAX), frames);
            prop_assert!(parts.windows(2).all(|pair| (1..=LONGEST_PART_MS + 80).contains(&(pair[1] - pair[0]))), "{parts:?}");
            prop_assert!(segments.windows(2).all(|pair| (MIN_SEGMENT_MS..=MAX_SEGMENT_MS + LONGEST_PART_MS).contains(&(pair[1] - pair[0]))));
        }
    }
}
