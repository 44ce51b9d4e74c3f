//! RTP's clocks: each track counts ticks from a number of its own, and sender reports say which of them belong together (RFC 3550 §6.4.1).
//!
//! Pure: timestamps and times of arrival in, media time out. Packets, loss and codecs are the transport's affair.

use crate::codec::opus;
use crate::frame::TrackKind;
use crate::time::rescale;

/// Ticks a second of every video payload.
pub const VIDEO_TICKS: u32 = 90_000;
/// Ticks a second of Opus, the only sound there is.
pub const AUDIO_TICKS: u32 = opus::SAMPLE_RATE;

const MICROSECONDS: u32 = 1_000_000;
/// A track whose clock has gone so far from the time of arrival has set it anew. Longer than packets are ever held back on the way.
const LONGEST_STRAY_US: i64 = 5_000_000;
/// What the reports ask for beyond this is believed only when a further report of each track says so too: a sender whose wall clock is set
/// says it in one track's report before the other's.
const LARGEST_CORRECTION: i64 = VIDEO_TICKS as i64;
/// Two such reports agree when they are no further apart.
const AGREEMENT: i64 = VIDEO_TICKS as i64 / 4;
/// Of what is missing, this part is mended with each picture, and no more than [`LARGEST_STEP`]: nobody sees it.
const MENDED_PART: i64 = 8;
/// 4 ms.
const LARGEST_STEP: i64 = VIDEO_TICKS as i64 / 250;

/// Lays the tracks of one sender on one timeline.
///
/// Sound is the master: its ticks count samples, and a step in them would be heard. Pictures are laid to it by the reports, in small steps. Before the
/// reports have come the times of arrival stand for them, which is right to some hundredths of a second.
#[derive(Clone, Default, Debug)]
pub struct Clocks {
    /// When the first frame of all arrived.
    began_us: Option<i64>,
    tracks: [Track; 2],
    /// What the pictures' offset goes towards.
    target: Option<i64>,
    suspect: Option<Suspect>,
}

#[derive(Clone, Copy, Default, Debug)]
struct Track {
    /// What is added to the sender's ticks.
    offset: Option<i64>,
    latest_ticks: Option<i64>,
    /// The latest time that was given.
    latest: Option<i64>,
    report: Option<Report>,
}

#[derive(Clone, Copy, Debug)]
struct Report {
    ticks: i64,
    wall_us: i64,
}

#[derive(Clone, Copy, Debug)]
struct Suspect {
    target: i64,
    /// Which tracks' reports have said so.
    said_by: [bool; 2],
}

fn ticks_a_second(kind: TrackKind) -> u32 {
    match kind {
        TrackKind::Video => VIDEO_TICKS,
        TrackKind::Audio => AUDIO_TICKS,
    }
}

impl Clocks {
    /// The media time of a frame, in the track's ticks; later than that of the track's frame before. `ticks` is the sender's timestamp, beyond 32 bits,
    /// and `arrived_us` when it arrived, by a clock that nobody sets.
    pub fn place(&mut self, kind: TrackKind, ticks: i64, arrived_us: i64) -> i64 {
        let scale = ticks_a_second(kind);
        let since_us = arrived_us - *self.began_us.get_or_insert(arrived_us);
        let arrived = rescale(since_us, MICROSECONDS, scale);
        let track = &mut self.tracks[kind as usize];
        let stray = track.offset.map(|offset| ticks.saturating_add(offset).saturating_sub(arrived));
        let most = rescale(LONGEST_STRAY_US, MICROSECONDS, scale);
        let offset = match (track.offset, stray) {
            (Some(offset), Some(stray)) if stray.abs() <= most => offset,
            _ => {
                // What was reported was of the clock before.
                track.report = None;
                self.target = None;
                arrived.saturating_sub(ticks)
            }
        };
        let offset = match (kind, self.target) {
            (TrackKind::Video, Some(target)) => offset + step_towards(target - offset),
            _ => offset,
        };
        let at = ticks.saturating_add(offset);
        let at = track.latest.map_or(at, |latest| at.max(latest.saturating_add(1)));
        *track = Track { offset: Some(offset), latest_ticks: Some(ticks), latest: Some(at), ..*track };
        at
    }

