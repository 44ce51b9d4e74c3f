//! Places for what reads much of the database: so many at a time, that the other readers are left to who signs in and who goes live.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use afterlive_domain::{Error as Refusal, OrganisationId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::{Caller, Result as ServiceResult, Service};

/// So many at a time, of each kind.
const AT_A_TIME: usize = 2;
/// After which who was turned away may come back.
const RETRY_AFTER_S: u32 = 5;
/// Who has waited so long to search is told to come back later.
const SEARCH_WAIT: Duration = Duration::from_secs(3);
/// With more than so many organisations, those that ask for nothing are dropped.
const SWEEP_FROM: usize = 64;

/// One of the places, until it is dropped.
pub type Place<'a> = SemaphorePermit<'a>;

/// The places for one kind.
#[derive(Debug)]
pub(super) struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(AT_A_TIME))
    }
}

impl Turns {
    /// Until it is dropped, one of the places. To be asked for before one of the database's connections.
    ///
    /// # Errors
    /// `TooMany` where none comes free within `wait`.
    pub(super) async fn take(&self, wait: Duration) -> Result<Place<'_>, Refusal> {
        match timeout(wait, self.0.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(Refusal::TooMany { retry_after_s: RETRY_AFTER_S }),
        }
    }
}

/// The places for one kind, of which no organisation has more than one, nor waits for more: whoever of another comes has the next that is free.
#[derive(Debug, Default)]
pub(super) struct FairTurns {
    all: Turns,
    by_organisation: Mutex<HashMap<OrganisationId, Arc<Semaphore>>>,
}

/// A place that is an organisation's only one.
#[derive(Debug)]
pub(super) struct OnlyPlace<'a> {
    _of_all: Place<'a>,
    _own: OwnedSemaphorePermit,
}

impl FairTurns {
    /// As [`Turns::take`].
    ///
    /// # Errors
    /// `TooMany` where none comes free within `wait`.
    pub(super) async fn take(&self, organisation: OrganisationId, wait: Duration) -> Result<OnlyPlace<'_>, Refusal> {
        let own = self.of(organisation);
        let both = async {
            // One's own first: who waits for that stands in nobody's way. It is never closed.
            let own = own.acquire_owned().await.map_err(|_| Refusal::TooMany { retry_after_s: RETRY_AFTER_S })?;
            Ok(OnlyPlace { _of_all: self.all.take(wait).await?, _own: own })
        };
        timeout(wait, both).await.unwrap_or(Err(Refusal::TooMany { retry_after_s: RETRY_AFTER_S }))
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
    /// A place to look for a text, where one is looked for: no index has parts of words, so all of the organisation's rows are read. To be asked for before one of the
    /// database's connections.
    ///
    /// # Errors
    /// `TooMany` where too much is looked for at once.
    pub(super) async fn turn_to_search(&self, caller: &Caller, text: Option<&str>) -> ServiceResult<Option<OnlyPlace<'_>>> {
        match text {
            Some(_) => Ok(Some(self.searches.take(caller.organisation, SEARCH_WAIT).await?)),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn two_at_a_time_are_read_and_who_waits_long_is_turned_away() {
        let turns = Turns::default();
        let at_once = async || turns.take(Duration::ZERO).await;
        let (one, _other) = (at_once().await.unwrap(), at_once().await.unwrap());
        assert_eq!(at_once().await.unwrap_err(), Refusal::TooMany { retry_after_s: RETRY_AFTER_S });
        drop(one);
        drop(at_once().await.unwrap());
    }

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
