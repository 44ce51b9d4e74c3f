//! Whether the wall clock is to be believed where what it says cannot be undone: a machine that wakes a week ahead, until it has asked what time it is, must not empty the
//! bin in that minute.

use std::time::Duration;

use afterlive_domain::UnixMillis;

use crate::clock::{Clock, Jumps};

/// What a clock may be set by without a doubt. Machines that keep their time are set by seconds.
pub(super) const TOLERATED_MS: i64 = 300_000;
/// For so long a server may have been off, and its clock is believed at once at the next start.
const OFF_MS: i64 = 3_600_000;
/// So long a clock must go on as time does before it is believed again.
const STEADY_FOR: Duration = Duration::from_hours(1);

/// What was seen of the clock.
#[derive(Default, Debug)]
pub(super) struct Steadiness {
    jumps: Jumps,
    /// By the monotonic clock.
    doubted_until: Option<Duration>,
}

impl Steadiness {
    /// Whether the clock is to be believed. `last_seen` is when the server before this one was there last, which matters at the first look.
    pub(super) fn look(&mut self, clock: &Clock, last_seen: Option<UnixMillis>) -> bool {
        let now = clock.now();
        let (set_by_ms, tolerated) = match self.jumps.look(clock) {
            Some(ms) => (ms, -TOLERATED_MS..=TOLERATED_MS),
            None => (last_seen.map_or(0, |seen| now.ms_since(seen)), -TOLERATED_MS..=OFF_MS),
        };
        if !tolerated.contains(&set_by_ms) {
            let for_s = STEADY_FOR.as_secs();
            tracing::error!(
                set_by_s = set_by_ms / 1_000,
                for_s,
                "the clock is not where it was expected: nothing is taken for its age, until it has been steady for a while"
            );
            self.doubted_until = Some(clock.monotonic() + STEADY_FOR);
        }
        match self.doubted_until {
            Some(until) if clock.monotonic() < until => false,
            Some(_) => {
                tracing::info!("the clock has been steady: recordings are taken for their age again");
                self.doubted_until = None;
                true
            }
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn a_clock_that_was_set_is_believed_again_once_it_has_been_steady_for_an_hour() {
        for ms in [8 * DAY_MS, -8 * DAY_MS, 400_000] {
            let (clock, mut seen) = (Clock::simulated(UnixMillis(100 * DAY_MS)), Steadiness::default());
            assert!(seen.look(&clock, None));
            clock.advance_ms(60_000);
            clock.set_by_ms(200_000);
            assert!(seen.look(&clock, None), "as those that keep their time are set");
            clock.set_by_ms(ms);
            for _ in 0..60 {
                assert!(!seen.look(&clock, None), "{ms}");
                clock.advance_ms(60_000);
            }
            assert!(seen.look(&clock, None), "{ms}");
            // Set right again, which is another doubt.
            clock.set_by_ms(-ms);
            assert!(!seen.look(&clock, None), "{ms}");
        }
    }

    #[test]
    fn a_start_doubts_a_clock_that_is_far_from_when_the_server_was_there_last() {
        let now = UnixMillis(100 * DAY_MS);
        for (away_ms, believed) in [(0, true), (OFF_MS, true), (8 * DAY_MS, false), (-TOLERATED_MS, true), (-DAY_MS, false)] {
            let seen = Steadiness::default().look(&Clock::simulated(now), Some(now.plus_ms(-away_ms)));
            assert_eq!(seen, believed, "{away_ms}");
        }
        assert!(Steadiness::default().look(&Clock::simulated(now), None));
    }
}
