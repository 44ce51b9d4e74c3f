//! How many connections there may be, and who goes when there are too many: whoever has been a stranger for longest.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::address::subscriber;

/// Counts connections. One that neither publishes nor plays is a stranger; when a cap is reached the oldest stranger makes room for the
/// newcomer, so that connections which only sit there never keep an encoder out. Who publishes or plays is never sent away.
#[derive(Clone)]
pub(super) struct Admission {
    max: usize,
    max_per_address: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    next_id: u64,
    /// In the order of arrival.
    connections: BTreeMap<u64, Connection>,
    per_address: HashMap<IpAddr, usize>,
}

struct Connection {
    address: IpAddr,
    is_stranger: bool,
    evicted: CancellationToken,
}

impl State {
    fn remove(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else { return };
        if let Some(count) = self.per_address.get_mut(&connection.address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&connection.address);
            }
        }
    }

    /// Whether there was a stranger to send away.
    fn evict_oldest(&mut self, is_meant: impl Fn(&Connection) -> bool) -> bool {
        let oldest = self.connections.iter().find(|(_, connection)| connection.is_stranger && is_meant(connection));
        let Some((&id, connection)) = oldest else { return false };
        connection.evicted.cancel();
        self.remove(id);
        true
    }
}

impl Admission {
    pub(super) fn new(max: usize, max_per_address: usize) -> Self {
        Self { max, max_per_address, state: Arc::default() }
    }

    /// A place for a newcomer. `None` where all places are taken by publishers and players.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Ticket> {
        let address = subscriber(address);
        let mut state = self.state();
        if state.per_address.get(&address).is_some_and(|count| *count >= self.max_per_address)
            && !state.evict_oldest(|connection| connection.address == address)
        {
            return None;
        }
        if state.connections.len() >= self.max && !state.evict_oldest(|_| true) {
            return None;
        }
        let id = state.next_id;
        state.next_id += 1;
        *state.per_address.entry(address).or_default() += 1;
        let evicted = CancellationToken::new();
        state.connections.insert(id, Connection { address, is_stranger: true, evicted: evicted.clone() });
        drop(state);
        Some(Ticket { admission: self.clone(), id, evicted })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place. Dropping it frees the place.
pub(super) struct Ticket {
    admission: Admission,
    id: u64,
    evicted: CancellationToken,
}

impl Ticket {
    /// From now on the connection is one that publishes or plays, or again a stranger. `false`: its place has been given away.
    #[must_use]
    pub(super) fn set_stranger(&self, is_stranger: bool) -> bool {
        let mut state = self.admission.state();
        state.connections.get_mut(&self.id).map(|connection| connection.is_stranger = is_stranger).is_some()
    }

    /// Completes when the place is needed for someone else.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.admission.state().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_oldest_stranger_makes_room_and_who_publishes_stays() {
        let admission = Admission::new(10, 3);
        let publisher = admission.admit(ip("192.0.2.1")).unwrap();
        assert!(publisher.set_stranger(false));
        let strangers = [(); 2].map(|()| admission.admit(ip("192.0.2.1")).unwrap());
        let newcomer = admission.admit(ip("192.0.2.1")).unwrap();
        let gone = [&publisher, &strangers[0], &strangers[1], &newcomer].map(|ticket| ticket.evicted.is_cancelled());
        assert_eq!(gone, [false, true, false, false]);
        assert!(!strangers[0].set_stranger(false), "its place is another's");
        assert!(admission.admit(ip("192.0.2.2")).is_some(), "another address has places of its own");
    }

    #[test]
    fn where_all_publish_nobody_is_taken_in_until_one_leaves() {
        let admission = Admission::new(2, 2);
        let publishers = [(); 2].map(|()| admission.admit(ip("192.0.2.1")).unwrap());
        assert!(publishers.iter().all(|ticket| ticket.set_stranger(false)));
        assert!(admission.admit(ip("192.0.2.1")).is_none());
        assert!(admission.admit(ip("192.0.2.2")).is_none());
        drop(publishers);
        assert!(admission.admit(ip("192.0.2.2")).is_some());
        assert!(admission.state().connections.is_empty() && admission.state().per_address.is_empty());
    }
}
