//! One timeline for all of a publish, whatever the encoder's clock does: restarts at zero, jumps and steps back are closed up.
//!
//! Pure: times in, times out. What an honest encoder sends passes unchanged, with its gaps and with its offset between picture and sound.

use crate::frame::TrackKind;
use crate::time::{MILLISECONDS, rescale};

/// A pause of all tracks as long as this is kept as one: the encoder may have been cut off from its source. A longer step is taken for a clock that was
/// set. A single track may be silent as long as it likes.
pub const LONGEST_GAP_MS: i64 = 30_000;
/// Decoding times of one track do not go back at all; so much is rounding, and mended by the least that puts it in order.
pub const LARGEST_STEP_BACK_MS: i64 = 50;
/// Within this of where the track's next frame is due, its clock is taken to be as it was.
const ON_TIME_MS: i64 = 1_000;
/// The step to the first frame after a jump, where the track's own is not known: one frame of 25 a second.
const LONE_STEP_MS: i64 = 40;
/// How many of its clock's earlier settings an encoder may come back to.
const REMEMBERED: usize = 4;

/// A place where the encoder's clock was set, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Jump {
    /// Where the track's next frame was due, by the clock as it was.
    pub due_ms: i64,
    /// What the encoder sent instead.
    pub sent_ms: i64,
}

/// Keeps the tracks of a publish on one timeline.
///
/// A time that cannot follow the one before is shifted to where the longest track ends. The other track takes over the same shift as soon as its
/// times ask for one too, so that picture and sound stay together across the jump.
#[derive(Clone, Default, Debug)]
pub struct Timeline {
    tracks: [Track; 2],
    /// What is added to the encoder's times, in milliseconds; the newest last.
    shifts_ms: Vec<i64>,
}

#[derive(Clone, Copy, Default, Debug)]
struct Track {
    shift_ms: i64,
    /// On the timeline.
    last_ms: Option<i64>,
    step_ms: Option<i64>,
}

impl Timeline {
    /// The decoding time, in ticks of `timescale`, that the frame has on the timeline; and the jump, where one begins with this frame.
    pub fn place(&mut self, kind: TrackKind, dts: i64, timescale: u32) -> (i64, Option<Jump>) {
        let sent_ms = rescale(dts, timescale, MILLISECONDS);
        let end_ms = self.tracks.iter().filter_map(|track| track.last_ms).max();
        let newest_shift_ms = self.shifts_ms.last().copied().unwrap_or(0);
        let track = self.tracks[kind as usize];
        let (shift_ms, jump) = match (track.last_ms, end_ms) {
            (None, None) => (0, None),
            // A track that joins belongs to the clock as it is, unless that is out of the question.
            (None, Some(end_ms)) => {
                let away_ms = sent_ms.saturating_add(newest_shift_ms).saturating_sub(end_ms);
                match away_ms.abs() <= LONGEST_GAP_MS {
                    true => (newest_shift_ms, None),
                    false => self.jump(sent_ms, end_ms, end_ms),
                }
            }
            (Some(last_ms), end_ms) => {
                let due_ms = last_ms + track.step_ms.unwrap_or(LONE_STEP_MS);
                let late_ms = |shift_ms: i64| sent_ms.saturating_add(shift_ms).saturating_sub(due_ms);
                // The camera may have been off while the sound went on.
                let latest_ms = end_ms.unwrap_or(last_ms).max(last_ms);
                let fits = |shift_ms: i64| {
                    let ms = sent_ms.saturating_add(shift_ms);
                    (last_ms - LARGEST_STEP_BACK_MS..=latest_ms + LONGEST_GAP_MS).contains(&ms)
                };
                let known = std::iter::once(track.shift_ms).chain(self.shifts_ms.iter().rev().copied()).chain([0]);
                if fits(track.shift_ms) && late_ms(track.shift_ms) <= ON_TIME_MS {
                    (track.shift_ms, None)
                } else if let Some(shift_ms) =
                    known.filter(|shift_ms| fits(*shift_ms)).min_by_key(|shift_ms| late_ms(*shift_ms).abs())
                {
                    (shift_ms, None)
                } else {
                    self.jump(sent_ms, due_ms.max(end_ms.unwrap_or(due_ms)), due_ms)
                }
            }
        };
        let ms = sent_ms.saturating_add(shift_ms);
        let track = &mut self.tracks[kind as usize];
        if track.shift_ms == shift_ms
            && let Some(last_ms) = track.last_ms
        {
            track.step_ms = Some((ms - last_ms).clamp(0, ON_TIME_MS));
        }
        track.shift_ms = shift_ms;
        track.last_ms = Some(track.last_ms.map_or(ms, |last_ms| last_ms.max(ms)));
        (dts.saturating_add(rescale(shift_ms, MILLISECONDS, timescale)), jump)
    }

