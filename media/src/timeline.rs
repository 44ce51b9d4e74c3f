//! One timeline for all of a publish, whatever the encoder's clock does: restarts at zero, jumps and steps back are closed up.
//!
//! Pure: times in, times out. What an honest encoder sends passes unchanged, with its gaps and with its offset between picture and sound.

use crate::frame::TrackKind;
use crate::time::{MILLISECONDS, rescale};

/// A pause of all tracks as long as this is kept as one: the encoder may have been cut off from its source. A longer step is taken for a clock that was
/// set. A single track may be silent as long as it likes.
pub const LONGEST_GAP_MS: i64 = 30_000;
/// Decoding times of one track do not go back at all; so much is rounding, and mended by the least that puts it in order. A frame that comes late by more is
/// remembered: it may have had a wrong time.
pub const LARGEST_STEP_BACK_MS: i64 = 50;
/// Within this of where the track's next frame is due, its clock is taken to be as it was. Pictures that go back no further may be in the order in which they
/// are shown.
const ON_TIME_MS: i64 = 1_000;
/// A frame that comes so much too early is remembered: the encoder's clock may have been set back, which the other track's next frame will tell.
const EARLY_MS: i64 = 20;
/// By how much the two tracks may differ in what they tell of the same setting of a clock.
const SAME_SETTING_MS: i64 = 30;
/// For so many frames of its track it is remembered what held before a frame that came at an odd time: one wrong time is to move nothing that follows.
const DOUBTED_FRAMES: u8 = 8;
/// For so many frames it is remembered that one came too early, and so many pictures may come that lie behind others before it is a clock that was set back.
const BACK_FRAMES: u8 = 16;
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
/// times ask for one too, so that picture and sound stay together across the jump. Where the track's next frames are on time by the clock as it was, a single
/// time was wrong, and nothing is shifted; frames that lie behind one which was let in up to a second ahead are crowded together until they have caught up with
/// it. One that was further ahead is a pause that all tracks make: nothing stands still for so long.
#[derive(Clone, Default, Debug)]
pub struct Timeline {
    tracks: [Track; 2],
    /// What is added to the encoder's times, in milliseconds; the newest last.
    shifts_ms: Vec<i64>,
}

/// Instants are on the timeline.
#[derive(Clone, Copy, Default, Debug)]
struct Track {
    shift_ms: i64,
    /// Of the last frame, by the encoder's clock.
    clock_ms: Option<i64>,
    /// The latest that a frame was given, from which there is no way back.
    last_ms: Option<i64>,
    step_ms: Option<i64>,
    doubt: Option<Doubt>,
    early: Option<Early>,
}

/// What held before a frame that came at an odd time.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    shift_ms: i64,
    step_ms: i64,
    /// Where the track's next frame is due by that.
    due_ms: i64,
    frames: u8,
}

/// By how much a frame came too early.
#[derive(Clone, Copy, Debug)]
struct Early {
    by_ms: i64,
    frames: u8,
    /// How many of those were put behind others, while the track's clock stood.
    behind: u8,
}

/// Where a frame's time puts it.
#[derive(Clone, Copy)]
enum Finding {
    /// The clock goes on as it was, or as it was set for the other track.
    By(i64),
    /// The frame before had a wrong time: all is as this says.
    AsBefore(Doubt),
    /// As before, but that one was so far ahead that all tracks pause until then.
    Pause(Doubt),
    /// A picture that lies behind others. It is put as close behind them as can be.
    Behind,
    /// The clock was set: to this shift, for a frame that was due then.
    Set { shift_ms: i64, due_ms: i64 },
}

