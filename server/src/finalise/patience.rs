//! What is asked of a region's disk, and nobody waits for longer than need be. A disk that hangs answers nothing and ends nothing: who asked it holds a thread, and who
//! waited for the answer would hold up the recordings of all other regions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use afterlive_domain::{AssetId, Region};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{FinaliseError, Finaliser};
use crate::claims::Claim;
use crate::storage::{RegionStore, Regions, StorageError};

/// Longer than a disk that is only busy takes to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// And to store some pictures, or to free what hours of recording took.
pub(super) const WORK_PATIENCE: Duration = Duration::from_secs(60);

/// By region, what was given up. Nothing else is asked of it while that waits for its answer still.
#[derive(Default, Debug)]
pub(super) struct Unanswered(Mutex<HashMap<Region, Vec<Weak<()>>>>);

impl Unanswered {
    fn is_waited_for(&self, region: &Region) -> bool {
        let unanswered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        unanswered.get(region).is_some_and(|given_up| given_up.iter().any(|waits| waits.strong_count() > 0))
    }

    fn give_up(&self, region: Region, waits: Weak<()>) {
        let mut unanswered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let given_up = unanswered.entry(region).or_default();
        given_up.retain(|waits| waits.strong_count() > 0);
        given_up.push(waits);
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
        self.wait_for(PATIENCE, store.name(), asking(&self.regions, store.name(), question)).await
    }

    /// Has something done on the region's disk that is not to be left half done: it goes on where nobody waits for it any more, and nothing else is asked of the disk
    /// from then on until it is through. What had begun before that goes on beside it: so at its end it must look itself whether what it has done is wanted still.
    ///
    /// # Errors
    /// Where it is not done yet, or fails.
    pub(super) async fn undertake<T: Send + 'static>(
        &self,
        region: &Region,
        work: impl Future<Output = Result<T, FinaliseError>> + Send + 'static,
    ) -> Result<T, FinaliseError> {
        self.wait_for(WORK_PATIENCE, region, work).await
    }

    /// A recording of the region, for who moves its files, once nobody else is at them. Waits for that for so long: a copy may take an hour.
    ///
    /// # Errors
    /// Where the region does not answer, or somebody is at them still.
    pub(super) async fn claim(
        &self,
        patience: Duration,
        asset: AssetId,
        region: &Region,
    ) -> Result<Claim<AssetId>, FinaliseError> {
        if self.unanswered.is_waited_for(region) {
            return Err(FinaliseError::NoAnswer(region.clone()));
        }
        timeout(patience, self.claims.claim_once_free(asset)).await.map_err(|_| FinaliseError::Busy)
    }

    async fn wait_for<T: Send + 'static>(
        &self,
        patience: Duration,
        region: &Region,
        work: impl Future<Output = Result<T, FinaliseError>> + Send + 'static,
    ) -> Result<T, FinaliseError> {
        if self.unanswered.is_waited_for(region) {
            return Err(FinaliseError::NoAnswer(region.clone()));
        }
        let waits = Arc::new(());
        let mark = Arc::downgrade(&waits);
        let working = tokio::spawn(async move {
            let _waits = waits;
            work.await
        });
        match timeout(patience, working).await {
            Ok(done) => done.map_err(std::io::Error::other)?,
            Err(_) => {
                self.unanswered.give_up(region.clone(), mark);
                Err(FinaliseError::NoAnswer(region.clone()))
            }
        }
    }
}

