//! A limit on how often something happens for each of many keys, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use afterlive_domain::UnixMillis;

/// How many keys are remembered; each takes some 100 bytes.
const MAX_KEYS: usize = 10_000;

/// Lets `burst` attempts pass at once, and then one each `interval_ms` (the generic cell rate algorithm: a leaky bucket with one number a key).
#[derive(Debug)]
pub(crate) struct RateLimit<K> {
    interval_ms: i64,
    burst: i64,
    /// When the bucket of a key will be empty. Keys whose instant has passed are as good as absent.
    empty_at: Mutex<HashMap<K, UnixMillis>>,
}

impl<K: Hash + Eq + Clone> RateLimit<K> {
    pub(crate) fn new(burst: u16, interval_ms: u32) -> Self {
        Self { interval_ms: interval_ms.into(), burst: burst.into(), empty_at: Mutex::default() }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// How many seconds to wait, where there were too many; the attempt is then not counted.
    pub(crate) fn attempt(&self, key: &K, now: UnixMillis) -> Result<(), u32> {
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_ms = self.burst * self.interval_ms;
        let level_ms = empty_at.get_mut(key).map_or(0, |empty_at| {
            // No bucket is fuller than full: more than that says a clock that was set back since, and would keep the key out until it is there again.
            *empty_at = (*empty_at).min(now.plus_ms(full_ms));
            empty_at.ms_since(now).max(0)
        });
        let over_ms = level_ms + self.interval_ms - full_ms;
        if over_ms > 0 {
            return Err(u32::try_from(over_ms.div_euclid(1_000) + 1).unwrap_or(u32::MAX));
        }
        if empty_at.len() >= MAX_KEYS && !empty_at.contains_key(key) {
            empty_at.retain(|_, empty_at| *empty_at > now);
            // Still full: forget who is nearest to being forgotten anyway.
            if empty_at.len() >= MAX_KEYS
                && let Some(nearest) = empty_at.iter().min_by_key(|(_, empty_at)| **empty_at).map(|(key, _)| key.clone())
            {
                empty_at.remove(&nearest);
            }
        }
        empty_at.insert(key.clone(), now.plus_ms(level_ms + self.interval_ms));
        Ok(())
    }

    /// As [`RateLimit::attempt`], for an attempt of which it is seen later whether it counts: it does once it is [kept](Attempt::keep).
    ///
    /// # Errors
    /// As [`RateLimit::attempt`].
    pub(crate) fn try_attempt(&self, key: &K, now: UnixMillis) -> Result<Attempt<'_, K>, u32> {
        self.attempt(key, now).map(|()| Attempt { limit: self, key: Some(key.clone()) })
    }

    /// Takes one attempt back: it turned out to be none of those that are counted.
    pub(crate) fn give_back(&self, key: &K) {
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(empty_at) = empty_at.get_mut(key) {
            *empty_at = empty_at.plus_ms(-self.interval_ms);
        }
    }

    /// Forgets a key's attempts.
    pub(crate) fn forgive(&self, key: &K) {
        self.empty_at.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// One that counts while it is not known whether it should, and is taken back where nobody keeps it: also where who tried was cut off.
#[derive(Debug)]
pub(crate) struct Attempt<'a, K: Hash + Eq + Clone> {
    limit: &'a RateLimit<K>,
    key: Option<K>,
}

impl<K: Hash + Eq + Clone> Attempt<'_, K> {
    pub(crate) fn keep(mut self) {
        self.key = None;
    }
}

impl<K: Hash + Eq + Clone> Drop for Attempt<'_, K> {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.limit.give_back(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    #[test]
    fn a_burst_passes_and_then_one_an_interval() {
        let limit = RateLimit::new(3, 10_000);
        for _ in 0..3 {
            assert_eq!(limit.attempt(&"a", NOW), Ok(()));
        }
        assert_eq!(limit.attempt(&"a", NOW), Err(11));
        assert_eq!(limit.attempt(&"b", NOW), Ok(()), "another key is another bucket");
        assert_eq!(limit.attempt(&"a", NOW.plus_ms(9_999)), Err(1));
        assert_eq!(limit.attempt(&"a", NOW.plus_ms(10_000)), Ok(()));
        assert!(limit.attempt(&"a", NOW.plus_ms(10_000)).is_err());
        limit.forgive(&"a");
        assert_eq!(limit.attempt(&"a", NOW.plus_ms(10_000)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_out_for_longer_than_a_full_bucket() {
        let (limit, ahead) = (RateLimit::new(3, 10_000), NOW.plus_ms(86_400_000));
        for _ in 0..3 {
            assert_eq!(limit.attempt(&"a", ahead), Ok(()));
        }
        assert_eq!(limit.attempt(&"a", NOW), Err(11));
        assert_eq!(limit.attempt(&"a", NOW.plus_ms(10_000)), Ok(()));
        assert_eq!(limit.attempt(&"a", NOW.plus_ms(10_000)), Err(11), "it is full, and no less");
        for _ in 0..3 {
            assert_eq!(limit.attempt(&"a", NOW.plus_ms(40_000)), Ok(()));
        }
    }

    #[test]
    fn what_is_given_back_was_not_counted_and_nothing_more() {
        let limit = RateLimit::new(2, 10_000);
        limit.give_back(&"a");
        for _ in 0..100 {
            assert_eq!(limit.attempt(&"a", NOW), Ok(()));
            limit.give_back(&"a");
        }
        // Taken back late, it is no credit either.
        assert_eq!(limit.attempt(&"a", NOW), Ok(()));
        limit.give_back(&"a");
        limit.give_back(&"a");
        let passed = (0..10).filter(|_| limit.attempt(&"a", NOW).is_ok()).count();
        assert_eq!(passed, 2);
    }

    #[test]
    fn an_attempt_that_nobody_keeps_does_not_count() {
        let limit = RateLimit::new(1, 10_000);
        let tried = limit.try_attempt(&"a", NOW).unwrap();
        assert!(limit.try_attempt(&"a", NOW).is_err(), "it counts meanwhile");
        drop(tried);
        limit.try_attempt(&"a", NOW).unwrap().keep();
        assert!(limit.try_attempt(&"a", NOW).is_err());
    }

    #[test]
    fn memory_stays_bounded_under_a_flood_of_keys() {
        let limit = RateLimit::new(3, 10_000);
        for key in 0..MAX_KEYS + 100 {
            assert_eq!(limit.attempt(&key, NOW), Ok(()));
        }
        assert_eq!(limit.empty_at.lock().unwrap().len(), MAX_KEYS);
        limit.attempt(&usize::MAX, NOW.plus_ms(20_000)).unwrap();
        assert_eq!(limit.empty_at.lock().unwrap().len(), 1, "what is over is forgotten");
    }
}
