//! Names looked up by the system's resolver, so many at a time. Its threads are those of all blocking work, and one whose name servers do not answer is kept
//! long after nobody waits for it: so that one who asks for dead names does not keep others waiting, nobody has more than some of the places. Connects to nothing.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// At a time.
const MAX_LOOKUPS: usize = 32;
/// At a time, of one who asks.
const MAX_LOOKUPS_PER_ASKER: usize = 4;
/// With more than so many askers, those who ask for nothing are dropped.
const SWEEP_FROM: usize = 64;

pub struct Lookups {
    all: Arc<Semaphore>,
    by_asker: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_LOOKUPS)), by_asker: Mutex::default() }
    }
}

impl Lookups {
    /// Nothing where there is no such host.
    pub(super) async fn look_up(&self, asker: &str, host: &str, port: u16) -> Vec<SocketAddr> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return vec![SocketAddr::new(address, port)];
        }
        let host = host.to_owned();
        let looking = move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
        self.run(asker, looking).await
    }

    async fn run(&self, asker: &str, look: impl FnOnce() -> Vec<SocketAddr> + Send + 'static) -> Vec<SocketAddr> {
        let own = self.of(asker);
        // One's own place first: who has none holds none of all. Neither is ever closed.
        let (Ok(own), Ok(place)) = (own.acquire_owned().await, Arc::clone(&self.all).acquire_owned().await) else {
            return Vec::new();
        };
        let places: [OwnedSemaphorePermit; 2] = [own, place];
        let looking = tokio::task::spawn_blocking(move || {
            let found = look();
            drop(places);
            found
        });
        looking.await.unwrap_or_default()
    }

    fn of(&self, asker: &str) -> Arc<Semaphore> {
        let mut by_asker = self.by_asker.lock().unwrap_or_else(PoisonError::into_inner);
        if by_asker.len() >= SWEEP_FROM {
            // Who waits or looks has a handle too.
            by_asker.retain(|_, places| Arc::strong_count(places) > 1);
        }
        let places = by_asker.entry(asker.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(MAX_LOOKUPS_PER_ASKER)));
        Arc::clone(places)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::super::{Dial, Error, Reach};
    use super::*;

    #[tokio::test]
    async fn one_whose_names_are_dead_keeps_nobody_else_waiting() {
        let lookups = Arc::new(Lookups::default());
        let (dead, answer) = mpsc::channel::<()>();
        let answer = Arc::new(Mutex::new(answer));
        for _ in 0..2 * MAX_LOOKUPS {
            let (lookups, answer) = (Arc::clone(&lookups), Arc::clone(&answer));
            tokio::spawn(async move {
                let silent = move || {
                    let _ = answer.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    Vec::new()
                };
                lookups.run("one", silent).await
            });
        }
        while lookups.of("one").available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let found = vec![SocketAddr::from(([192, 0, 2, 1], 80))];
        let other = lookups.run("other", {
            let found = found.clone();
            move || found
        });
        assert_eq!(timeout(Duration::from_secs(20), other).await.expect("it need not wait"), found);
        drop(dead);
    }

    #[tokio::test]
    async fn who_waits_for_an_answer_in_vain_is_not_told_that_there_is_no_such_host() {
        let lookups = Lookups::default();
        let _places = lookups.of("one").acquire_many_owned(MAX_LOOKUPS_PER_ASKER as u32).await.unwrap();
        let dial = Dial { lookups: &lookups, asker: "one", reach: Reach::Anywhere, patience: Duration::from_millis(10) };
        assert!(matches!(dial.connect("localhost", 1).await, Err(Error::NotInTime)));
    }

    #[tokio::test]
    async fn who_asks_for_nothing_any_more_is_forgotten() {
        let lookups = Lookups::default();
        for n in 0..4 * SWEEP_FROM {
            lookups.run(&n.to_string(), Vec::new).await;
        }
        assert!(lookups.by_asker.lock().unwrap().len() <= SWEEP_FROM);
    }
}
