//! Places for what reads much of the database: so many at a time, that the other readers are left to who signs in and who goes live.

use std::time::Duration;

use afterlive_domain::Error as Refusal;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// So many at a time, of each kind.
const AT_A_TIME: usize = 2;
/// After which who was turned away may come back.
const RETRY_AFTER_S: u32 = 5;

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
    pub(super) async fn take(&self, wait: Duration) -> Result<SemaphorePermit<'_>, Refusal> {
        match timeout(wait, self.0.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(Refusal::TooMany { retry_after_s: RETRY_AFTER_S }),
        }
    }
}

#[cfg(test)]
mod tests {
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
}
