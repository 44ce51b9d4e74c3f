//! Places for what takes the database long: so many at a time, that the others are left to who signs in and who goes live; and of one organisation one at a time, so
//! that none takes them away from the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use afterlive_domain::{Error as Refusal, OrganisationId};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::{Caller, Result as ServiceResult, Service};

/// So many at a time, of each kind that reads.
const READS_AT_A_TIME: usize = 2;
/// After which who was turned away may come back.
const RETRY_AFTER_S: u32 = 5;
/// Who has waited so long to read is told to come back later.
const READ_WAIT: Duration = Duration::from_secs(3);
/// A list that is no search takes a place where it may have more rows than this: what a list has that says nothing of it.
const LONG_LIST_ROWS: u64 = 2_500;
/// With more than so many organisations, those that ask for nothing are dropped.
const SWEEP_FROM: usize = 64;

/// The places for one kind, of which no organisation has more than one, nor waits for more: whoever of another comes has the next that is free.
#[derive(Debug)]
pub(super) struct FairTurns {
    all: Arc<Semaphore>,
    by_organisation: Mutex<HashMap<OrganisationId, Arc<Semaphore>>>,
}

/// Of what reads much.
impl Default for FairTurns {
    fn default() -> Self {
        Self::new(READS_AT_A_TIME)
    }
}

/// A place that is an organisation's only one, until it is dropped.
#[derive(Debug)]
pub struct OnlyPlace {
    _of_all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl FairTurns {
    pub(super) fn new(at_a_time: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(at_a_time)), by_organisation: Mutex::default() }
    }

    /// The organisation's only place, where it is free, and one of all. To be asked for before one of the database's connections.
    ///
    /// # Errors
    /// `TooMany` where none comes free within `wait`.
    pub(super) async fn take(&self, organisation: OrganisationId, wait: Duration) -> Result<OnlyPlace, Refusal> {
        let own = self.of(organisation);
        // One's own first: who waits for that stands in nobody's way.
        let both = async { Ok((own.acquire_owned().await?, Arc::clone(&self.all).acquire_owned().await?)) };
        match timeout(wait, both).await {
            Ok(Ok::<_, AcquireError>((own, of_all))) => Ok(OnlyPlace { _of_all: of_all, _own: own }),
            // They are never closed.
            Ok(Err(_)) | Err(_) => Err(Refusal::TooMany { retry_after_s: RETRY_AFTER_S }),
        }
    }

    fn of(&self, organisation: OrganisationId) -> Arc<Semaphore> {
        let mut by_organisation = self.by_organisation.lock().unwrap_or_else(PoisonError::into_inner);
        if by_organisation.len() >= SWEEP_FROM {
            // Who waits or reads has a handle too.
            by_organisation.retain(|_, places| Arc::strong_count(places) > 1);
        }
        Arc::clone(by_organisation.entry(organisation).or_insert_with(|| Arc::new(Semaphore::new(1))))
    }
}

impl Service {
    /// A place to search, where the search reads far: it may be all of the organisation's rows. To be asked for before one of the database's connections.
    ///
    /// # Errors
    /// `TooMany` where too much is looked for at once.
    pub(super) async fn turn_to_search(&self, caller: &Caller, reads_far: bool) -> ServiceResult<Option<OnlyPlace>> {
        if reads_far { Ok(Some(self.searches.take(caller.organisation, READ_WAIT).await?)) } else { Ok(None) }
    }

    /// A place for a list of so many streams with so many recordings each, where it is long, or the search reads far. To be asked for before one of the database's
    /// connections.
    ///
    /// # Errors
    /// `TooMany` where there are too many such lists at once.
    pub(super) async fn turn_to_list(
        &self,
        caller: &Caller,
        reads_far: bool,
        (streams, recordings): (u32, u32),
    ) -> ServiceResult<Option<OnlyPlace>> {
        let searching = self.turn_to_search(caller, reads_far).await?;
        if searching.is_none() && u64::from(streams) * u64::from(recordings.max(1)) > LONG_LIST_ROWS {
            return Ok(Some(self.long_lists.take(caller.organisation, READ_WAIT).await?));
        }
        Ok(searching)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn an_organisation_has_one_place_and_who_waits_for_it_keeps_no_other_waiting() {
        let turns = FairTurns::default();
        let organisation = |n| OrganisationId(Uuid::from_u128(n));
        let take = |n| turns.take(organisation(n), Duration::from_secs(60)).boxed();
        let first = take(1).await.unwrap();
        let mut waiting: Vec<_> = (0..10).map(|_| take(1)).collect();
        for next in &mut waiting {
            assert!(next.now_or_never().is_none());
        }
        let other = take(2).now_or_never().expect("nobody of another stands before it").unwrap();
        let mut third = take(3);
        assert!((&mut third).now_or_never().is_none(), "two at a time of all");
        drop(first);
        let third = third.now_or_never().expect("it has waited longest for one of all").unwrap();
        drop(other);
        assert!(waiting.remove(0).now_or_never().is_some(), "then the first organisation's next");
        drop(third);
        drop(waiting);
        let only = take(1).await.unwrap();
        let turned_away = turns.take(organisation(1), Duration::ZERO).await;
        assert_eq!(turned_away.unwrap_err(), Refusal::TooMany { retry_after_s: RETRY_AFTER_S });
        drop(only);
    }

    #[tokio::test]
    async fn who_asks_for_nothing_any_more_is_forgotten() {
        let turns = FairTurns::default();
        for n in 0..4 * SWEEP_FROM {
            drop(turns.take(OrganisationId(Uuid::from_u128(n as u128)), Duration::from_secs(60)).await.unwrap());
        }
        assert!(turns.by_organisation.lock().unwrap().len() <= SWEEP_FROM);
    }
}
