//! From the spool's growing file to a finished MP4 at its URL, and the same after a crash. Also what is done to finished files: a look by a
//! decoder, the poster and the storyboard, the way to the bin, back, and out of it.
//!
//! The order is what makes a crash harmless: bytes synced, file renamed, row committed, spool released. Whatever is missing of it
//! after a crash, [`recover()`] does at the next start.

mod by_hand;
mod file;
mod place;
mod recover;
mod report;
mod retention;
mod tasks;

use std::io;
use std::time::{Duration, Instant};

use afterlive_domain::{StreamState, UnixMillis};
use afterlive_media::mp4::{Recording, ScanError};
use tokio::task::spawn_blocking;

use crate::audit::Audit;
use crate::clock::Clock;
use crate::db::assets::{self, Asset};
use crate::db::{self, Db, Tx, streams};
use crate::jobs::{self, Task};
use crate::pictures::{Darkroom, DarkroomError};
use crate::storage::{RegionStore, Regions, StorageError};

use place::{Placed, place};

pub use by_hand::{Outcome as RecoveredFile, RecoverError, recover_file};
pub use file::{Opened, block_bytes, carry_out, carry_out_moving, free_bytes, write_parts};
pub use recover::{Recovered, recover};
pub use report::{Account, Received, facts_of};
pub use retention::Retention;

/// How often a commit is tried while a finished file waits for it. After that it is the caller's to try again.
const COMMIT_ATTEMPTS: u32 = 7;
/// The wait after the first failure; doubles with each: 6 s of waits in all, beside what the database takes to refuse.
const COMMIT_RETRY_WAIT: Duration = Duration::from_millis(100);

/// Why a recording is not finished. Its bytes stay in the spool, or at their place, for another try or the next start.
#[derive(Debug, thiserror::Error)]
pub enum FinaliseError {
    #[error("region {0} is not configured")]
    NoSuchRegion(afterlive_domain::Region),
    #[error("{0:?} is no name of a recording")]
    BadFileName(String),
    #[error("there is nothing to play in it")]
    Empty,
    #[error("the file cannot be told: {0}")]
    Scan(ScanError),
    #[error("the finished file cannot be read: {0}")]
    Unplayable(String),
    #[error("the disk failed: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("there is no picture of it: {0}")]
    Picture(#[from] DarkroomError),
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl FinaliseError {
    /// Whether no later try can do better.
    fn is_final(&self) -> bool {
        match self {
            Self::Picture(error) => error.is_of_the_file(),
            Self::Empty
            | Self::Scan(ScanError::NoHead)
            | Self::Unplayable(_)
            | Self::BadFileName(_)
            | Self::Storage(StorageError::Taken { .. }) => true,
            _ => false,
        }
    }
}

/// What is known of the file that is to be finished.
#[derive(Debug)]
pub enum Known {
    /// All of it: its writer closed it in good order.
    Closed(Recording, Account),
    /// Nothing: a write failed, or the process died, or an earlier try. What was counted may be known all the same.
    Abandoned(Option<Account>),
}

/// Finishes recordings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Finaliser {
    db: Db,
    clock: Clock,
    regions: Regions,
    retention: Retention,
    darkroom: Darkroom,
    audit: Audit,
}

impl Finaliser {
    #[must_use]
    pub fn new(db: Db, clock: Clock, regions: Regions) -> Self {
        let (retention, audit) = (Retention::default(), Audit::default());
        Self { db, clock, regions, retention, darkroom: Darkroom::of_this_program(), audit }
    }

