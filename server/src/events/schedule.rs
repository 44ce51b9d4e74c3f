//! When what did not arrive is sent again. Pure.

use afterlive_domain::UnixMillis;

/// After so long it is given up.
pub const GIVE_UP_AFTER_MS: i64 = 24 * 3_600_000;
/// After so long it is given up untried too, where the endpoint has taken nothing for a day. The minutes are for last tries, which are made when the day is over.
pub const GIVE_UP_UNTRIED_AFTER_MS: i64 = GIVE_UP_AFTER_MS + 5 * 60_000;
/// The wait after each try, in seconds; after the last of these it stays the same.
const WAITS_S: [i64; 10] = [5, 30, 120, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600];

/// When to try again after try number `attempt` (from 1), which has just failed; less up to a quarter of the wait by `jitter` in `0..=1`, so that what failed
/// together is not tried together. The last try is a day after it began; `None` then.
pub fn next_try(attempt: u32, begun_at: UnixMillis, now: UnixMillis, jitter: f64) -> Option<UnixMillis> {
    let end = begun_at.plus_ms(GIVE_UP_AFTER_MS);
    if now >= end {
        return None;
    }
    let place = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX).min(WAITS_S.len() - 1);
    let wait_ms = 1_000 * WAITS_S[place];
    let shorter_ms = (wait_ms as f64 / 4.0 * jitter.clamp(0.0, 1.0)) as i64;
    Some(now.plus_ms(wait_ms - shorter_ms).min(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: UnixMillis = UnixMillis(1_793_812_159_899);

    #[test]
    fn waits_grow_and_the_last_try_is_a_day_after_the_first() {
        let (mut now, mut waits) = (BEGUN, Vec::new());
        for attempt in 1.. {
            let Some(next) = next_try(attempt, BEGUN, now, 0.0) else { break };
            waits.push(next.ms_since(now) / 1_000);
            now = next;
        }
        assert_eq!(waits, [5, 30, 120, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 21_600, 14_845]);
        assert_eq!(now, BEGUN.plus_ms(GIVE_UP_AFTER_MS));
    }

    #[test]
    fn a_wait_is_shorter_by_up_to_a_quarter_and_what_is_late_is_tried_once() {
        assert_eq!(next_try(2, BEGUN, BEGUN, 1.0), Some(BEGUN.plus_ms(22_500)));
        assert_eq!(next_try(u32::MAX, BEGUN, BEGUN, 0.0), Some(BEGUN.plus_ms(21_600_000)));
        assert_eq!(next_try(1, BEGUN, BEGUN.plus_ms(GIVE_UP_AFTER_MS), 0.0), None);
    }
}
