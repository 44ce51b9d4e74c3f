//! What goes into the log of something that many may do as often as they like: one line in a while for each of them, in bounded memory. Decides it; logs
//! nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So long nothing more is said of the same.
const SAID_ONCE_IN: Duration = Duration::from_secs(10);
/// How many are remembered of whom something was said; each takes some 100 bytes.
const MAX_KEYS: usize = 10_000;

/// By key. Clones are one.
#[derive(Clone, Debug)]
pub struct Hush<K>(Arc<Mutex<HashMap<K, Said>>>);

#[derive(Debug)]
struct Said {
    at: Instant,
    unsaid: u64,
}

impl<K> Default for Hush<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Hash + Eq> Hush<K> {
    /// Whether to say it; with how much was not said since something was.
    pub fn says(&self, key: K) -> Option<u64> {
        self.says_at(key, Instant::now())
    }

    fn says_at(&self, key: K, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= MAX_KEYS && !said.contains_key(&key) {
            said.retain(|_, before| now - before.at < SAID_ONCE_IN);
            // A flood of so many within the time: who is not remembered is not heard.
            if said.len() >= MAX_KEYS {
                return None;
            }
        }
        match said.get_mut(&key) {
            Some(before) if now - before.at < SAID_ONCE_IN => {
                before.unsaid += 1;
                None
            }
            before => {
                let unsaid = before.map_or(0, |before| before.unsaid);
                said.insert(key, Said { at: now, unsaid: 0 });
                Some(unsaid)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_one_line_is_said_in_a_while_and_how_many_were_not() {
        let (hush, now) = (Hush::default(), Instant::now());
        assert_eq!(hush.says_at("one", now), Some(0));
        assert!((0..1_000).all(|_| hush.says_at("one", now + SAID_ONCE_IN / 2).is_none()));
        assert_eq!(hush.says_at("other", now), Some(0));
        assert_eq!(hush.says_at("one", now + SAID_ONCE_IN), Some(1_000));
    }

    #[test]
    fn of_a_flood_of_many_there_are_only_so_many_lines_in_a_while() {
        let (hush, now) = (Hush::default(), Instant::now());
        let lines = (0..MAX_KEYS + 100).filter(|key| hush.says_at(*key, now).is_some()).count();
        assert_eq!(lines, MAX_KEYS);
        assert_eq!(hush.says_at(usize::MAX, now + SAID_ONCE_IN), Some(0));
        assert_eq!(hush.0.lock().unwrap().len(), 1, "what is over is forgotten");
    }
}
