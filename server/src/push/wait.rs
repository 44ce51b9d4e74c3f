//! How long to wait after a push has failed. Pure.

use std::time::Duration;

/// The wait after the first failure; doubles with each, up to the longest.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);
/// A push that went well for so long begins anew with the first wait.
pub(super) const WENT_WELL: Duration = Duration::from_secs(60);

/// The wait after `failures` in a row, of which the last is the first of this number that `draw` says something about: between half of it and all, so that
/// many that failed together do not come back together. `draw` is uniform in `0..=1_000`.
pub(super) fn wait(failures: u32, draw: u16) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10));
    let most = doubled.min(LONGEST);
    most / 2 + most * u32::from(draw.min(1_000)) / 2_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_minute_and_are_spread() {
        let seconds = |failures| (wait(failures, 0).as_millis(), wait(failures, 1_000).as_millis());
        assert_eq!([1, 2, 3].map(seconds), [(1_000, 2_000), (2_000, 4_000), (4_000, 8_000)]);
        assert_eq!([6, 100, u32::MAX].map(seconds), [(30_000, 60_000); 3]);
    }
}
