//! Whether the server can do its work, for whoever watches over it.

use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::Service;
use crate::db::organisations;

use crate::storage::{RegionStore, Regions};

/// What takes longer to answer does not.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// So long an answer is good for all who ask: they need no credential, and each look takes the database's only writer.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// One look at the storages at a time: each that hangs holds a thread.
static LOOKS: Semaphore = Semaphore::const_new(1);

/// What was seen last. One looks at a time, and all who wait for it are told what it saw.
pub(super) struct Readiness {
    good_for: Duration,
    seen: Mutex<Option<(Instant, Vec<String>)>>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { good_for: GOOD_FOR, seen: Mutex::default() }
    }
}

impl Readiness {
    /// Looks, unless somebody has just done so.
    async fn or_look(&self, look: impl Future<Output = Vec<String>>) -> Vec<String> {
        let mut seen = self.seen.lock().await;
        if let Some((at, problems)) = &*seen
            && at.elapsed() < self.good_for
        {
            return problems.clone();
        }
        let problems = look.await;
        *seen = Some((Instant::now(), problems.clone()));
        problems
    }
}

impl Service {
    /// What keeps publishes from being taken or recorded, a sentence each; nothing where all is well. Up to a second old.
    pub async fn problems(&self) -> Vec<String> {
        self.readiness.or_look(self.look_for_problems()).await
    }

    async fn look_for_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        // Each publish writes: that reading works says nothing of a database that another process has locked. Nothing is committed.
        let asking = async {
            let mut tx = self.write_unnoted().await?;
            organisations::any(&mut tx).await
        };
        if !matches!(timeout(ANSWER_TIME, asking).await, Ok(Ok(_))) {
            problems.push("the database takes no changes".to_owned());
        }
        let (regions, least) = (self.regions.clone(), self.config.record.min_free_bytes);
        let looking = async {
            let place = LOOKS.acquire().await.ok()?;
            let look = move || {
                let _place = place;
                storage_problems(&regions, least)
            };
            spawn_blocking(look).await.ok()
        };
        match timeout(ANSWER_TIME, looking).await {
            Ok(Some(found)) => problems.extend(found),
            _ => problems.push("a region's storage does not answer".to_owned()),
        }
        match self.growing.stalled() {
            0 => {}
            1 => problems.push("a recording waits for its storage".to_owned()),
            count => problems.push(format!("{count} recordings wait for their storage")),
        }
        // A disk that fails may have room, and take a small file.
        match self.growing.unrecorded() {
            0 => {}
            1 => problems.push("a publish is not recorded".to_owned()),
            count => problems.push(format!("{count} publishes are not recorded")),
        }
        problems
    }
}

fn storage_problems(regions: &Regions, least_free_bytes: u64) -> Vec<String> {
    let problem = |store: &RegionStore| match store.writable_bytes() {
        Err(error) => {
            tracing::error!(region = %store.name(), %error, "a region's storage cannot be used");
            Some(format!("the storage of region {} cannot be used", store.name()))
        }
        Ok(free) if free < least_free_bytes => Some(format!("the storage of region {} is full", store.name())),
        Ok(_) => None,
    };
    regions.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_flood_of_questions_is_one_look_and_the_next_is_made_when_its_answer_is_old() {
        let (looks, may_end) = (AtomicUsize::new(0), Semaphore::new(0));
        let look = || async {
            may_end.acquire().await.unwrap().forget();
            vec![format!("look {}", looks.fetch_add(1, Ordering::Relaxed))]
        };
        let mut readiness = Readiness { good_for: Duration::from_hours(1), seen: Mutex::default() };
        let questions = futures::future::join_all((0..100).map(|_| readiness.or_look(look())));
        // Room for every one of them to look.
        let (answers, ()) = tokio::join!(questions, async { may_end.add_permits(100) });
        assert!(answers.iter().all(|answer| *answer == ["look 0"]), "{answers:?}");
        readiness.good_for = Duration::ZERO;
        assert_eq!(readiness.or_look(look()).await, ["look 1"]);
    }
}
