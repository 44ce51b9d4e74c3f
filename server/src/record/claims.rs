//! Who is at work on a recording that no publish writes: each is one's at a time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use afterlive_domain::AssetId;
use tokio::sync::Notify;

/// Clones are handles to the same claims.
#[derive(Clone, Default, Debug)]
pub(super) struct Claims(Arc<Inner>);

#[derive(Default, Debug)]
struct Inner {
    claimed: Mutex<HashSet<AssetId>>,
    given_back: Notify,
}

/// The recording is its holder's.
#[must_use]
#[derive(Debug)]
pub(super) struct Claim {
    asset: AssetId,
    of: Claims,
}

impl Inner {
    fn claimed(&self) -> MutexGuard<'_, HashSet<AssetId>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claims {
    /// The recording, once nobody else has it. Safe to cancel.
    pub(super) async fn claim_once_free(&self, asset: AssetId) -> Claim {
        loop {
            let given_back = self.0.given_back.notified();
            if let Some(claim) = self.claim(asset) {
                return claim;
            }
            given_back.await;
        }
    }

    /// The recording, unless somebody has it: who finishes it, or the encoder that is back and takes it up.
    pub(super) fn claim(&self, asset: AssetId) -> Option<Claim> {
        let is_free = self.0.claimed().insert(asset);
        is_free.then(|| Claim { asset, of: self.clone() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.of.0.claimed().remove(&self.asset);
        self.of.0.given_back.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_recording_is_one_s_at_a_time() {
        let (claims, asset) = (Claims::default(), AssetId(Uuid::new_v4()));
        let claim = claims.claim(asset);
        assert!(claim.is_some() && claims.claim(asset).is_none() && claims.claim(AssetId(Uuid::new_v4())).is_some());
        drop(claim);
        assert!(claims.claim(asset).is_some());
    }

    #[tokio::test]
    async fn who_waits_for_a_recording_has_it_once_it_is_given_back() {
        let (claims, asset) = (Claims::default(), AssetId(Uuid::new_v4()));
        let first = claims.claim(asset).unwrap();
        let mut second = Box::pin(claims.claim_once_free(asset));
        assert!(second.as_mut().now_or_never().is_none());
        drop(claims.claim(AssetId(Uuid::new_v4())));
        assert!(second.as_mut().now_or_never().is_none(), "it was another that was given back");
        drop(first);
        drop(second.await);
        assert!(claims.claim(asset).is_some());
    }
}
