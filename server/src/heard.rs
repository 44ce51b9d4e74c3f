//! When something was last heard of an encoder, for who is not its connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When something was last heard of a peer. Clones are handles to the same.
#[derive(Clone, Debug)]
pub struct Heard {
    began: Instant,
    ms: Arc<AtomicU64>,
}

impl Heard {
    /// Of one that is there from now on.
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), ms: Arc::default() }
    }

    pub(crate) fn now(&self) {
        self.ms.store(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// For how long it has been there.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Since it was last heard, or since it was there where it never was.
    #[must_use]
    pub fn silent_for(&self) -> Duration {
        self.age().saturating_sub(Duration::from_millis(self.ms.load(Ordering::Relaxed)))
    }
}
