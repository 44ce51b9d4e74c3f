//! How many calls of webhooks there are at a time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use afterlive_domain::OrganisationId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::address::subscriber;

/// The most encoders of an organisation that wait for its webhook; who comes then is refused.
pub const MAX_WAITING: usize = 64;
/// The most of them from one address: who knows a stream's name must not be able to keep all others out.
pub const MAX_WAITING_PER_ADDRESS: usize = 16;
/// The most calls of an organisation, beside those, about publishes that go on or are over; more wait for their turn.
const MAX_TOLD: usize = 64;

#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waiting: HashMap<OrganisationId, HashMap<IpAddr, usize>>,
    /// Those that were ever needed stay: there are not more than organisations.
    told: HashMap<OrganisationId, Arc<Semaphore>>,
}

/// The place of one who waits.
pub(super) struct Waiting {
    turns: Turns,
    organisation: OrganisationId,
    address: IpAddr,
}

impl Turns {
    /// `None` where too many wait.
    pub(super) fn wait(&self, organisation: OrganisationId, address: IpAddr) -> Option<Waiting> {
        let address = subscriber(address);
        let mut state = self.state();
        let waiting = state.waiting.entry(organisation).or_default();
        if waiting.values().sum::<usize>() >= MAX_WAITING
            || waiting.get(&address).is_some_and(|count| *count >= MAX_WAITING_PER_ADDRESS)
        {
            return None;
        }
        *waiting.entry(address).or_default() += 1;
        Some(Waiting { turns: self.clone(), organisation, address })
    }

    /// Waits for its turn.
    pub(super) async fn tell(&self, organisation: OrganisationId) -> Option<OwnedSemaphorePermit> {
        let told = Arc::clone(self.state().told.entry(organisation).or_insert_with(|| Arc::new(Semaphore::new(MAX_TOLD))));
        // It is never closed.
        told.acquire_owned().await.ok()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        let Some(waiting) = state.waiting.get_mut(&self.organisation) else { return };
        if let Some(count) = waiting.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.address);
            }
        }
        if waiting.is_empty() {
            state.waiting.remove(&self.organisation);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn places_are_counted_by_organisation_and_by_address_and_given_back() {
        let turns = Turns::default();
        let (ours, theirs) = (OrganisationId(Uuid::from_u128(1)), OrganisationId(Uuid::from_u128(2)));
        let address = |n: u8| IpAddr::from([192, 0, 2, n]);
        let mut held: Vec<Waiting> = (0..MAX_WAITING_PER_ADDRESS).map(|_| turns.wait(ours, address(1)).unwrap()).collect();
        assert!(turns.wait(ours, address(1)).is_none() && turns.wait(theirs, address(1)).is_some());
        held.extend((MAX_WAITING_PER_ADDRESS..MAX_WAITING).map(|n| turns.wait(ours, address(n as u8 + 2)).unwrap()));
        assert!(turns.wait(ours, address(250)).is_none() && turns.wait(theirs, address(250)).is_some());
        held.remove(0);
        assert!(turns.wait(ours, address(1)).is_some());
        drop(held);
        assert!(turns.state().waiting.is_empty());
    }
}
