//! How many connections there may be and how many of them may play, and who goes when there are too many: whoever has been a stranger for longest. Knows nothing
//! of how they speak.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::address::subscriber;

/// One in so many places, of all and of one address, is for no player: who publishes has named a stream, and players may be anybody.
const KEPT_FROM_PLAYERS: usize = 4;

/// What a connection is here for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Neither publishes nor plays, at least yet.
    Stranger,
    Publisher,
    Player,
}

/// Why a connection does not become what it wants to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoPlace {
    GivenAway,
    /// Of all or of the connection's address there are as many players as may be. It stays what it was.
    TooManyPlayers,
}

/// Counts connections. When a cap is reached the oldest stranger makes room for the newcomer, so that connections which only sit there never keep
/// an encoder out; nor do players, who get not all places. Who publishes or plays is never sent away.
#[derive(Clone)]
pub struct Admission {
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
    role: Role,
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
        let oldest = self.connections.iter().find(|(_, connection)| connection.role == Role::Stranger && is_meant(connection));
        let Some((&id, connection)) = oldest else { return false };
        connection.evicted.cancel();
        self.remove(id);
        true
    }

    fn players(&self, is_meant: impl Fn(&Connection) -> bool) -> usize {
        self.connections.values().filter(|connection| connection.role == Role::Player && is_meant(connection)).count()
    }
}

impl Admission {
    pub fn new(max: usize, max_per_address: usize) -> Self {
        Self { max, max_per_address, state: Arc::default() }
    }

    /// A place for a newcomer. `None` where all places are taken by publishers and players.
    pub fn admit(&self, address: IpAddr) -> Option<Ticket> {
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
        state.connections.insert(id, Connection { address, role: Role::Stranger, evicted: evicted.clone() });
        drop(state);
        Some(Ticket { admission: self.clone(), id, evicted })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place. Dropping it frees the place.
pub struct Ticket {
    admission: Admission,
    id: u64,
    evicted: CancellationToken,
}

impl Ticket {
    /// From now on the connection is here for this.
    ///
    /// # Errors
    /// Its place has been given away, or it is to play where there are too many players.
    pub fn set_role(&self, role: Role) -> Result<(), NoPlace> {
        let Admission { max, max_per_address, .. } = self.admission;
        let mut state = self.admission.state();
        let address = state.connections.get(&self.id).ok_or(NoPlace::GivenAway)?.address;
        let are_too_many = role == Role::Player
            && (state.players(|_| true) >= for_players(max)
                || state.players(|connection| connection.address == address) >= for_players(max_per_address));
        if are_too_many {
            return Err(NoPlace::TooManyPlayers);
        }
        if let Some(connection) = state.connections.get_mut(&self.id) {
            connection.role = role;
        }
        Ok(())
    }

    /// Completes when the place is needed for someone else.
    pub async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

/// How many of so many places players may have.
fn for_players(places: usize) -> usize {
    places - places / KEPT_FROM_PLAYERS
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
        publisher.set_role(Role::Publisher).unwrap();
        let strangers = [(); 2].map(|()| admission.admit(ip("192.0.2.1")).unwrap());
        let newcomer = admission.admit(ip("192.0.2.1")).unwrap();
        let gone = [&publisher, &strangers[0], &strangers[1], &newcomer].map(|ticket| ticket.evicted.is_cancelled());
        assert_eq!(gone, [false, true, false, false]);
        assert_eq!(strangers[0].set_role(Role::Publisher), Err(NoPlace::GivenAway), "its place is another's");
        assert!(admission.admit(ip("192.0.2.2")).is_some(), "another address has places of its own");
    }

    /// Lets players in from an address until it is told that there are too many.
    fn fill(admission: &Admission, address: &str) -> Vec<Ticket> {
        let tickets = std::iter::repeat_with(|| admission.admit(ip(address)).unwrap());
        tickets.take_while(|ticket| ticket.set_role(Role::Player) != Err(NoPlace::TooManyPlayers)).collect()
    }

    #[test]
    fn players_never_take_the_places_of_publishers() {
        let admission = Admission::new(16, 8);
        let mut players = fill(&admission, "192.0.2.1");
        assert_eq!(players.len(), 6, "one address keeps two places for its encoders");
        players.extend(fill(&admission, "192.0.2.2"));
        assert_eq!(players.len(), 12);
        assert!(fill(&admission, "192.0.2.3").is_empty(), "all that players may have");
        let mut publishers = Vec::new();
        for address in ["192.0.2.1", "192.0.2.1", "192.0.2.3", "192.0.2.3"] {
            let publisher = admission.admit(ip(address)).unwrap();
            publisher.set_role(Role::Publisher).unwrap();
            publishers.push(publisher);
        }
        assert!(admission.admit(ip("192.0.2.4")).is_none(), "there are no more in all");
        publishers.pop();
        // Who is done with playing may be anything again.
        players[0].set_role(Role::Stranger).unwrap();
        assert_eq!(fill(&admission, "192.0.2.3").len(), 1);
    }

    #[test]
    fn where_there_is_one_place_whoever_comes_may_have_it() {
        let admission = Admission::new(1, 1);
        for role in [Role::Publisher, Role::Player] {
            assert_eq!(admission.admit(ip("192.0.2.1")).unwrap().set_role(role), Ok(()));
        }
    }

    #[test]
    fn where_all_publish_nobody_is_taken_in_until_one_leaves() {
        let admission = Admission::new(2, 2);
        let publishers = [(); 2].map(|()| admission.admit(ip("192.0.2.1")).unwrap());
        assert!(publishers.iter().all(|ticket| ticket.set_role(Role::Publisher).is_ok()));
        assert!(admission.admit(ip("192.0.2.1")).is_none());
        assert!(admission.admit(ip("192.0.2.2")).is_none());
        drop(publishers);
        assert!(admission.admit(ip("192.0.2.2")).is_some());
        assert!(admission.state().connections.is_empty() && admission.state().per_address.is_empty());
    }
}
