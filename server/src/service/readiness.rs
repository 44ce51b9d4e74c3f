//! Whether the server can do its work, for whoever watches over it.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Service;
use crate::db::organisations;
use crate::storage::{RegionStore, Regions};

/// What takes longer to answer does not.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// One look at the storages at a time: each that hangs holds a thread.
static LOOKS: Semaphore = Semaphore::const_new(1);

impl Service {
    /// What keeps publishes from being taken or recorded, a sentence each; nothing where all is well.
    pub async fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        // Each publish writes: that reading works says nothing of a database that another process has locked. Nothing is committed.
        let asking = async {
            let mut tx = self.db.write().await?;
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