    /// Lays what was sent to `at_ms`.
    fn jump(&mut self, sent_ms: i64, at_ms: i64, due_ms: i64) -> (i64, Option<Jump>) {
        let shift_ms = at_ms.saturating_sub(sent_ms);
        let due_ms = due_ms.saturating_sub(self.shifts_ms.last().copied().unwrap_or(0));
        if self.shifts_ms.len() == REMEMBERED {
            self.shifts_ms.remove(0);
        }
        self.shifts_ms.push(shift_ms);
        (shift_ms, Some(Jump { due_ms, sent_ms }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::TrackKind::{Audio, Video};
    use super::*;

    /// Where frames that were sent at these times come to lie, in milliseconds, and how many jumps that were.
    fn placed(sent: impl IntoIterator<Item = (TrackKind, i64)>) -> (Vec<i64>, usize) {
        let mut timeline = Timeline::default();
        let mut jumps = 0;
        let times = sent.into_iter().map(|(kind, ms)| {
            let (ms, jump) = timeline.place(kind, ms, MILLISECONDS);
            jumps += usize::from(jump.is_some());
            ms
        });
        (times.collect(), jumps)
    }

    /// Picture each 40 ms from `from_ms` on, sound 13 ms later.
    fn both(from_ms: i64, frames: i64) -> impl Iterator<Item = (TrackKind, i64)> {
        (0..frames).flat_map(move |n| [(Video, from_ms + n * 40), (Audio, from_ms + n * 40 + 13)])
    }

    #[test]
    fn a_clock_that_starts_again_goes_on_and_both_tracks_with_it() {
        for restart_ms in [0, 3_900, -7_000_000, 536_870_912_000] {
            let (times, jumps) = placed(both(0, 100).chain(both(restart_ms, 100)));
            assert_eq!(jumps, 1, "{restart_ms}");
            let (before, after) = times.split_at(200);
            assert_eq!((before[199], after[0], after[1]), (3_973, 4_000, 4_013), "{restart_ms}");
            assert!(after.chunks(2).all(|pair| pair[1] - pair[0] == 13));
            assert_eq!(after[198], 4_000 + 99 * 40);
        }
    }

    #[test]
    fn a_single_wrong_time_moves_nothing_that_follows() {
        for wrong_ms in [0, 1 << 31, -5] {
            let sent = both(5_000, 50).chain([(Video, wrong_ms)]).chain(both(7_040, 50));
            let (times, _) = placed(sent);
            assert_eq!((times[100], times[101], times[102]), (7_000, 7_040, 7_053), "{wrong_ms}");
        }
    }

    #[test]
    fn a_pause_is_kept_and_a_late_track_stays_where_it_was_sent() {
        let sent = [(Video, 0), (Video, 40), (Video, 9_040), (Audio, 9_050), (Video, 9_080)];
        assert_eq!(placed(sent), (vec![0, 40, 9_040, 9_050, 9_080], 0));
        // The camera is off for a minute, and its pictures come 300 ms behind the sound.
        let sound = (0..3_000).map(|n| (Audio, n * 20));
        let sent: Vec<_> =
            [(Video, 0)].into_iter().chain(sound).chain([(Video, 59_680), (Audio, 60_000), (Video, 59_720)]).collect();
        let expected: Vec<i64> = sent.iter().map(|(_, ms)| *ms).collect();
        assert_eq!(placed(sent), (expected, 0));
        let (times, jumps) = placed([(Video, 100_000), (Audio, 0), (Video, 100_040), (Audio, 20)]);
        assert_eq!((times, jumps), (vec![100_000, 100_000, 100_040, 100_020], 1));
    }

    #[test]
    fn ticks_of_every_timescale_are_shifted_alike() {
        let mut timeline = Timeline::default();
        for n in 0..50 {
            assert_eq!(timeline.place(Video, n * 40, 1_000), (n * 40, None));
            assert_eq!(timeline.place(Audio, n * 1_920, 48_000), (n * 1_920, None));
        }
        let (_, jump) = timeline.place(Video, 1, 1_000);
        assert_eq!(jump, Some(Jump { due_ms: 2_000, sent_ms: 1 }));
        assert_eq!(timeline.place(Audio, 48, 48_000), (2_000 * 48, None));
    }

    proptest! {
        #[test]
        fn what_an_honest_encoder_sends_is_left_alone(
            start_ms in -(1_i64 << 40)..1 << 40,
            steps in prop::collection::vec((any::<bool>(), 0..2_000_i64), 1..300),
        ) {
            let mut ms = start_ms;
            let sent: Vec<_> = steps.into_iter().map(|(video, step_ms)| {
                ms += step_ms;
                (if video { Video } else { Audio }, ms)
            }).collect();
            let expected: Vec<i64> = sent.iter().map(|(_, ms)| *ms).collect();
            prop_assert_eq!(placed(sent), (expected, 0));
        }

        #[test]
        fn no_track_goes_back_or_far_ahead_whatever_is_sent(
            sent in prop::collection::vec((any::<bool>(), prop_oneof![any::<i64>(), -20_000..20_000_i64]), 1..300),
        ) {
            let mut last: [Option<i64>; 2] = [None; 2];
            let mut timeline = Timeline::default();
            let mut start_ms = None;
            for (video, ms) in &sent {
                let kind = if *video { Video } else { Audio };
                let (placed_ms, _) = timeline.place(kind, ms.clamp(&(-1 << 60), &(1 << 60)).to_owned(), MILLISECONDS);
                let start_ms = *start_ms.get_or_insert(placed_ms);
                let last = &mut last[kind as usize];
                if let Some(last_ms) = *last {
                    prop_assert!(placed_ms >= last_ms - LARGEST_STEP_BACK_MS, "{placed_ms} after {last_ms}");
                }
                *last = Some(last.map_or(placed_ms, |last_ms| last_ms.max(placed_ms)));
                let frames = sent.len() as i64;
                prop_assert!((placed_ms - start_ms).abs() <= frames * (LONGEST_GAP_MS + ON_TIME_MS), "{placed_ms} from {start_ms}");
            }
        }
    }
}
