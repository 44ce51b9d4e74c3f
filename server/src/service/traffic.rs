//! Ingest traffic by UTC day: a publish counts for the days it was on air, in proportion. Reads nothing; what arrived is handed in.

use afterlive_domain::UnixMillis;

use crate::db::counts::{Arrived, DAY_MS};

/// The ingested bytes of one UTC day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Day {
    /// Its midnight.
    pub begins_at: UnixMillis,
    pub bytes: u64,
}

/// The first instant of the `days` days that end with today.
#[must_use]
pub fn window_begins_at(now: UnixMillis, days: u32) -> UnixMillis {
    UnixMillis((now.0.div_euclid(DAY_MS) + 1 - i64::from(days)) * DAY_MS)
}

/// The `days` days that end with today, oldest first, none left out.
#[must_use]
pub fn by_day(now: UnixMillis, days: u32, arrived: &[Arrived]) -> Vec<Day> {
    let first = window_begins_at(now, days);
    (0..i64::from(days))
        .map(|number| {
            let begins_at = first.plus_ms(number * DAY_MS);
            let bytes = arrived.iter().map(|sum| before(sum, begins_at.plus_ms(DAY_MS)) - before(sum, begins_at)).sum();
            Day { begins_at, bytes }
        })
        .collect()
}

/// How much of it had arrived before `instant`, as if it came evenly. The difference of two such sums loses no byte to rounding.
fn before(sum: &Arrived, instant: UnixMillis) -> u64 {
    let whole_ms = sum.to.ms_since(sum.from);
    let elapsed_ms = instant.ms_since(sum.from);
    if elapsed_ms > whole_ms {
        return sum.bytes;
    }
    match (u128::try_from(elapsed_ms), u128::try_from(whole_ms)) {
        (Ok(elapsed), Ok(whole)) if whole > 0 => u64::try_from(u128::from(sum.bytes) * elapsed / whole).unwrap_or(u64::MAX),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDNIGHT: UnixMillis = UnixMillis(20_761 * DAY_MS);

    fn bytes(arrived: &[Arrived]) -> Vec<u64> {
        by_day(MIDNIGHT.plus_ms(3_600_000), 3, arrived).iter().map(|day| day.bytes).collect()
    }

    fn arrived(from_ms: i64, to_ms: i64, bytes: u64) -> Arrived {
        Arrived { from: MIDNIGHT.plus_ms(from_ms), to: MIDNIGHT.plus_ms(to_ms), bytes }
    }

    #[test]
    fn the_days_end_with_today_and_none_is_left_out() {
        let days = by_day(MIDNIGHT.plus_ms(1), 14, &[]);
        assert_eq!(days.len(), 14);
        assert_eq!(days[13].begins_at, MIDNIGHT);
        assert_eq!(days[0].begins_at, window_begins_at(MIDNIGHT, 14));
    }

    #[test]
    fn a_publish_over_midnight_counts_for_both_days_and_no_byte_is_lost() {
        assert_eq!(bytes(&[arrived(-2_000, 1_000, 10)]), [0, 6, 4]);
        assert_eq!(bytes(&[arrived(-DAY_MS - 1, 1, 1_000_000_007)]).iter().sum::<u64>(), 1_000_000_007);
    }

    #[test]
    fn what_came_before_the_first_day_is_not_shown() {
        assert_eq!(bytes(&[arrived(-3 * DAY_MS, 0, 30)]), [10, 10, 0]);
        assert_eq!(bytes(&[arrived(-4 * DAY_MS, -3 * DAY_MS, 30)]), [0, 0, 0]);
    }

    #[test]
    fn what_came_in_one_instant_counts_for_its_day() {
        assert_eq!(bytes(&[arrived(5, 5, 7)]), [0, 0, 7]);
        assert_eq!(bytes(&[arrived(0, 0, 7)]), [0, 0, 7]);
    }
}
