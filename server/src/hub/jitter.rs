//! How unevenly frames arrive: by how much their lateness differs, when each is compared with its own timestamp. Knows nothing of what is in them.

use std::collections::VecDeque;
use std::time::Instant;

/// Over how many seconds of arrival.
const WINDOW_S: usize = 10;

/// The least and the most lateness of each second, in milliseconds, against an origin of its own.
#[derive(Default)]
pub(super) struct Jitter {
    origin: Option<Instant>,
    seconds: VecDeque<Second>,
}

struct Second {
    number: u64,
    least_ms: i64,
    most_ms: i64,
}

impl Jitter {
    pub(super) fn count(&mut self, dts_ms: i64, now: Instant) {
        let elapsed = now.saturating_duration_since(*self.origin.get_or_insert(now));
        let late_ms = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX).saturating_sub(dts_ms);
        let number = elapsed.as_secs();
        match self.seconds.back_mut() {
            Some(second) if second.number == number => {
                second.least_ms = second.least_ms.min(late_ms);
                second.most_ms = second.most_ms.max(late_ms);
            }
            _ => {
                if self.seconds.len() == WINDOW_S {
                    self.seconds.pop_front();
                }
                self.seconds.push_back(Second { number, least_ms: late_ms, most_ms: late_ms });
            }
        }
    }

    /// The most over the last seconds in which something came. Not of the first second: encoders begin with what they had gathered.
    pub(super) fn read(&self) -> Option<u32> {
        let settled = || self.seconds.iter().filter(|second| second.number > 0);
        let (least, most) = (settled().map(|second| second.least_ms).min()?, settled().map(|second| second.most_ms).max()?);
        u32::try_from(most.saturating_sub(least)).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(arrivals: impl IntoIterator<Item = (i64, u64)>) -> Option<u32> {
        let begun = Instant::now();
        let mut jitter = Jitter::default();
        for (dts_ms, arrived_ms) in arrivals {
            jitter.count(dts_ms, begun + Duration::from_millis(arrived_ms));
        }
        jitter.read()
    }

    #[test]
    fn frames_that_come_as_they_are_dated_have_none_whatever_their_origin() {
        assert_eq!(after((0..100).map(|n| (50_000 + n * 40, n as u64 * 40))), Some(0));
        assert_eq!(after([(0, 0), (40, 40)]), None, "in the first second nothing is known");
    }

    #[test]
    fn a_pause_that_is_caught_up_with_is_its_length() {
        // Nothing for 600 ms, and then all at once.
        let arrived = |n: u64| if (50..65).contains(&n) { 65 * 40 } else { n * 40 };
        assert_eq!(after((0..100).map(|n| (n as i64 * 40, arrived(n)))), Some(600));
    }

    #[test]
    fn what_is_long_over_is_forgotten() {
        let arrived = |n: u64| if n == 50 { n * 40 + 900 } else { n * 40 };
        assert_eq!(after((0..100).map(|n| (n as i64 * 40, arrived(n)))), Some(900));
        assert_eq!(after((0..1_000).map(|n| (n as i64 * 40, arrived(n)))), Some(0));
    }
}
