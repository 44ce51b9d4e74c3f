//! Questions to a region's disk that nobody waits for longer than need be. A disk that hangs answers nothing and ends nothing: who asked it holds a thread, and who waited
//! for the answer would hold up the recordings of all other regions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use afterlive_domain::Region;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{FinaliseError, Finaliser};
use crate::storage::{RegionStore, StorageError};

/// Longer than a disk that is only busy takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// By region, a question that was given up. It is asked no other while that one waits for its answer still.
#[derive(Default, Debug)]
pub(super) struct Unanswered(Mutex<HashMap<Region, Weak<()>>>);

impl Unanswered {
    fn is_waited_for(&self, region: &Region) -> bool {
        let unanswered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        unanswered.get(region).is_some_and(|question| question.strong_count() > 0)
    }

    fn give_up(&self, region: Region, question: Weak<()>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(region, question);
    }
}

impl Finaliser {
    /// Asks the region's disk something that takes no time where it is well.
    ///
    /// # Errors
    /// Where it does not answer, or answers with one.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        store: &RegionStore,
        question: impl FnOnce(&RegionStore) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, FinaliseError> {
        self.ask_for(PATIENCE, store, question).await
    }

    async fn ask_for<T: Send + 'static>(
        &self,
        patience: Duration,
        store: &RegionStore,
        question: impl FnOnce(&RegionStore) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, FinaliseError> {
        let (regions, region) = (self.regions.clone(), store.name().clone());
        if self.unanswered.is_waited_for(&region) {
            return Err(FinaliseError::NoAnswer(region));
        }
        let waits = Arc::new(());
        let mark = Arc::downgrade(&waits);
        let name = region.clone();
        let asking = spawn_blocking(move || {
            let _waits = waits;
            regions.get(&name).map(question)
        });
        match timeout(patience, asking).await {
            Ok(answer) => match answer.map_err(std::io::Error::other)? {
                Some(answer) => Ok(answer?),
                None => Err(FinaliseError::NoSuchRegion(region)),
            },
            Err(_) => {
                self.unanswered.give_up(region.clone(), mark);
                Err(FinaliseError::NoAnswer(region))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use afterlive_domain::UnixMillis;

    use super::*;
    use crate::clock::Clock;
    use crate::db::{Db, Location};
    use crate::storage::{RegionSettings, Regions};

    #[tokio::test]
    async fn a_disk_that_hangs_holds_one_thread_until_it_answers_and_nobody_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let db = Db::open(&url.parse::<Location>().unwrap()).await.unwrap();
        let regions = Regions::open(["eu", "us"].map(|name| RegionSettings {
            name: name.parse().unwrap(),
            storage: folder.path().join(name),
            vod_url: format!("http://localhost:3000/vod-{name}").parse().unwrap(),
        }));
        let regions = regions.unwrap();
        let finaliser = Finaliser::new(db, Clock::simulated(UnixMillis(1)), regions.clone());
        let [eu, us] = ["eu", "us"].map(|name| regions.get(&name.parse().unwrap()).unwrap());
        let (answering, answers) = mpsc::channel::<()>();
        let (answers, asked) = (Arc::new(Mutex::new(answers)), Arc::new(AtomicUsize::new(0)));
        let hangs = || {
            let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
            move |_: &RegionStore| {
                asked.fetch_add(1, Ordering::Relaxed);
                answers.lock().unwrap().recv().unwrap();
                Ok(())
            }
        };
        for _ in 0..5 {
            let answer = finaliser.ask_for(Duration::from_millis(1), eu, hangs()).await;
            assert!(matches!(answer, Err(FinaliseError::NoAnswer(_))), "{answer:?}");
        }
        finaliser.ask(us, RegionStore::require).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        // It is well again, and is asked again.
        answering.send(()).unwrap();
        while finaliser.unanswered.is_waited_for(eu.name()) {
            tokio::task::yield_now().await;
        }
        finaliser.ask(eu, RegionStore::require).await.unwrap();
    }
}
