//! How many calls of webhooks there are at a time, and who waits for a turn. Calls nobody.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use afterlive_domain::OrganisationId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::address::subscriber;

/// The most encoders of an organisation about which its webhook is asked at a time; others wait.
const MAX_ASKED: usize = 64;
/// The most of them from one address, and of one stream: who has more of either waits, and the rest do not.
const MAX_ASKED_PER_ADDRESS: usize = 16;
pub const MAX_ASKED_PER_STREAM: usize = 8;
/// The most encoders of an organisation that are asked about or wait for that; who comes then is refused.
const MAX_QUEUED: usize = 512;
/// The most of them from one address, and of one stream: who knows a stream's name must not be able to keep all others out.
const MAX_QUEUED_PER_ADDRESS: usize = 256;
const MAX_QUEUED_PER_STREAM: usize = 32;
/// The most calls of an organisation, beside those, about publishes that go on or are over; more wait for their turn.
const MAX_TOLD: usize = 64;
/// The most ends of an organisation's publishes that are being told or wait for that.
const MAX_ENDS: usize = 4_096;

#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<OrganisationId, Organisation>>>);

/// Those that were ever needed stay: there are not more than organisations.
struct Organisation {
    queued: usize,
    asked: Arc<Semaphore>,
    addresses: HashMap<IpAddr, Share>,
    streams: HashMap<String, Share>,
    told: Arc<Semaphore>,
    ends: Arc<Semaphore>,
}

/// What one address or stream has of an organisation's places; only while it has something of them.
struct Share {
    queued: usize,
    asked: Arc<Semaphore>,
}

/// Too many wait.
#[derive(Debug)]
pub(super) struct Full;

/// A place among those who are asked about or wait for that.
pub(super) struct Queued {
    turns: Turns,
    organisation: OrganisationId,
    address: IpAddr,
    stream: String,
    /// In the order in which they are taken: who waits for the last keeps nobody else's.
    asked: [Arc<Semaphore>; 3],
}

impl Turns {
    pub(super) fn queue(&self, organisation: OrganisationId, stream: &str, address: IpAddr) -> Result<Queued, Full> {
        let address = subscriber(address);
        let mut organisations = self.organisations();
        let of = organisations.entry(organisation).or_default();
        if of.queued >= MAX_QUEUED
            || of.addresses.get(&address).is_some_and(|share| share.queued >= MAX_QUEUED_PER_ADDRESS)
            || of.streams.get(stream).is_some_and(|share| share.queued >= MAX_QUEUED_PER_STREAM)
        {
            return Err(Full);
        }
        of.queued += 1;
        let by_stream = take_share(&mut of.streams, stream.to_owned(), MAX_ASKED_PER_STREAM);
        let by_address = take_share(&mut of.addresses, address, MAX_ASKED_PER_ADDRESS);
        let asked = [by_stream, by_address, Arc::clone(&of.asked)];
        Ok(Queued { turns: self.clone(), organisation, address, stream: stream.to_owned(), asked })
    }

    /// Waits for the turn to tell something.
    pub(super) async fn tell(&self, organisation: OrganisationId) -> Option<OwnedSemaphorePermit> {
        let told = Arc::clone(&self.organisations().entry(organisation).or_default().told);
        // It is never closed.
        told.acquire_owned().await.ok()
    }

    /// A place among the ends that are to be told. `None` where there are too many.
    pub(super) fn end(&self, organisation: OrganisationId) -> Option<OwnedSemaphorePermit> {
        let ends = Arc::clone(&self.organisations().entry(organisation).or_default().ends);
        ends.try_acquire_owned().ok()
    }

    fn organisations(&self) -> MutexGuard<'_, HashMap<OrganisationId, Organisation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queued {
    /// Waits until it may be asked, while that is held. Who came first is first, among those of a stream, of an address, and of all.
    pub(super) async fn turn(&self) -> Vec<OwnedSemaphorePermit> {
        let mut held = Vec::with_capacity(self.asked.len());
        for places in &self.asked {
            // They are never closed.
            held.extend(Arc::clone(places).acquire_owned().await);
        }
        held
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let mut organisations = self.turns.organisations();
        let Some(of) = organisations.get_mut(&self.organisation) else { return };
        of.queued -= 1;
        give_back(&mut of.addresses, &self.address);
        give_back(&mut of.streams, &self.stream);
    }
}

