//! Which endpoints this process has seen failing, and for how long. What the database says of it may be from before the server was off for days.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use afterlive_domain::{EndpointId, UnixMillis};

use crate::db::event_deliveries::Due;

/// Clones are handles to the same.
#[derive(Clone, Default)]
pub(super) struct Failing(Arc<Mutex<HashMap<EndpointId, UnixMillis>>>);

impl Failing {
    /// A try has failed; of several the first counts.
    pub(super) fn note(&self, endpoint: EndpointId, now: UnixMillis) {
        self.known().entry(endpoint).or_insert(now);
    }

    /// Forgets all for which nothing waits, and those that have taken something since, whoever sent it.
    pub(super) fn keep(&self, due: &[Due]) {
        let mut known = self.known();
        if !known.is_empty() {
            let failing = due.iter().filter(|due| due.failing_since.is_some()).map(|due| due.endpoint);
            let failing: HashSet<EndpointId> = failing.collect();
            known.retain(|endpoint, _| failing.contains(endpoint));
        }
    }

    /// For how long this process has seen it failing; `None` where it has not.
    pub(super) fn for_ms(&self, endpoint: EndpointId, now: UnixMillis) -> Option<i64> {
        self.known().get(&endpoint).map(|since| now.ms_since(*since))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<EndpointId, UnixMillis>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