    /// Takes a sender report: the wall time, in microseconds, at which the track's clock said `ticks`, of which the lowest 32 bits count.
    pub fn report(&mut self, kind: TrackKind, ticks: u32, wall_us: i64) {
        let track = &mut self.tracks[kind as usize];
        // Before the first frame nobody knows which round of the 32 bits it is.
        let Some(latest) = track.latest_ticks else { return };
        let away = i64::from(ticks.wrapping_sub(latest as u32) as i32);
        track.report = Some(Report { ticks: latest + away, wall_us });
        let Some(target) = self.asked_for() else { return };
        let current = self.target.or(self.tracks[TrackKind::Video as usize].offset).unwrap_or(target);
        if (target - current).abs() <= LARGEST_CORRECTION {
            (self.target, self.suspect) = (Some(target), None);
            return;
        }
        let mut suspect = self
            .suspect
            .filter(|suspect| (suspect.target - target).abs() <= AGREEMENT)
            .unwrap_or(Suspect { target, said_by: [false; 2] });
        suspect.said_by[kind as usize] = true;
        if suspect.said_by == [true; 2] {
            self.tracks[TrackKind::Video as usize].offset = Some(target);
            (self.target, self.suspect) = (Some(target), None);
        } else {
            self.suspect = Some(suspect);
        }
    }

    /// The offset with which a picture has the time of the sound that was recorded with it.
    fn asked_for(&self) -> Option<i64> {
        let [video, audio] = &self.tracks;
        let (pictures, sound) = (video.report?, audio.report?);
        let audio_offset = audio.offset?;
        // When the picture of `pictures.ticks` was taken, the sound stood here:
        let later_us = pictures.wall_us.saturating_sub(sound.wall_us);
        let sound_ticks = sound.ticks.saturating_add(rescale(later_us, MICROSECONDS, AUDIO_TICKS)).saturating_add(audio_offset);
        Some(rescale(sound_ticks, AUDIO_TICKS, VIDEO_TICKS).saturating_sub(pictures.ticks))
    }
}

fn step_towards(missing: i64) -> i64 {
    let step = missing / MENDED_PART;
    let step = if step == 0 { missing.signum() } else { step };
    step.clamp(-LARGEST_STEP, LARGEST_STEP)
}

#[cfg(test)]
mod tests {
    use super::TrackKind::{Audio, Video};
    use super::*;
    use proptest::prelude::*;

    const WALL_US: i64 = 1_795_000_000_000_000;

    /// A sender of 30 pictures and 50 frames of sound a second.
    struct Sender {
        video_start: i64,
        audio_start: i64,
        /// How much later than it was taken a picture arrives, beyond what sound does.
        video_late_us: i64,
        /// By how many millionths the sound card is fast.
        audio_fast_ppm: i64,
    }

    impl Sender {
        fn audio_ticks(&self, us: i64) -> i64 {
            self.audio_start + rescale(us + us / i64::from(MICROSECONDS) * self.audio_fast_ppm, MICROSECONDS, AUDIO_TICKS)
        }

        fn video_ticks(&self, us: i64) -> i64 {
            self.video_start + rescale(us, MICROSECONDS, VIDEO_TICKS)
        }

        /// Sends for so long; how far picture and sound of the same instant are apart at the end, in milliseconds, and all times.
        fn send(&self, clocks: &mut Clocks, from_s: i64, to_s: i64, reports: bool) -> (i64, Vec<(TrackKind, i64)>) {
            let mut times = Vec::new();
            let mut ends = [0; 2];
            for ms in from_s * 1_000..to_s * 1_000 {
                let us = ms * 1_000;
                if ms % 20 == 0 {
                    ends[1] = clocks.place(Audio, self.audio_ticks(us), us);
                    times.push((Audio, ends[1]));
                }
                if ms % 33 == 0 {
                    ends[0] = clocks.place(Video, self.video_ticks(us), us + self.video_late_us);
                    ends[0] -= rescale(us % 20_000, MICROSECONDS, VIDEO_TICKS);
                    times.push((Video, ends[0] + rescale(us % 20_000, MICROSECONDS, VIDEO_TICKS)));
                }
                if reports && ms % 1_000 == 500 {
                    clocks.report(Video, self.video_ticks(us) as u32, WALL_US + us);
                }
                if reports && ms % 5_000 == 2_500 {
                    clocks.report(Audio, self.audio_ticks(us) as u32, WALL_US + us);
                }
            }
            let last_video_ms = (to_s * 1_000 - 1) / 33 * 33;
            let last_audio_ms = (to_s * 1_000 - 1) / 20 * 20;
            let apart = rescale(ends[0], VIDEO_TICKS, 1_000_000) - rescale(ends[1], AUDIO_TICKS, 1_000_000);
            let due = (last_video_ms - last_video_ms % 20 - last_audio_ms) * 1_000;
            ((apart - due) / 1_000, times)
        }
    }