impl Default for Organisation {
    fn default() -> Self {
        let places = |most| Arc::new(Semaphore::new(most));
        Self {
            queued: 0,
            asked: places(MAX_ASKED),
            addresses: HashMap::new(),
            streams: HashMap::new(),
            told: places(MAX_TOLD),
            ends: places(MAX_ENDS),
        }
    }
}

fn take_share<K: Eq + Hash>(shares: &mut HashMap<K, Share>, key: K, most_asked: usize) -> Arc<Semaphore> {
    let share = shares.entry(key).or_insert_with(|| Share { queued: 0, asked: Arc::new(Semaphore::new(most_asked)) });
    share.queued += 1;
    Arc::clone(&share.asked)
}

fn give_back<K: Eq + Hash>(shares: &mut HashMap<K, Share>, key: &K) {
    if let Some(share) = shares.get_mut(key) {
        share.queued -= 1;
        if share.queued == 0 {
            shares.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::task::unconstrained;
    use uuid::Uuid;

    use super::*;

    const OURS: OrganisationId = OrganisationId(Uuid::from_u128(1));

    fn address(n: usize) -> IpAddr {
        IpAddr::from([192, 0, (n / 256) as u8, (n % 256) as u8])
    }

    /// So many of a stream and an address, and their turns where it is theirs.
    fn come(turns: &Turns, stream: usize, from: usize) -> (Queued, Option<Vec<OwnedSemaphorePermit>>) {
        let queued = turns.queue(OURS, &stream.to_string(), address(from)).unwrap();
        let turn = unconstrained(queued.turn()).now_or_never();
        (queued, turn)
    }

    #[tokio::test]
    async fn who_has_no_turn_waits_for_one() {
        let turns = Turns::default();
        let mut asked: Vec<_> = (0..MAX_ASKED).map(|n| come(&turns, n, n)).collect();
        assert!(asked.iter().all(|(_, turn)| turn.is_some()));
        let (waits, none) = come(&turns, MAX_ASKED, MAX_ASKED);
        assert!(none.is_none());
        let mut turn = std::pin::pin!(unconstrained(waits.turn()));
        assert!((&mut turn).now_or_never().is_none());
        asked.pop();
        assert_eq!(turn.await.len(), 3);
    }

    #[tokio::test]
    async fn one_stream_and_one_address_leave_places_to_the_rest() {
        let turns = Turns::default();
        let of_stream: Vec<_> = (0..MAX_QUEUED_PER_STREAM).map(|n| come(&turns, 0, n)).collect();
        assert_eq!(of_stream.iter().filter(|(_, turn)| turn.is_some()).count(), MAX_ASKED_PER_STREAM);
        assert!(turns.queue(OURS, "0", address(99)).is_err(), "no more of that stream");

        let of_address: Vec<_> = (0..MAX_QUEUED_PER_ADDRESS).map(|n| come(&turns, 1 + n, 1_000)).collect();
        assert_eq!(of_address.iter().filter(|(_, turn)| turn.is_some()).count(), MAX_ASKED_PER_ADDRESS);
        assert!(turns.queue(OURS, "other", address(1_000)).is_err(), "no more of that address");
        assert!(come(&turns, 10_000, 2_000).1.is_some(), "another stream from another address need not wait");
    }

    #[tokio::test]
    async fn all_places_are_given_back_and_are_another_organisations_too() {
        let turns = Turns::default();
        let queued: Vec<_> = (0..MAX_QUEUED).map(|n| turns.queue(OURS, &n.to_string(), address(n)).unwrap()).collect();
        assert!(turns.queue(OURS, "other", address(9_999)).is_err());
        assert!(turns.queue(OrganisationId(Uuid::from_u128(2)), "other", address(9_999)).is_ok());
        drop(queued);
        let organisations = turns.organisations();
        let ours = &organisations[&OURS];
        assert!(ours.queued == 0 && ours.addresses.is_empty() && ours.streams.is_empty());
        assert_eq!(ours.asked.available_permits(), MAX_ASKED);
    }
}
