//! What is asked with every request and changes rarely, remembered for a moment. Knows nothing of what it keeps.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

/// What was found under a key, each time it is asked for anew at most once in `fresh_for`, however many ask. Full, it remembers nothing more.
pub struct Fresh<K, V> {
    entries: Mutex<HashMap<K, Entry<V>>>,
    fresh_for: Duration,
    most: usize,
}

/// Filled by the first who asks; the others wait for that.
type Found<V> = Arc<OnceCell<Option<V>>>;

struct Entry<V> {
    since: Instant,
    found: Found<V>,
    /// What was found before, for as long as the source fails.
    before: Option<V>,
}

impl<K: Clone + Eq + Hash, V: Clone> Fresh<K, V> {
    pub fn new(fresh_for: Duration, most: usize) -> Self {
        Self { entries: Mutex::default(), fresh_for, most }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<K, Entry<V>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered, where it is fresh: the way that waits for nothing.
    pub fn peek(&self, key: &K) -> Option<V> {
        let entries = self.entries();
        let entry = entries.get(key).filter(|entry| entry.since.elapsed() < self.fresh_for)?;
        entry.found.get()?.clone()
    }

    /// What is remembered, or else what `find` brings. Where that fails, what was known last: who could watch a second ago can until the source is back.
    ///
    /// # Errors
    /// Those of `find`, where nothing was known.
    pub async fn get<E: std::fmt::Display, F>(&self, key: &K, find: impl FnOnce() -> F) -> Result<Option<V>, E>
    where
        F: Future<Output = Result<Option<V>, E>>,
    {
        let Some((found, before)) = self.entry(key) else { return find().await };
        let value = found.get_or_try_init(async || match find().await {
            Err(error) if before.is_some() => {
                tracing::warn!(%error, "what was known of an organisation goes on being believed");
                Ok(before)
            }
            found => found,
        });
        value.await.cloned()
    }

    fn entry(&self, key: &K) -> Option<(Found<V>, Option<V>)> {
        let mut entries = self.entries();
        if let Some(entry) = entries.get_mut(key) {
            if entry.since.elapsed() >= self.fresh_for {
                let before = entry.found.get().cloned().flatten().or(entry.before.take());
                *entry = Entry { since: Instant::now(), found: Arc::default(), before };
            }
            return Some((Arc::clone(&entry.found), entry.before.clone()));
        }
        if entries.len() >= self.most {
            entries.retain(|_, entry| entry.since.elapsed() < self.fresh_for);
            if entries.len() >= self.most {
                return None;
            }
        }
        let entry = Entry { since: Instant::now(), found: Arc::default(), before: None };
        let found = Arc::clone(&entry.found);
        entries.insert(key.clone(), entry);
        Some((found, None))
    }

    /// The next who asks hears what is so now.
    pub fn forget(&self, key: &K) {
        self.entries().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    async fn ask(fresh: &Fresh<u8, u8>, key: u8, answer: Result<Option<u8>, &str>) -> Result<Option<u8>, String> {
        let answer = answer.map_err(str::to_owned);
        fresh.get(&key, async || answer).await
    }

    #[tokio::test]
    async fn what_is_fresh_is_not_asked_again_until_it_is_forgotten() {
        let fresh = Fresh::new(LONG, 10);
        assert_eq!((fresh.peek(&1), ask(&fresh, 1, Ok(Some(7))).await), (None, Ok(Some(7))));
        assert_eq!((fresh.peek(&1), ask(&fresh, 1, Ok(Some(8))).await), (Some(7), Ok(Some(7))));
        fresh.forget(&1);
        assert_eq!((fresh.peek(&1), ask(&fresh, 1, Ok(Some(8))).await), (None, Ok(Some(8))));
        assert_eq!(ask(&fresh, 2, Ok(None)).await, Ok(None));
        assert_eq!(ask(&fresh, 2, Ok(Some(1))).await, Ok(None));
    }

    #[tokio::test]
    async fn where_the_source_fails_what_was_known_last_goes_on() {
        let fresh = Fresh::new(Duration::ZERO, 10);
        assert_eq!(ask(&fresh, 1, Err("away")).await, Err("away".to_owned()));
        assert_eq!(ask(&fresh, 1, Ok(Some(7))).await, Ok(Some(7)));
        for _ in 0..2 {
            assert_eq!(ask(&fresh, 1, Err("away")).await, Ok(Some(7)));
        }
        assert_eq!(ask(&fresh, 1, Ok(Some(8))).await, Ok(Some(8)));
    }

    #[tokio::test]
    async fn a_full_memory_asks_each_time() {
        let fresh = Fresh::new(LONG, 1);
        assert_eq!(ask(&fresh, 1, Ok(Some(1))).await, Ok(Some(1)));
        assert_eq!(ask(&fresh, 2, Ok(Some(2))).await, Ok(Some(2)));
        assert_eq!((ask(&fresh, 2, Ok(Some(3))).await, ask(&fresh, 1, Ok(Some(3))).await), (Ok(Some(3)), Ok(Some(1))));
    }
}
