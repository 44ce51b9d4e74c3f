//! What may happen at each frame, and is told now and then. Keeps no clock and writes no log.

use std::time::{Duration, Instant};

/// How often at the most it is told.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Something that is told at once, and then with the number of times that were left out.
#[derive(Default)]
pub(super) struct Seldom {
    told: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// It has happened: how often it had without being told, where it is to be told now.
    pub(super) fn tell(&mut self, now: Instant) -> Option<u64> {
        if self.told.is_some_and(|told| now.saturating_duration_since(told) < TOLD_EVERY) {
            self.untold += 1;
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_at_each_frame_is_told_each_ten_seconds() {
        let (mut seldom, start) = (Seldom::default(), Instant::now());
        let told: Vec<(u64, u64)> =
            (0..1_000).filter_map(|n| Some((n, seldom.tell(start + Duration::from_millis(n * 40))?))).collect();
        assert_eq!(told, [(0, 0), (250, 249), (500, 249), (750, 249)]);
    }
}
