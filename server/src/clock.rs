//! Wall time as the parts see it: handed in, so that a test can move it. Durations and time-outs are tokio's, not this one's.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use afterlive_domain::UnixMillis;
use tokio::sync::watch;

/// Who waits for an instant looks at the system's clock so often: somebody may set it meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Tells the wall time in UTC. Cheap to clone; clones of a simulated clock move together.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Simulated { now: Arc<watch::Sender<UnixMillis>>, set_by_ms: Arc<AtomicI64> },
}

impl Clock {
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`Clock::advance_ms`] moves it.
    #[must_use]
    pub fn simulated(start: UnixMillis) -> Self {
        Self(Source::Simulated { now: Arc::new(watch::Sender::new(start)), set_by_ms: Arc::default() })
    }

    #[must_use]
    pub fn now(&self) -> UnixMillis {
        match &self.0 {
            Source::System => {
                // A machine whose clock stands before 1970 is told so by every certificate and log; here it reads as 1970.
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                UnixMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
            }
            Source::Simulated { now, .. } => *now.borrow(),
        }
    }

    /// Time since an instant in the past, which is the same for the whole process: goes on where somebody sets the clock.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        match &self.0 {
            Source::System => ORIGIN.elapsed(),
            Source::Simulated { now, set_by_ms } => {
                Duration::from_millis(now.borrow().plus_ms(-set_by_ms.load(Ordering::Relaxed)).0.unsigned_abs())
            }
        }
    }

    /// Moves a simulated clock. The system's clock is not ours to move: on it this does nothing.
    pub fn advance_ms(&self, ms: i64) {
        if let Source::Simulated { now, .. } = &self.0 {
            now.send_modify(|now| *now = now.plus_ms(ms));
        }
    }

    /// Sets a simulated clock ahead, or back, as somebody sets a machine's: no time passes. On the system's clock this does nothing.
    pub fn set_by_ms(&self, ms: i64) {
        if let Source::Simulated { now, set_by_ms } = &self.0 {
            now.send_modify(|now| {
                set_by_ms.fetch_add(ms, Ordering::Relaxed);
                *now = now.plus_ms(ms);
            });
        }
    }

    /// Waits until it is `instant`, or later. Safe to cancel.
    pub async fn reached(&self, instant: UnixMillis) {
        match &self.0 {
            Source::System => loop {
                let ms = instant.ms_since(self.now());
                let Some(left_ms) = u64::try_from(ms).ok().filter(|ms| *ms > 0) else { return };
                tokio::time::sleep(Duration::from_millis(left_ms).min(LOOK_EVERY)).await;
            },
            Source::Simulated { now, .. } => {
                // The sender is this clock's own.
                let _ = now.subscribe().wait_for(|now| *now >= instant).await;
            }
        }
    }
}

/// Notices that somebody has set the clock: wall time has gone otherwise than time.
#[derive(Default, Debug)]
pub struct Jumps {
    last: Option<(UnixMillis, Duration)>,
}

impl Jumps {
    /// By how many milliseconds the clock has been set since the last look; negative where back. `None` at the first.
    pub fn look(&mut self, clock: &Clock) -> Option<i64> {
        let (now, monotonic) = (clock.now(), clock.monotonic());
        let (then, monotonic_then) = self.last.replace((now, monotonic))?;
        let passed_ms = i64::try_from(monotonic.saturating_sub(monotonic_then).as_millis()).unwrap_or(i64::MAX);
        Some(now.ms_since(then).saturating_sub(passed_ms))
    }
}

/// Remembers that the clock was set back until what waits by it has been brought forward: the database may be away when it is noticed.
#[derive(Default, Debug)]
pub struct SetBacks {
    jumps: Mutex<Jumps>,
    to_do: AtomicBool,
}

impl SetBacks {
    /// Whether something is to be brought forward: the clock was set back by more than `tolerated_ms` since [`done`](Self::done), or may have been before the first look.
    pub fn look(&self, clock: &Clock, tolerated_ms: i64) -> bool {
        let set_by_ms = self.jumps.lock().unwrap_or_else(PoisonError::into_inner).look(clock);
        if set_by_ms.is_none_or(|ms| ms < -tolerated_ms) {
            self.to_do.store(true, Ordering::Relaxed);
        }
        self.to_do.load(Ordering::Relaxed)
    }

    pub fn done(&self) {
        self.to_do.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_is_remembered_until_what_waits_by_it_is_brought_forward() {
        let (clock, set_backs) = (Clock::simulated(UnixMillis(1_000_000)), SetBacks::default());
        let look = || set_backs.look(&clock, 60_000);
        assert!(look() && look(), "it may have been set before");
        set_backs.done();
        assert!(!look());
        clock.set_by_ms(-59_000);
        assert!(!look());
        clock.set_by_ms(-61_000);
        assert!(look() && look());
        set_backs.done();
        assert!(!look());
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_once_and_time_that_passes_is_not() {
        let (clock, mut jumps) = (Clock::simulated(UnixMillis(1_000_000)), Jumps::default());
        assert_eq!(jumps.look(&clock), None);
        clock.advance_ms(86_400_000);
        assert_eq!(jumps.look(&clock), Some(0));
        for ms in [691_200_000, -500] {
            let before = clock.monotonic();
            clock.set_by_ms(ms);
            assert_eq!(clock.monotonic(), before);
            clock.advance_ms(60_000);
            assert_eq!([jumps.look(&clock), jumps.look(&clock)], [Some(ms), Some(0)]);
        }
    }
}