impl Timeline {
    /// The decoding time, in ticks of `timescale`, that the frame has on the timeline; and the jump, where one begins with this frame.
    pub fn place(&mut self, kind: TrackKind, dts: i64, timescale: u32) -> (i64, Option<Jump>) {
        let sent_ms = rescale(dts, timescale, MILLISECONDS);
        let finding = match self.tracks[kind as usize].clock_ms {
            Some(clock_ms) => self.find(kind, sent_ms, clock_ms),
            None => self.join(sent_ms),
        };
        let mut jump = None;
        let mut track = self.tracks[kind as usize];
        let before =
            Doubt { shift_ms: track.shift_ms, step_ms: track.step_ms.unwrap_or(LONE_STEP_MS), due_ms: track.due_ms(), frames: 0 };
        track.pass();
        match finding {
            Finding::By(shift_ms) => track.go_on(shift_ms, sent_ms, before),
            Finding::AsBefore(doubt) => {
                if track.shift_ms != doubt.shift_ms {
                    self.shifts_ms.retain(|shift_ms| *shift_ms != track.shift_ms);
                }
                track = Track {
                    shift_ms: doubt.shift_ms,
                    clock_ms: Some(sent_ms.saturating_add(doubt.shift_ms)),
                    step_ms: Some(doubt.step_ms),
                    doubt: None,
                    early: None,
                    ..track
                };
            }
            Finding::Pause(doubt) => {
                let shift_ms = track.last_ms.unwrap_or(0).saturating_add(doubt.step_ms).saturating_sub(sent_ms);
                jump = Some(self.set(shift_ms, sent_ms, doubt.due_ms));
                let paused_ms = shift_ms.saturating_sub(doubt.shift_ms);
                let other = &mut self.tracks[1 - kind as usize];
                // Where they were together they stay so.
                if other.shift_ms == doubt.shift_ms {
                    other.shift_ms = shift_ms;
                    other.clock_ms = other.clock_ms.map(|clock_ms| clock_ms.saturating_add(paused_ms));
                    (other.doubt, other.early) = (None, None);
                }
                let clock_ms = Some(sent_ms.saturating_add(shift_ms));
                track = Track { shift_ms, clock_ms, step_ms: Some(doubt.step_ms), doubt: None, early: None, ..track };
            }
            Finding::Behind => {
                let by_ms = before.due_ms.saturating_sub(sent_ms.saturating_add(track.shift_ms));
                let early = track.early.unwrap_or(Early { by_ms, frames: 0, behind: 0 });
                track.early = Some(Early { frames: early.frames + 1, behind: early.behind + 1, ..early });
            }
            Finding::Set { shift_ms, due_ms } => {
                jump = Some(self.set(shift_ms, sent_ms, due_ms));
                track.go_on(shift_ms, sent_ms, before);
            }
        }
        let ms = sent_ms.saturating_add(track.shift_ms);
        let crowded_ms = track.last_ms.filter(|last_ms| ms < last_ms - LARGEST_STEP_BACK_MS);
        track.last_ms = Some(track.last_ms.map_or(ms, |last_ms| last_ms.max(ms)));
        self.tracks[kind as usize] = track;
        let placed = match crowded_ms {
            Some(last_ms) => rescale(last_ms, MILLISECONDS, timescale),
            None => dts.saturating_add(rescale(track.shift_ms, MILLISECONDS, timescale)),
        };
        (placed, jump)
    }

    /// A track that joins belongs to the clock as it is, unless that is out of the question.
    fn join(&self, sent_ms: i64) -> Finding {
        let newest_shift_ms = self.newest_shift_ms();
        let Some(end_ms) = self.end_ms() else { return Finding::By(0) };
        let away_ms = sent_ms.saturating_add(newest_shift_ms).saturating_sub(end_ms);
        match away_ms.abs() <= LONGEST_GAP_MS {
            true => Finding::By(newest_shift_ms),
            false => Finding::Set { shift_ms: end_ms.saturating_sub(sent_ms), due_ms: end_ms },
        }
    }