/// The question alone, for who waits for the disk anyway.
pub(super) fn asking<T, Q>(
    regions: &Regions,
    region: &Region,
    question: Q,
) -> impl Future<Output = Result<T, FinaliseError>> + Send + use<T, Q>
where
    T: Send + 'static,
    Q: FnOnce(&RegionStore) -> Result<T, StorageError> + Send + 'static,
{
    let (regions, region) = (regions.clone(), region.clone());
    async move {
        let answer = spawn_blocking(move || regions.get(&region).map(question).ok_or(FinaliseError::NoSuchRegion(region)));
        Ok(answer.await.map_err(std::io::Error::other)???)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use afterlive_domain::UnixMillis;
    use tokio::sync::oneshot;
    use uuid::Uuid;

    use super::*;
    use crate::clock::Clock;
    use crate::db::assets::{self, Facts, NewAsset};
    use crate::db::{self, Db, Location};
    use crate::jobs::{self, Task, Worker};
    use crate::record::a_live_stream;
    use crate::storage::{Key, RegionSettings};

    pub(in crate::finalise) const NOW: UnixMillis = UnixMillis(1_793_812_159_899);

    /// With two regions in the folder.
    pub(in crate::finalise) async fn a_finaliser(folder: &std::path::Path) -> Finaliser {
        let url = format!("sqlite://{}", folder.join("test.db").display());
        let db = Db::open(&url.parse::<Location>().unwrap()).await.unwrap();
        let regions = Regions::open(["eu", "us"].map(|name| RegionSettings {
            name: name.parse().unwrap(),
            storage: folder.join(name),
            vod_url: format!("http://localhost:3000/vod-{name}").parse().unwrap(),
        }));
        Finaliser::new(db, Clock::simulated(NOW), regions.unwrap())
    }

    async fn is_through(finaliser: &Finaliser, region: &Region) {
        while finaliser.unanswered.is_waited_for(region) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_disk_that_hangs_holds_one_thread_until_it_answers_and_nobody_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let finaliser = a_finaliser(folder.path()).await;
        let regions = finaliser.regions();
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
            let answer = finaliser.wait_for(Duration::from_millis(1), eu.name(), asking(regions, eu.name(), hangs())).await;
            assert!(matches!(answer, Err(FinaliseError::NoAnswer(_))), "{answer:?}");
        }
        finaliser.ask(us, RegionStore::require).await.unwrap();
        while asked.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(finaliser.ask(eu, hangs()).await, Err(FinaliseError::NoAnswer(_))));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        // It is well again, and is asked again.
        answering.send(()).unwrap();
        is_through(&finaliser, eu.name()).await;
        finaliser.ask(eu, RegionStore::require).await.unwrap();
    }

    #[tokio::test]
    async fn a_disk_that_takes_long_costs_no_job_a_try() {
        let folder = tempfile::tempdir().unwrap();
        let finaliser = a_finaliser(folder.path()).await;
        let (db, clock) = (finaliser.db(), finaliser.clock());
        let live = a_live_stream(db).await;
        let (id, region) = (AssetId(Uuid::new_v4()), live.region.clone());
        let new = NewAsset { id, stream: live.stream, session: live.session, region: region.clone(), created_at: NOW };
        let task = Task::Probe { asset: id };
        let mut tx = db.write().await.unwrap();
        let asset = assets::begin(&mut tx, &new).await.unwrap();
        assets::finish(&mut tx, &asset, &Facts::default(), None, None, NOW, NOW).await.unwrap().unwrap();
        // Deleted meanwhile: such a one needs its disk too, and no decoder.
        assert!(assets::delete(&mut tx, live.organisation, id, NOW).await.unwrap());
        jobs::enqueue(&mut tx, task, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let (store, key) = (finaliser.regions().get(&region).unwrap(), Key::from_file_name(&asset.file_name).unwrap());
        store.put(&key, "mp4".into()).await.unwrap();
        let worker = Worker::new(db.clone(), clock.clone(), {
            let finaliser = finaliser.clone();
            move |task| {
                let finaliser = finaliser.clone();
                Box::pin(async move { finaliser.perform(task).await })
            }
        });

        let (answer, gate) = oneshot::channel::<()>();
        let hangs = async move {
            gate.await.unwrap();
            Ok(())
        };
        let given_up = finaliser.wait_for(Duration::from_millis(1), &region, hangs).await;
        assert!(matches!(given_up, Err(FinaliseError::NoAnswer(_))), "{given_up:?}");
        let next = async || db::jobs::next_run_at(&mut db.read().await.unwrap()).await.unwrap();
        for round in 0..=task.max_attempts().unwrap() {
            assert_eq!(worker.run_due().await.unwrap(), 1, "round {round}");
            clock.advance_ms(next().await.unwrap().ms_since(clock.now()));
        }
        answer.send(()).unwrap();
        is_through(&finaliser, &region).await;
        assert_eq!(worker.run_due().await.unwrap(), 1);
        assert_eq!((next().await, store.path(&key).exists()), (None, false));
        assert_eq!(db::jobs::count_dead(&mut db.read().await.unwrap()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_comes_late_leaves_the_files_where_the_row_has_them_by_then() {
        let folder = tempfile::tempdir().unwrap();
        let finaliser = a_finaliser(folder.path()).await;
        let live = a_live_stream(finaliser.db()).await;
        let (id, region) = (AssetId(Uuid::new_v4()), live.region.clone());
        let new = NewAsset { id, stream: live.stream, session: live.session, region: region.clone(), created_at: NOW };
        let mut tx = finaliser.db().write().await.unwrap();
        let asset = assets::begin(&mut tx, &new).await.unwrap();
        assets::finish(&mut tx, &asset, &Facts::default(), None, None, NOW, NOW).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let (store, key) = (finaliser.regions().get(&region).unwrap(), Key::from_file_name(&asset.file_name).unwrap());
        store.put(&key, "mp4".into()).await.unwrap();

        // It is deleted, and the disk takes its time for that.
        let mut tx = finaliser.db().write().await.unwrap();
        assert!(assets::delete(&mut tx, live.organisation, id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        store.move_to_bin(&key).await.unwrap();
        let (deleted, claim) = (finaliser.read(id).await.unwrap().unwrap(), finaliser.claims.claim(id).unwrap());
        let (go_on, gate) = oneshot::channel::<()>();
        let (late, place) = (finaliser.clone(), store.path(&key));
        let moving = async move {
            gate.await.unwrap();
            late.settle(deleted, claim).await
        };
        let given_up = finaliser.wait_for(Duration::from_millis(1), &region, moving).await;
        assert!(matches!(given_up, Err(FinaliseError::NoAnswer(_))) && !place.exists());

        // Somebody wants it back meanwhile. Nothing overtakes what was begun, and that looks again.
        let mut tx = finaliser.db().write().await.unwrap();
        assert!(assets::restore(&mut tx, live.organisation, id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        assert!(matches!(finaliser.settle_place(id).await, Err(FinaliseError::NoAnswer(_))));
        go_on.send(()).unwrap();
        is_through(&finaliser, &region).await;
        assert!(place.exists());
        finaliser.settle_place(id).await.unwrap();
    }
}