    /// With what the server's settings say of keeping recordings.
    #[must_use]
    pub fn with_retention(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// With where it is noted what retention does.
    #[must_use]
    pub fn with_audit(self, audit: Audit) -> Self {
        Self { audit, ..self }
    }

    /// Has its pictures made elsewhere: where the program that runs is not `afterlive`.
    #[must_use]
    pub fn with_darkroom(self, darkroom: Darkroom) -> Self {
        Self { darkroom, ..self }
    }

    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    #[must_use]
    pub fn regions(&self) -> &Regions {
        &self.regions
    }

    fn store(&self, asset: &Asset) -> Result<&RegionStore, FinaliseError> {
        self.regions.get(&asset.region).ok_or_else(|| FinaliseError::NoSuchRegion(asset.region.clone()))
    }

    /// Makes the spooled recording a finished asset. `reason` says why it is less than what the encoder sent; `None` where it is all of it.
    ///
    /// A recording in which there is nothing to play becomes `failed`, its bytes go to quarantine, and that is no error here.
    ///
    /// # Errors
    /// Where it can be tried again, with [`Known::Abandoned`]: soon, or at the next start.
    pub async fn finish(
        &self,
        asset: &Asset,
        known: Known,
        reason: Option<&str>,
        ended_at: UnixMillis,
    ) -> Result<(), FinaliseError> {
        let begun = Instant::now();
        let (regions, moved) = (self.regions.clone(), asset.clone());
        let region = self.store(asset)?.name().clone();
        let placed = spawn_blocking(move || match regions.get(&region) {
            Some(store) => place(store, &moved, known),
            None => Err(FinaliseError::NoSuchRegion(region)),
        });
        match placed.await.map_err(io::Error::other)? {
            Ok(placed) => {
                self.commit(asset, &placed, reason, ended_at).await?;
                let (facts, took_ms) = (&placed.facts, begun.elapsed().as_millis());
                tracing::info!(asset = %asset.id, file = asset.file_name, took_ms, size_bytes = facts.size_bytes, duration_ms = facts.duration_ms, reason, "recording ready");
                self.release(asset).await
            }
            Err(error) if error.is_final() => {
                tracing::error!(asset = %asset.id, file = asset.file_name, %error, reason, "nothing playable came of a recording");
                self.fail(asset, reason.unwrap_or(&error.to_string())).await
            }
            Err(error) => Err(error),
        }
    }

    /// The row becomes ready, and what follows from that is enqueued with it.
    async fn commit(&self, asset: &Asset, placed: &Placed, reason: Option<&str>, ended_at: UnixMillis) -> db::Result<()> {
        let mut wait = COMMIT_RETRY_WAIT;
        for _ in 1..COMMIT_ATTEMPTS {
            match self.try_commit(asset, placed, reason, ended_at).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::error!(asset = %asset.id, %error, "a finished recording waits for the database"),
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        self.try_commit(asset, placed, reason, ended_at).await
    }

    async fn try_commit(&self, asset: &Asset, placed: &Placed, reason: Option<&str>, ended_at: UnixMillis) -> db::Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        // First of all: a deletion of the stream that runs at the same time comes wholly before this or wholly after it.
        streams::hold(&mut tx, asset.stream).await?;
        let mut report = placed.report.clone();
        if let (Some(report), Some(written)) = (&mut report, assets::report(&mut tx, asset.id).await?) {
            // Written down when the encoder came back: the file does not tell.
            report.lost_frames = report.lost_frames.max(written.lost_frames);
            (report.reconnects, report.reconnect_count) = (written.reconnects, written.reconnect_count);
        }
        if assets::finish(&mut tx, asset, &placed.facts, report.as_ref(), reason, ended_at, now).await? {
            let task = match delete_with_stream(&mut tx, asset, now).await? {
                true => Task::Place { asset: asset.id },
                false => Task::Probe { asset: asset.id },
            };
            jobs::enqueue(&mut tx, task, now).await?;
        }
        tx.commit().await
    }

    /// The row becomes failed; what bytes there are go to quarantine, after the row: a crash in between is found by the next start.
    ///
    /// # Errors
    /// Where the database or the disk fails.
    pub async fn fail(&self, asset: &Asset, reason: &str) -> Result<(), FinaliseError> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        streams::hold(&mut tx, asset.stream).await?;
        if assets::fail(&mut tx, asset, reason, now).await? {
            delete_with_stream(&mut tx, asset, now).await?;
        }
        tx.commit().await?;
        self.in_spool(asset, |store, asset| store.spool().quarantine(asset.id).map(drop)).await
    }

    async fn release(&self, asset: &Asset) -> Result<(), FinaliseError> {
        self.in_spool(asset, |store, asset| store.spool().release(asset.id)).await
    }

    async fn in_spool(
        &self,
        asset: &Asset,
        act: impl FnOnce(&RegionStore, &Asset) -> io::Result<()> + Send + 'static,
    ) -> Result<(), FinaliseError> {
        let (regions, asset) = (self.regions.clone(), asset.clone());
        let acting = spawn_blocking(move || regions.get(&asset.region).map_or(Ok(()), |store| act(store, &asset)));
        Ok(acting.await.map_err(io::Error::other)??)
    }
}

/// A stream that was deleted while it was live takes its recording with it, unless that is under legal hold; says whether.
async fn delete_with_stream(tx: &mut Tx, asset: &Asset, now: UnixMillis) -> db::Result<bool> {
    let stream = streams::by_id(tx, asset.stream).await?;
    match stream.is_some_and(|stream| stream.state == StreamState::Deleted) {
        true => assets::delete(tx, asset.organisation, asset.id, now).await,
        false => Ok(false),
    }
}
