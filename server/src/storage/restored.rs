//! Recordings that were restored a moment ago. That they are is known before their files are back from the bin, and who hears of it, as a page that
//! shows their poster, asks for the files at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Key, KeyKind};

/// Who asks for a file waits no longer than this.
const WAIT: Duration = Duration::from_secs(5);
/// A recording is forgotten so long after it was restored. Until then who came too early for its file looks once more.
const KEPT: Duration = Duration::from_secs(60);

/// Of one region. Neither claims nor reads anything: the files are moved by the job that the restoring left.
#[derive(Debug, Default)]
pub struct Restored {
    by_recording: Mutex<HashMap<Key, Restoring>>,
    placed: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Restoring {
    since: Instant,
    /// Whether its files are back since.
    is_placed: bool,
}

impl Restored {
    /// The recording is about to be restored: to be called before anybody can hear of it. `key` is one of any of its files. Where nothing comes of it after
    /// all, who asks for them within [`KEPT`] waits in vain.
    pub fn expect(&self, key: &Key) {
        let now = Instant::now();
        self.with(|by_recording| {
            by_recording.retain(|_, restoring| now.duration_since(restoring.since) < KEPT);
            by_recording.insert(key.to(KeyKind::Recording), Restoring { since: now, is_placed: false });
        });
    }

    /// The recording is deleted again.
    pub fn forget(&self, key: &Key) {
        self.with(|by_recording| by_recording.remove(&key.to(KeyKind::Recording)));
        self.placed.notify_waiters();
    }

    /// All files of the recording are back at their places.
    pub fn placed(&self, key: &Key) {
        self.with(|by_recording| {
            if let Some(restoring) = by_recording.get_mut(&key.to(KeyKind::Recording)) {
                restoring.is_placed = true;
            }
        });
        self.placed.notify_waiters();
    }

    /// For who did not find the file: whether to look once more, when that has a point.
    pub async fn is_back(&self, key: &Key) -> bool {
        let recording = key.to(KeyKind::Recording);
        let find = || {
            let found = self.with(|by_recording| by_recording.get(&recording).copied());
            found.filter(|restoring| restoring.since.elapsed() < KEPT)
        };
        let placed = async {
            loop {
                // Before it is looked at, so that no notice is missed.
                let notified = self.placed.notified();
                match find() {
                    Some(Restoring { is_placed: false, .. }) => notified.await,
                    found => return found.is_some(),
                }
            }
        };
        timeout(WAIT, placed).await.unwrap_or(false)
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Key, Restoring>) -> T) -> T {
        act(&mut self.by_recording.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn who_asks_for_what_is_restored_waits_until_its_files_are_placed() {
        let key = Key::from_file_name("8sKpm-x49nB.mp4").unwrap();
        let restored = Restored::default();
        assert!(!restored.is_back(&key).await, "nothing is restored");
        restored.expect(&key.to_thumbnail());
        let mut waiting = std::pin::pin!(restored.is_back(&key));
        assert_eq!((&mut waiting).now_or_never(), None);
        restored.placed(&key);
        assert!(waiting.await);
        assert!(restored.is_back(&key.to_thumbnail()).await, "who came before that looks once more");
        restored.expect(&key);
        let mut waiting = std::pin::pin!(restored.is_back(&key));
        assert_eq!((&mut waiting).now_or_never(), None);
        restored.forget(&key);
        assert!(!waiting.await, "deleted again");
    }
}
