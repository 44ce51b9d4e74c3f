//! Encoders that have just left and may come back: what the next recorder of the stream needs and no database has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use afterlive_domain::{AssetId, StreamId};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::take::Hashed;

/// How long an encoder that is back at once waits for its recording to be finished before it gets another one.
const FINISH_WAIT: Duration = Duration::from_secs(5);
/// With more than so many entries the old ones are looked for, and dropped.
const SWEEP_FROM: usize = 64;

/// By stream, the recording that its last publish left. Holds some 200 bytes each.
#[derive(Default, Debug)]
pub(super) struct Returns {
    left: Mutex<HashMap<StreamId, Arc<Left>>>,
}

/// A recording whose encoder has left.
#[derive(Debug)]
pub(super) struct Left {
    asset: AssetId,
    until: Instant,
    /// Of what is in the file.
    hashed: Mutex<Option<Hashed>>,
    /// Told once the recording stands finished in its place, or will not for now.
    settled: CancellationToken,
}

impl Returns {
    /// An encoder has left; it is waited for so long.
    pub(super) fn leave(&self, stream: StreamId, asset: AssetId, window: Duration) -> Arc<Left> {
        let now = Instant::now();
        let left = Arc::new(Left { asset, until: now + window, hashed: Mutex::default(), settled: CancellationToken::new() });
        let mut entries = lock(&self.left);
        if entries.len() >= SWEEP_FROM {
            entries.retain(|_, other| other.until > now);
        }
        entries.insert(stream, Arc::clone(&left));
        left
    }

    /// An encoder is there. Waits until what the one before has left is finished, but not for ever.
    ///
    /// Returns the checksum of the recording so far, and whose it is.
    pub(super) async fn settle(&self, stream: StreamId) -> Option<(AssetId, Hashed)> {
        let left = lock(&self.left).remove(&stream)?;
        timeout_at(Instant::now() + FINISH_WAIT, left.settled.cancelled()).await.ok()?;
        let hashed = lock(&left.hashed).take()?;
        Some((left.asset, hashed))
    }
}

impl Left {
    pub(super) fn keep(&self, hashed: Option<Hashed>) {
        *lock(&self.hashed) = hashed;
    }

    pub(super) fn settle(&self) {
        self.settled.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
