//! How many deliveries are under way at a time, and whose. Sends nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use afterlive_domain::{EndpointId, OrganisationId};

use crate::db::event_deliveries::Due;

/// On a node.
const MAX_AT_ONCE: usize = 128;
/// To the endpoints of one organisation.
const MAX_OF_ORGANISATION: usize = 12;
/// To one endpoint.
const MAX_OF_ENDPOINT: usize = 4;
/// To one whose last try failed: it is likely to be dead still, and would hold its places for as long as an answer may take.
const MAX_OF_FAILING: usize = 1;

/// Clones are handles to the same.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    all: usize,
    endpoints: HashMap<EndpointId, usize>,
    organisations: HashMap<OrganisationId, usize>,
}

/// Is free again when it is dropped.
pub(super) struct Place {
    places: Places,
    endpoint: EndpointId,
    organisation: OrganisationId,
}

impl Places {
    /// How many more may be sent to that endpoint.
    pub(super) fn left(&self, due: &Due) -> usize {
        let taken = self.taken();
        let most = if due.failing_since.is_some() { MAX_OF_FAILING } else { MAX_OF_ENDPOINT };
        let of = |taken: Option<&usize>| taken.copied().unwrap_or(0);
        let of_endpoint = most.saturating_sub(of(taken.endpoints.get(&due.endpoint)));
        let of_organisation = MAX_OF_ORGANISATION.saturating_sub(of(taken.organisations.get(&due.organisation)));
        of_endpoint.min(of_organisation).min(MAX_AT_ONCE.saturating_sub(taken.all))
    }

    pub(super) fn taken_by(&self, endpoint: EndpointId) -> usize {
        self.taken().endpoints.get(&endpoint).copied().unwrap_or(0)
    }

    pub(super) fn take(&self, due: &Due) -> Place {
        let mut taken = self.taken();
        taken.all += 1;
        *taken.endpoints.entry(due.endpoint).or_default() += 1;
        *taken.organisations.entry(due.organisation).or_default() += 1;
        Place { places: self.clone(), endpoint: due.endpoint, organisation: due.organisation }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        give_back(&mut taken.endpoints, &self.endpoint);
        give_back(&mut taken.organisations, &self.organisation);
    }
}

fn give_back<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use afterlive_domain::UnixMillis;
    use uuid::Uuid;

    use super::*;

    fn due(endpoint: u128, organisation: u128, is_failing: bool) -> Due {
        let (endpoint, organisation) = (EndpointId(Uuid::from_u128(endpoint)), OrganisationId(Uuid::from_u128(organisation)));
        Due { endpoint, organisation, failing_since: is_failing.then_some(UnixMillis(0)), at: UnixMillis(0) }
    }

    #[test]
    fn no_endpoint_and_no_organisation_takes_the_places_of_others() {
        let places = Places::default();
        assert_eq!(places.left(&due(1, 1, true)), MAX_OF_FAILING);
        let mut held: Vec<Place> = (0..MAX_OF_ENDPOINT).map(|_| places.take(&due(1, 1, false))).collect();
        assert_eq!((places.left(&due(1, 1, false)), places.left(&due(2, 1, false))), (0, MAX_OF_ENDPOINT));
        held.extend((0..MAX_OF_ORGANISATION - MAX_OF_ENDPOINT).map(|n| places.take(&due(2 + n as u128 / 4, 1, false))));
        assert_eq!((places.left(&due(9, 1, false)), places.left(&due(9, 2, false))), (0, MAX_OF_ENDPOINT));
        held.extend((0..MAX_AT_ONCE - MAX_OF_ORGANISATION).map(|n| places.take(&due(100 + n as u128, 100 + n as u128, false))));
        assert_eq!(places.left(&due(9, 2, false)), 0);
        drop(held);
        let taken = places.taken();
        assert!(taken.all == 0 && taken.endpoints.is_empty() && taken.organisations.is_empty());
    }
}