    fn sender() -> Sender {
        Sender { video_start: 0xffff_0000, audio_start: 12_345, video_late_us: 0, audio_fast_ppm: 0 }
    }

    #[test]
    fn without_reports_the_times_of_arrival_stand_for_them() {
        let mut clocks = Clocks::default();
        let (apart_ms, times) = Sender { video_late_us: 30_000, ..sender() }.send(&mut clocks, 0, 5, false);
        assert_eq!(apart_ms, 30);
        assert_eq!(times[..3], [(Audio, 0), (Video, 2_700), (Audio, 960)]);
    }

    #[test]
    fn reports_bring_late_pictures_back_to_their_sound() {
        let mut clocks = Clocks::default();
        let late = Sender { video_late_us: 180_000, ..sender() };
        let (apart_ms, times) = late.send(&mut clocks, 0, 10, true);
        assert!(apart_ms.abs() <= 1, "{apart_ms}");
        let video: Vec<i64> = times.iter().filter(|(kind, _)| *kind == Video).map(|(_, at)| *at).collect();
        assert!(video.windows(2).all(|pair| pair[1] - pair[0] >= 2_970 - 360), "no picture jumps");
        let audio: Vec<i64> = times.iter().filter(|(kind, _)| *kind == Audio).map(|(_, at)| *at).collect();
        assert!(audio.windows(2).all(|pair| pair[1] - pair[0] == 960), "sound is never moved");
    }

    #[test]
    fn a_fast_sound_card_stays_with_its_pictures() {
        let mut clocks = Clocks::default();
        let (apart_ms, _) = Sender { audio_fast_ppm: 300, ..sender() }.send(&mut clocks, 0, 600, true);
        assert!(apart_ms.abs() <= 5, "{apart_ms} ms of 180");
    }

    #[test]
    fn a_wall_clock_that_is_set_moves_nothing() {
        let mut clocks = Clocks::default();
        let sender = sender();
        sender.send(&mut clocks, 0, 10, true);
        // An hour later by the pictures' report; the sound's follows after some seconds.
        let hour_us = 3_600_000_000;
        for s in 10..14 {
            clocks.report(Video, sender.video_ticks(s * 1_000_000) as u32, WALL_US + hour_us + s * 1_000_000);
        }
        clocks.report(Audio, sender.audio_ticks(14_000_000) as u32, WALL_US + hour_us + 14_000_000);
        let (apart_ms, _) = sender.send(&mut clocks, 10, 15, false);
        assert!(apart_ms.abs() <= 1, "{apart_ms}");
    }

    #[test]
    fn a_clock_that_begins_anew_goes_on_where_it_arrives() {
        let mut clocks = Clocks::default();
        sender().send(&mut clocks, 0, 10, true);
        let other = Sender { video_start: 5, audio_start: 0x7000_0000, ..sender() };
        let (apart_ms, times) = other.send(&mut clocks, 10, 20, true);
        assert!(apart_ms.abs() <= 1, "{apart_ms}");
        assert_eq!(times[0], (Audio, 480_000));
        assert!(times.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].1 < pair[1].1));
    }

    proptest! {
        #[test]
        fn times_of_a_track_only_go_forward(
            input in prop::collection::vec((any::<bool>(), any::<u32>(), any::<bool>(), 0..40_000_i64), 1..200),
        ) {
            let mut clocks = Clocks::default();
            let (mut last, mut now_us) = ([i64::MIN; 2], 0);
            for (video, ticks, is_report, step_us) in input {
                now_us += step_us;
                let kind = if video { Video } else { Audio };
                if is_report {
                    clocks.report(kind, ticks, now_us * 3);
                } else {
                    let at = clocks.place(kind, ticks.into(), now_us);
                    prop_assert!(at > last[kind as usize]);
                    last[kind as usize] = at;
                }
            }
        }
    }
}
