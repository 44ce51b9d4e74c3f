//! Wall time as the parts see it: handed in, so that a test can move it. Durations and time-outs are tokio's, not this one's.

use std::sync::Arc;
use std::sync::LazyLock;
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
    Simulated(Arc<watch::Sender<UnixMillis>>),
}

impl Clock {
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`Clock::advance_ms`] moves it.
    #[must_use]
    pub fn simulated(start: UnixMillis) -> Self {
        Self(Source::Simulated(Arc::new(watch::Sender::new(start))))
    }

    #[must_use]
    pub fn now(&self) -> UnixMillis {
        match &self.0 {
            Source::System => {
                // A machine whose clock stands before 1970 is told so by every certificate and log; here it reads as 1970.
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                UnixMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
            }
            Source::Simulated(now) => *now.borrow(),
        }
    }

    /// Time since an instant in the past, which is the same for the whole process: goes on where somebody sets the machine's clock. A simulated clock is
    /// never set.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        match &self.0 {
            Source::System => ORIGIN.elapsed(),
            Source::Simulated(now) => Duration::from_millis(now.borrow().0.unsigned_abs()),
        }
    }

    /// Moves a simulated clock. The system's clock is not ours to move: on it this does nothing.
    pub fn advance_ms(&self, ms: i64) {
        if let Source::Simulated(now) = &self.0 {
            now.send_modify(|now| *now = now.plus_ms(ms));
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
            Source::Simulated(now) => {
                // The sender is this clock's own.
                let _ = now.subscribe().wait_for(|now| *now >= instant).await;
            }
        }
    }
}