    fn find(&self, kind: TrackKind, sent_ms: i64, clock_ms: i64) -> Finding {
        let track = self.tracks[kind as usize];
        let (last_ms, due_ms) = (track.last_ms.unwrap_or(clock_ms), track.due_ms());
        let at = |shift_ms: i64| sent_ms.saturating_add(shift_ms);
        let late_ms = |shift_ms: i64| at(shift_ms).saturating_sub(due_ms);
        // The camera may have been off while the sound went on.
        let latest_ms = self.end_ms().unwrap_or(last_ms).max(last_ms);
        let fits = |shift_ms: i64| (last_ms - LARGEST_STEP_BACK_MS..=latest_ms + LONGEST_GAP_MS).contains(&at(shift_ms));
        let own_ms = at(track.shift_ms);
        let own_late_ms = late_ms(track.shift_ms);

        if let Some(doubt) = track.doubt {
            let (ms, was_late_ms) = (at(doubt.shift_ms), at(doubt.shift_ms).saturating_sub(doubt.due_ms).abs());
            let is_other = doubt.shift_ms != track.shift_ms || ms < last_ms - LARGEST_STEP_BACK_MS;
            let is_on_time = was_late_ms <= (2 * doubt.step_ms).max(2 * LARGEST_STEP_BACK_MS);
            // Of a track that is slower than is remembered nobody knows where it would be.
            if is_other && is_on_time && was_late_ms < own_late_ms.abs() && doubt.step_ms < ON_TIME_MS {
                return if last_ms - ms > ON_TIME_MS { Finding::Pause(doubt) } else { Finding::AsBefore(doubt) };
            }
        }
        // The other track's clock was set; so was this one's, where it is on time by that.
        let newest_shift_ms = self.newest_shift_ms();
        // Pictures that were put behind others have moved nothing, and were due all the same.
        let unmoved_ms = track.early.map_or(0, |early| i64::from(early.behind)) * track.step_ms.unwrap_or(LONE_STEP_MS);
        let is_same_setting = |early: Early| (newest_shift_ms - track.shift_ms - early.by_ms).abs() <= SAME_SETTING_MS;
        if newest_shift_ms != track.shift_ms
            && fits(newest_shift_ms)
            && ((late_ms(newest_shift_ms) - unmoved_ms).abs() < (own_late_ms - unmoved_ms).abs()
                || track.early.is_some_and(is_same_setting))
        {
            return Finding::By(newest_shift_ms);
        }
        if own_ms >= clock_ms - LARGEST_STEP_BACK_MS && own_late_ms <= ON_TIME_MS {
            return Finding::By(track.shift_ms);
        }
        let known = std::iter::once(track.shift_ms).chain(self.shifts_ms.iter().rev().copied()).chain([0]);
        let is_own_or_on_time = |shift_ms: &i64| *shift_ms == track.shift_ms || late_ms(*shift_ms).abs() <= ON_TIME_MS;
        let known = known.filter(|shift_ms| fits(*shift_ms)).filter(is_own_or_on_time);
        if let Some(shift_ms) = known.min_by_key(|shift_ms| late_ms(*shift_ms).abs()) {
            return Finding::By(shift_ms);
        }
        let back_ms = clock_ms.saturating_sub(own_ms);
        if !(0..=ON_TIME_MS).contains(&back_ms) {
            let at_ms = due_ms.max(latest_ms);
            return Finding::Set { shift_ms: at_ms.saturating_sub(sent_ms), due_ms };
        }
        match track.early {
            _ if kind == TrackKind::Audio => Finding::Set { shift_ms: due_ms.saturating_sub(sent_ms), due_ms },
            Some(early) if early.frames >= BACK_FRAMES => {
                Finding::Set { shift_ms: track.shift_ms.saturating_add(early.by_ms), due_ms }
            }
            _ => Finding::Behind,
        }
    }

    /// Where the longest track ends.
    fn end_ms(&self) -> Option<i64> {
        self.tracks.iter().filter_map(|track| track.last_ms).max()
    }

    fn newest_shift_ms(&self) -> i64 {
        self.shifts_ms.last().copied().unwrap_or(0)
    }

    fn set(&mut self, shift_ms: i64, sent_ms: i64, due_ms: i64) -> Jump {
        let due_ms = due_ms.saturating_sub(self.newest_shift_ms());
        if self.shifts_ms.len() == REMEMBERED {
            self.shifts_ms.remove(0);
        }
        self.shifts_ms.push(shift_ms);
        Jump { due_ms, sent_ms }
    }
}

impl Track {
    /// Where its next frame is due.
    fn due_ms(&self) -> i64 {
        self.clock_ms.unwrap_or(0).saturating_add(self.step_ms.unwrap_or(LONE_STEP_MS))
    }

    /// Another frame has come.
    fn pass(&mut self) {
        self.doubt = self.doubt.filter(|doubt| doubt.frames < DOUBTED_FRAMES).map(|doubt| Doubt {
            due_ms: doubt.due_ms.saturating_add(doubt.step_ms),
            frames: doubt.frames + 1,
            ..doubt
        });
    }

