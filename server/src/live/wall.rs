//! When what is presented at a media time arrived, by the wall. Keeps no clock.

use afterlive_domain::UnixMillis;

/// The wall time of media time is taken anew so often, from what came with the least delay.
const CLOCK_WINDOW_MS: i64 = 2_000;

/// What wall time media time 0 had, judged by what came with the least delay lately. Follows an encoder's clock that runs at another speed.
#[derive(Default)]
pub struct WallClock {
    /// The least of the window before, and of this one, and when this one began.
    before_ms: Option<i64>,
    least_ms: Option<i64>,
    window_begins_ms: i64,
    /// As it was when the publish began: what dates are told by, for these must fit durations.
    begin_ms: i64,
}

impl WallClock {
    pub fn note(&mut self, media_ms: i64, now: UnixMillis) {
        let origin_ms = now.0.saturating_sub(media_ms);
        match self.least_ms {
            Some(least_ms) if now.0 - self.window_begins_ms < CLOCK_WINDOW_MS => self.least_ms = Some(least_ms.min(origin_ms)),
            least_ms => {
                self.before_ms = least_ms;
                self.least_ms = Some(origin_ms);
                self.window_begins_ms = now.0;
            }
        }
    }

    #[must_use]
    pub fn origin_ms(&self) -> i64 {
        self.before_ms.into_iter().chain(self.least_ms).min().unwrap_or(0)
    }

    pub fn begin(&mut self) {
        self.begin_ms = self.origin_ms();
    }

    #[must_use]
    pub fn begin_ms(&self) -> i64 {
        self.begin_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_that_of_what_came_with_the_least_delay_and_follows_drift() {
        let mut wall = WallClock::default();
        // A group of pictures that waited, then one as it came.
        for media_ms in [1_000, 1_500, 1_960] {
            wall.note(media_ms, UnixMillis(10_000));
        }
        wall.begin();
        assert_eq!((wall.begin_ms(), wall.origin_ms()), (8_040, 8_040));
        wall.note(2_000, UnixMillis(10_100));
        assert_eq!(wall.origin_ms(), 8_040, "a late one says nothing");
        for second in 1..100 {
            // One part in a hundred slow.
            wall.note(2_000 + second * 990, UnixMillis(10_040 + second * 1_000));
        }
        assert!((wall.origin_ms() - (8_040 + 990)).abs() <= 40, "{}", wall.origin_ms());
        assert_eq!(wall.begin_ms(), 8_040);
    }
}
