//! What is one's at a time: whoever works on a thing claims it first, and keeps the claim for as long as the work goes on, also where nobody waits
//! for that any more. Knows nothing of what is claimed; in which order several things are stands with those.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Clones are handles to the same claims.
#[derive(Clone, Debug)]
pub(crate) struct Claims<K>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    claimed: Mutex<HashSet<K>>,
    given_back: Notify,
}

/// The thing is its holder's.
#[must_use]
#[derive(Debug)]
pub(crate) struct Claim<K: Eq + Hash> {
    thing: K,
    of: Arc<Inner<K>>,
}

impl<K> Inner<K> {
    fn claimed(&self) -> MutexGuard<'_, HashSet<K>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Default for Claims<K> {
    fn default() -> Self {
        Self(Arc::new(Inner { claimed: Mutex::default(), given_back: Notify::new() }))
    }
}

impl<K: Clone + Eq + Hash> Claims<K> {
    /// The thing, once nobody else has it. Safe to cancel.
    pub(crate) async fn claim_once_free(&self, thing: K) -> Claim<K> {
        loop {
            let given_back = self.0.given_back.notified();
            if let Some(claim) = self.claim(thing.clone()) {
                return claim;
            }
            given_back.await;
        }
    }

    /// The thing, unless somebody has it.
    pub(crate) fn claim(&self, thing: K) -> Option<Claim<K>> {
        let is_free = self.0.claimed().insert(thing.clone());
        is_free.then(|| Claim { thing, of: Arc::clone(&self.0) })
    }
}

impl<K: Eq + Hash> Drop for Claim<K> {
    fn drop(&mut self) {
        self.of.claimed().remove(&self.thing);
        self.of.given_back.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_thing_is_one_s_at_a_time() {
        let claims = Claims::<u8>::default();
        let claim = claims.claim(7);
        assert!(claim.is_some() && claims.claim(7).is_none() && claims.claim(8).is_some());
        drop(claim);
        assert!(claims.claim(7).is_some());
    }

    #[tokio::test]
    async fn who_waits_for_a_thing_has_it_once_it_is_given_back() {
        let claims = Claims::<u8>::default();
        let first = claims.claim(7).unwrap();
        let mut second = Box::pin(claims.claim_once_free(7));
        assert!(second.as_mut().now_or_never().is_none());
        drop(claims.claim(8));
        assert!(second.as_mut().now_or_never().is_none(), "it was another that was given back");
        drop(first);
        drop(second.await);
        assert!(claims.claim(7).is_some());
    }
}
