//! How unevenly frames arrive: by how much their lateness differs, when each is compared with its own timestamp. Knows nothing of what is in them.

use std::collections::VecDeque;
use std::time::Instant;

/// Over how many seconds of arrival.
const RECENT_S: usize = 10;
/// What lasts shows in each of so many windows of so many seconds in a row: a pause of an encoder, or a moment in which this machine reads late, in one or two.
const WINDOW_S: u64 = 5;
const WINDOWS: usize = 3;

/// The least and the most lateness of each second, and of each window, in milliseconds, against an origin of its own.
#[derive(Default)]
pub(super) struct Jitter {
    origin: Option<Instant>,
    seconds: VecDeque<Span>,
    /// In a row; the last one goes on, and one more than that is kept.
    windows: VecDeque<Span>,
}

struct Span {
    number: u64,
    least_ms: i64,
    most_ms: i64,
}

impl Span {
    fn of(number: u64, late_ms: i64) -> Self {
        Self { number, least_ms: late_ms, most_ms: late_ms }
    }

    fn count(&mut self, late_ms: i64) {
        self.least_ms = self.least_ms.min(late_ms);
        self.most_ms = self.most_ms.max(late_ms);
    }

    fn width_ms(&self) -> u32 {
        u32::try_from(self.most_ms.saturating_sub(self.least_ms)).unwrap_or(u32::MAX)
    }
}