    /// The clock stands at this frame, by that shift.
    fn go_on(&mut self, shift_ms: i64, sent_ms: i64, before: Doubt) {
        let ms = sent_ms.saturating_add(shift_ms);
        let is_same = self.shift_ms == shift_ms;
        if let Some(clock_ms) = self.clock_ms {
            let late_ms = ms.saturating_sub(before.due_ms);
            // Where the clock goes on behind a frame that was only late, that one was right.
            self.doubt = self.doubt.filter(|doubt| doubt.shift_ms != shift_ms);
            if (!is_same || late_ms > LARGEST_STEP_BACK_MS) && self.doubt.is_none() {
                self.doubt = Some(Doubt { due_ms: before.due_ms.saturating_add(before.step_ms), ..before });
            }
            let early = self.early.filter(|early| is_same && early.frames < BACK_FRAMES);
            // Of several it is the first that tells it all: the others are held against where it came to lie.
            let is_earlier = is_same && self.step_ms.is_some() && -late_ms > early.map_or(EARLY_MS, |early| early.by_ms);
            self.early = if is_earlier {
                Some(Early { by_ms: -late_ms, frames: 0, behind: 0 })
            } else {
                early.map(|early| Early { frames: early.frames + 1, ..early })
            };
            if is_same {
                self.step_ms = Some((ms - clock_ms).clamp(0, ON_TIME_MS));
            }
        }
        self.shift_ms = shift_ms;
        self.clock_ms = Some(ms);
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
        for restart_ms in [0, 2_900, -7_000_000, 536_870_912_000] {
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

    /// What came of the last frames of either track: its time on the timeline less that it was sent with.
    fn moved_at_last(sent: Vec<(TrackKind, i64)>) -> [Vec<i64>; 2] {
        let (times, _) = placed(sent.clone());
        let moved = |kind| {
            let of_kind = sent.iter().zip(&times).filter(|((of, _), _)| *of == kind).map(|((_, sent_ms), ms)| ms - sent_ms);
            of_kind.rev().take(20).collect()
        };
        [moved(Video), moved(Audio)]
    }

    /// Both tracks in the order of their times, which the last argument may change before they are sent.
    fn merged(
        picture_ms: i64,
        sound_ms: i64,
        phase_ms: i64,
        until_ms: i64,
        change: impl Fn(TrackKind, i64) -> i64,
    ) -> Vec<(TrackKind, i64)> {
        let pictures = (0..until_ms / picture_ms).map(|n| (n * picture_ms, Video));
        let sound = (0..until_ms / sound_ms).map(|n| (n * sound_ms + phase_ms, Audio));
        let mut all: Vec<_> = pictures.chain(sound).collect();
        all.sort_by_key(|(ms, _)| *ms);
        all.into_iter().map(|(ms, kind)| (kind, change(kind, ms))).collect()
    }

    #[test]
    fn pictures_in_the_order_in_which_they_are_shown_are_not_drawn_out() {
        for depth in [2_i64, 3, 7, 15] {
            // A picture that others refer to, then those between it and the one before.
            let pictures = (0..1_600 / (depth + 1)).flat_map(|group| {
                let (first, last) = (group * (depth + 1) + 1, (group + 1) * (depth + 1));
                std::iter::once(last).chain(first..last)
            });
            let pictures: Vec<_> =
                std::iter::once(0).chain(pictures).enumerate().map(|(n, shown)| (n as i64 * 40, Video, shown * 40)).collect();
            let sound = (0..pictures.len() as i64 * 40 / 21).map(|n| (n * 21, Audio, n * 21));
            let mut all: Vec<_> = pictures.into_iter().chain(sound).collect();
            all.sort_by_key(|(at_ms, ..)| *at_ms);
            let (times, jumps) = placed(all.iter().map(|(_, kind, ms)| (*kind, *ms)));
            assert_eq!(jumps, 0, "{depth}");
            let latest = all.iter().zip(&times).filter(|((_, kind, _), _)| *kind == Video).map(|(_, ms)| *ms).max().unwrap();
            let shown = all.iter().filter(|(_, kind, _)| *kind == Video).map(|(.., ms)| *ms).max().unwrap();
            assert_eq!(latest, shown, "{depth}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_time_sets_no_track_apart_and_is_no_more_than_a_pause(
            picture_ms in prop_oneof![Just(16_i64), Just(33), Just(40), Just(100), Just(500)],
            sound_ms in prop_oneof![Just(10_i64), Just(21), Just(64)],
            phase_ms in 0_i64..60,
            at in 100_usize..300,
            wrong_ms in prop_oneof![-30_000..30_000_i64, -200..200_i64, any::<i32>().prop_map(i64::from)],
        ) {
            let mut sent = merged(picture_ms, sound_ms, phase_ms, 60_000, |_, ms| ms);
            sent[at].1 += wrong_ms;
            let [pictures, sound] = moved_at_last(sent);
            let moved_ms = pictures[0];
            prop_assert!(pictures.iter().chain(&sound).all(|other_ms| *other_ms == moved_ms), "{pictures:?} {sound:?}");
            let longest_ms = if (-LONGEST_GAP_MS..=ON_TIME_MS).contains(&wrong_ms) { 0 } else { LONGEST_GAP_MS + ON_TIME_MS };
            prop_assert!((0..=longest_ms).contains(&moved_ms), "{moved_ms}");
        }

        #[test]
        fn a_clock_that_is_set_leaves_picture_and_sound_together(
            picture_ms in prop_oneof![Just(16_i64), Just(33), Just(40), Just(100)],
            sound_ms in prop_oneof![Just(10_i64), Just(21), Just(64)],
            phase_ms in 0_i64..60,
            at_ms in 5_000_i64..6_000,
            by_ms in prop_oneof![-2_000..2_000_i64, -200..0_i64, any::<i32>().prop_map(i64::from)],
        ) {
            let [pictures, sound] = moved_at_last(merged(picture_ms, sound_ms, phase_ms, 12_000, |_, ms| if ms < at_ms { ms } else { ms + by_ms }));
            let apart_ms = pictures[0] - sound[0];
            prop_assert!(apart_ms.abs() <= SAME_SETTING_MS, "{apart_ms} ms apart: {pictures:?} {sound:?}");
        }

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
