//! How many watch, and how many may, in all and from one address. HLS players come and go with each request: who has asked lately is counted.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::address::subscriber;

/// A player that has asked for nothing for so long has gone: the longest wait between two requests is that for a playlist.
const SESSION: Duration = Duration::from_secs(15);
/// HLS players of one address may have the number of all places divided by this: who calls itself otherwise with each request takes no more.
const ADDRESSES_THAT_FILL_IT: usize = 16;
/// But so many in any case: there are offices and households.
const LEAST_OF_ADDRESS: usize = 16;

/// There are as many viewers as there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("as many watch as may")]
pub struct Full;

/// Places for viewers. Clones share them.
#[derive(Clone)]
pub struct Places {
    max: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    /// Those that have at least one.
    by_address: HashMap<IpAddr, usize>,
}

impl Places {
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, taken: Arc::default() }
    }

    /// A place; with `address`, one of those that it may have.
    ///
    /// # Errors
    /// Where all are taken.
    pub fn take(&self, address: Option<IpAddr>) -> Result<Place, Full> {
        let mut taken = lock(&self.taken);
        let of_address = address.and_then(|address| taken.by_address.get(&address).copied()).unwrap_or(0);
        if taken.all >= self.max || of_address >= self.max_of_address() {
            return Err(Full);
        }
        taken.all += 1;
        if let Some(address) = address {
            taken.by_address.insert(address, of_address + 1);
        }
        Ok(Place { taken: Arc::clone(&self.taken), address })
    }

    fn max_of_address(&self) -> usize {
        (self.max / ADDRESSES_THAT_FILL_IT).max(LEAST_OF_ADDRESS)
    }

    #[must_use]
    pub fn taken(&self) -> usize {
        lock(&self.taken).all
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    // Nothing panics in the midst of a change.
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One viewer's. Dropping it frees the place.
pub struct Place {
    taken: Arc<Mutex<Taken>>,
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        if let Some(address) = self.address
            && let Some(of_address) = taken.by_address.get_mut(&address)
        {
            *of_address -= 1;
            if *of_address == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

/// An HLS player, as far as requests tell one from another: players of one kind behind one address are one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Session {
    /// Whose places it takes.
    subscriber: IpAddr,
    player: u64,
}

impl Session {
    #[must_use]
    pub fn new(address: IpAddr, user_agent: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        (address, user_agent).hash(&mut hasher);
        Self { subscriber: subscriber(address), player: hasher.finish() }
    }

    #[must_use]
    pub fn subscriber(&self) -> IpAddr {
        self.subscriber
    }
}

/// The HLS players of a stream. There are never more than there are places.
#[derive(Default)]
pub struct Sessions {
    seen: HashMap<Session, (Instant, Vec<Place>)>,
    last: Option<Instant>,
}

impl Sessions {
    /// A player asks that may be known. What it asks for, it may not get: one that is new needs no places yet.
    pub fn ask(&mut self, session: Session, now: Instant) {
        self.expire(now);
        if let Some((seen, _)) = self.seen.get_mut(&session) {
            *seen = now;
            self.last = Some(now);
        }
    }

    /// A player gets what it asked for. One that is new needs places, which it keeps while it goes on asking.
    ///
    /// # Errors
    /// Where there are none.
    pub fn note(
        &mut self,
        session: Session,
        now: Instant,
        places: impl FnOnce() -> Result<Vec<Place>, Full>,
    ) -> Result<(), Full> {
        self.expire(now);
        match self.seen.get_mut(&session) {
            Some((seen, _)) => *seen = now,
            None => {
                self.seen.insert(session, (now, places()?));
            }
        }
        self.last = Some(now);
        Ok(())
    }

    pub fn expire(&mut self, now: Instant) {
        self.seen.retain(|_, (seen, _)| now.saturating_duration_since(*seen) < SESSION);
    }

    /// Whether anybody has asked within this time.
    #[must_use]
    pub fn asked_within(&self, time: Duration, now: Instant) -> bool {
        self.last.is_some_and(|last| now.saturating_duration_since(last) < time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(player: u8) -> Session {
        Session::new([127, 0, 0, player].into(), b"player")
    }

    #[test]
    fn players_are_counted_while_they_ask_and_no_more_than_may() {
        let (places, mut sessions, start) = (Places::new(2), Sessions::default(), Instant::now());
        let mut note =
            |player, at_s| sessions.note(session(player), start + Duration::from_secs(at_s), || Ok(vec![places.take(None)?]));
        assert_eq!((note(1, 0), note(2, 1), note(1, 2)), (Ok(()), Ok(()), Ok(())));
        assert_eq!((note(3, 3), places.taken()), (Err(Full), 2));
        assert_eq!((note(1, 12), note(3, 16), places.taken()), (Ok(()), Ok(()), 2), "the second has gone");
        sessions.expire(start + Duration::from_secs(40));
        assert_eq!(places.taken(), 0);
        assert!(sessions.asked_within(Duration::from_secs(30), start + Duration::from_secs(45)));
        assert!(!sessions.asked_within(Duration::from_secs(30), start + Duration::from_secs(46)));
    }

    #[test]
    fn who_asks_and_gets_nothing_takes_no_place_and_who_watches_keeps_its_own() {
        let (places, mut sessions, start) = (Places::new(2), Sessions::default(), Instant::now());
        sessions.ask(session(1), start);
        assert!(!sessions.asked_within(Duration::from_secs(30), start));
        sessions.note(session(1), start, || Ok(vec![places.take(None)?])).unwrap();
        sessions.ask(session(1), start + Duration::from_secs(14));
        sessions.expire(start + Duration::from_secs(20));
        assert_eq!(places.taken(), 1);
    }

    #[test]
    fn an_address_has_a_part_of_the_places_whatever_its_players_call_themselves() {
        let places = Places::new(2_000);
        let take = |address: &str, count: usize| -> Vec<Place> {
            let take = |player: usize| {
                let session = Session::new(address.parse().unwrap(), player.to_string().as_bytes());
                places.take(Some(session.subscriber())).ok()
            };
            (0..count).filter_map(take).collect()
        };
        let one = take("192.0.2.1", 2_000);
        assert_eq!(one.len(), 125);
        let network = [take("2001:db8::1", 100), take("2001:db8::2", 100)];
        assert_eq!(network.iter().map(Vec::len).sum::<usize>(), 125, "a network of 64 bits is one");
        assert_eq!(take("192.0.2.2", 1).len(), 1);
        assert_eq!(places.taken(), 250);
        drop(one);
        assert_eq!(take("192.0.2.1", 2_000).len(), 125);
        assert_eq!(places.taken(), 125);
        assert!(places.take(None).is_ok());
        let few = Places::new(20);
        let taken: Vec<_> = (0..20).map_while(|_| few.take(Some([192, 0, 2, 1].into())).ok()).collect();
        assert_eq!(taken.len(), 16, "an office watches a small server too");
    }
}