impl Jitter {
    pub(super) fn count(&mut self, dts_ms: i64, now: Instant) {
        let elapsed = now.saturating_duration_since(*self.origin.get_or_insert(now));
        let late_ms = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX).saturating_sub(dts_ms);
        let second = elapsed.as_secs();
        match self.seconds.back_mut() {
            Some(last) if last.number == second => last.count(late_ms),
            _ => {
                if self.seconds.len() == RECENT_S {
                    self.seconds.pop_front();
                }
                self.seconds.push_back(Span::of(second, late_ms));
            }
        }
        let window = second / WINDOW_S;
        match self.windows.back_mut() {
            Some(last) if last.number == window => last.count(late_ms),
            last => {
                // In a window in which nothing came the row ends.
                if last.is_some_and(|last| last.number + 1 != window) {
                    self.windows.clear();
                }
                if self.windows.len() > WINDOWS {
                    self.windows.pop_front();
                }
                self.windows.push_back(Span::of(window, late_ms));
            }
        }
    }

    /// The most over the last seconds in which something came. Not of the first second: encoders begin with what they had gathered.
    pub(super) fn recent_ms(&self) -> Option<u32> {
        let settled = || self.seconds.iter().filter(|second| second.number > 0);
        let (least, most) = (settled().map(|second| second.least_ms).min()?, settled().map(|second| second.most_ms).max()?);
        Some(Span { number: 0, least_ms: least, most_ms: most }.width_ms())
    }

    /// What there was at least in each of the last whole windows; `None` where there were not so many in a row. The first window of all, with what encoders
    /// begin with, is none.
    pub(super) fn lasting_ms(&self) -> Option<u32> {
        let whole = || self.windows.iter().rev().skip(1).take(WINDOWS).filter(|window| window.number > 0);
        if whole().count() < WINDOWS { None } else { whole().map(Span::width_ms).min() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS_A_FRAME: i64 = 40;

    fn after(arrivals: impl IntoIterator<Item = (i64, u64)>) -> Jitter {
        let begun = Instant::now();
        let mut jitter = Jitter::default();
        for (dts_ms, arrived_ms) in arrivals {
            jitter.count(dts_ms, begun + Duration::from_millis(arrived_ms));
        }
        jitter
    }

    /// What lasts at each second of a minute, of frames that arrive so much later than they are dated, by their own time; negative: earlier. Frames come in
    /// order: one that is late holds up those behind it.
    fn lasting(late_ms: impl Fn(i64) -> i64) -> Vec<Option<u32>> {
        let begun = Instant::now() + Duration::from_mins(1);
        let (mut jitter, mut arrived_ms, mut seen) = (Jitter::default(), 0, Vec::new());
        for n in 0..60 * 1_000 / MS_A_FRAME {
            let dts_ms = n * MS_A_FRAME;
            arrived_ms = (dts_ms + late_ms(dts_ms)).max(arrived_ms);
            jitter.count(dts_ms, begun + Duration::from_millis(arrived_ms as u64));
            if dts_ms % 1_000 == 0 {
                seen.push(jitter.lasting_ms());
            }
        }
        seen
    }

    fn most(seen: &[Option<u32>]) -> u32 {
        seen.iter().flatten().copied().max().expect("it becomes known")
    }

    #[test]
    fn frames_that_come_as_they_are_dated_have_none_whatever_their_origin() {
        assert_eq!(after((0..100).map(|n| (50_000 + n * 40, n as u64 * 40))).recent_ms(), Some(0));
        assert_eq!(after([(0, 0), (40, 40)]).recent_ms(), None, "in the first second nothing is known");
    }

    #[test]
    fn a_pause_that_is_caught_up_with_is_its_length() {
        // Nothing for 600 ms, and then all at once.
        let arrived = |n: u64| if (50..65).contains(&n) { 65 * 40 } else { n * 40 };
        assert_eq!(after((0..100).map(|n| (n as i64 * 40, arrived(n)))).recent_ms(), Some(600));
    }

    #[test]
    fn what_is_long_over_is_forgotten() {
        let arrived = |n: u64| if n == 50 { n * 40 + 900 } else { n * 40 };
        assert_eq!(after((0..100).map(|n| (n as i64 * 40, arrived(n)))).recent_ms(), Some(900));
        assert_eq!(after((0..1_000).map(|n| (n as i64 * 40, arrived(n)))).recent_ms(), Some(0));
    }

    #[test]
    fn of_a_steady_stream_nothing_lasts_but_the_beat_at_which_it_is_read() {
        let seen = lasting(|dts_ms| dts_ms % 50);
        assert_eq!(seen[19], None, "it is not known before three windows after the first are whole");
        assert!((30..=50).contains(&most(&seen)), "{seen:?}");
    }

    #[test]
    fn a_burst_at_the_beginning_does_not_last() {
        // Three seconds of what had been gathered come within the first 1.5, at twice the speed; what follows is as early as that.
        let seen = lasting(|dts_ms| -dts_ms.min(3_000) / 2);
        assert_eq!(most(&seen), 0, "{seen:?}");
        // And an encoder that is slow to begin, and catches up.
        let seen = lasting(|dts_ms| (2_000 - dts_ms / 2).max(0));
        assert_eq!(most(&seen), 0, "{seen:?}");
    }

    #[test]
    fn neither_one_pause_lasts_nor_two() {
        // Of 1.5 s, over the end of a window and behind it.
        for at_ms in [22_000, 24_000, 24_900] {
            let pause = |dts_ms: i64, at_ms: i64| if dts_ms < at_ms { 0 } else { (at_ms + 1_500 - dts_ms).max(0) };
            let seen = lasting(|dts_ms| pause(dts_ms, at_ms));
            assert_eq!(most(&seen), 0, "{at_ms}: {seen:?}");
            let seen = lasting(|dts_ms| pause(dts_ms, at_ms).max(pause(dts_ms, at_ms + 15_000)));
            assert_eq!(most(&seen), 0, "{at_ms}, twice: {seen:?}");
        }
    }

    #[test]
    fn pauses_that_come_again_and_again_last_as_long_as_they_do() {
        // Of 600 ms every 2 s, from 10 s to 40 s.
        let seen = lasting(|dts_ms| if (10_000..40_000).contains(&dts_ms) { (600 - dts_ms % 2_000).max(0) } else { 0 });
        assert!(seen[..25].iter().all(|lasts| lasts.unwrap_or(0) < 100), "{seen:?}");
        assert!(seen[26..40].iter().all(|lasts| *lasts == Some(600)), "{seen:?}");
        assert!(seen[47..].iter().all(|lasts| *lasts == Some(0)), "{seen:?}");
    }

    #[test]
    fn a_silent_window_ends_the_row() {
        // Of 600 ms every 2 s, and caught up with.
        let jittery = |n: i64| (n * 40, (n * 40 + (600 - n * 40 % 2_000).max(0)) as u64);
        let mut arrivals: Vec<_> = (0..625).map(jittery).collect();
        assert!(after(arrivals.iter().copied()).lasting_ms() > Some(500));
        arrivals.extend((1_000..1_010).map(jittery));
        assert_eq!(after(arrivals).lasting_ms(), None);
    }
}
