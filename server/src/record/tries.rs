//! Who is at work on a recording that no publish writes, and how many are on a disk: each recording is one's at a time, and each region has places for some.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use afterlive_domain::{AssetId, Region};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// So many of a region at a time: a disk that has to find the places of more gets slower by it, and each takes a thread for as long as the disk does.
const AT_ONCE: usize = 2;

/// Cheap to clone.
#[derive(Clone, Default, Debug)]
pub(super) struct Tries {
    places: Arc<Mutex<HashMap<Region, Arc<Semaphore>>>>,
    claimed: Arc<Mutex<HashSet<AssetId>>>,
    given_back: Arc<Notify>,
}

/// The recording is its holder's.
#[must_use]
#[derive(Debug)]
pub(super) struct Claim {
    asset: AssetId,
    claimed: Arc<Mutex<HashSet<AssetId>>>,
    given_back: Arc<Notify>,
}

impl Tries {
    /// Waits for a place among those who are at work on the region's disk. Safe to cancel.
    pub(super) async fn place(&self, region: &Region) -> OwnedSemaphorePermit {
        let places = {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(places.entry(region.clone()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
        };
        places.acquire_owned().await.expect("nobody closes it")
    }

    /// The recording, once nobody else has it. Safe to cancel.
    pub(super) async fn claim_once_free(&self, asset: AssetId) -> Claim {
        loop {
            let given_back = self.given_back.notified();
            if let Some(claim) = self.claim(asset) {
                return claim;
            }
            given_back.await;
        }
    }

    /// The recording, unless somebody has it: who finishes it, or the encoder that is back and takes it up.
    pub(super) fn claim(&self, asset: AssetId) -> Option<Claim> {
        let is_free = self.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(asset);
        is_free.then(|| Claim { asset, claimed: Arc::clone(&self.claimed), given_back: Arc::clone(&self.given_back) })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.asset);
        self.given_back.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_recording_is_one_s_at_a_time() {
        let (tries, asset) = (Tries::default(), AssetId(Uuid::new_v4()));
        let claim = tries.claim(asset);
        assert!(claim.is_some() && tries.claim(asset).is_none() && tries.claim(AssetId(Uuid::new_v4())).is_some());
        drop(claim);
        assert!(tries.claim(asset).is_some());
    }

    #[tokio::test]
    async fn who_waits_for_a_recording_has_it_once_it_is_given_back() {
        let (tries, asset) = (Tries::default(), AssetId(Uuid::new_v4()));
        let first = tries.claim(asset).unwrap();
        let mut second = Box::pin(tries.claim_once_free(asset));
        assert!(second.as_mut().now_or_never().is_none());
        drop(tries.claim(AssetId(Uuid::new_v4())));
        assert!(second.as_mut().now_or_never().is_none(), "it was another that was given back");
        drop(first);
        drop(second.await);
        assert!(tries.claim(asset).is_some());
    }

    #[test]
    fn a_disk_that_hangs_holds_nobody_of_another_region() {
        let (tries, eu, us): (_, Region, Region) = (Tries::default(), "eu".parse().unwrap(), "us".parse().unwrap());
        let held: Vec<_> = (0..AT_ONCE).map(|_| tries.place(&eu).now_or_never().unwrap()).collect();
        assert!(tries.place(&eu).now_or_never().is_none() && tries.place(&us).now_or_never().is_some());
        drop(held);
        assert!(tries.place(&eu).now_or_never().is_some());
    }
}
