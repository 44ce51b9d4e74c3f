//! From the spool's growing file to a finished MP4 at its URL, and the same after a crash. Also what is done to finished files: a look by a
//! decoder, the poster and the storyboard, the way to the bin, back, and out of it.
//!
//! The order is what makes a crash harmless: bytes synced, file renamed, row committed, spool released. Whatever is missing of it
//! after a crash, [`recover()`] does at the next start.

mod by_hand;
mod disks;
mod file;
mod naming;
mod patience;
mod place;
mod recover;
mod report;
mod retention;
mod steadiness;
mod stock;
mod tasks;
mod waiting;

use std::borrow::Cow;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use afterlive_domain::asset::waiting_reason;
use afterlive_domain::{AssetId, AssetState, Region, UnixMillis};
use afterlive_media::mp4::{Recording, ScanError};
use tokio::task::spawn_blocking;

use crate::audit::Audit;
use crate::claims::Claims;
use crate::clock::Clock;
use crate::db::assets::{self, Asset, Finished};
use crate::db::{self, Db, asset_mending, sessions, streams};
use crate::jobs::{self, Task};
use crate::pictures::{Darkroom, DarkroomError};
use crate::storage::{RegionStore, Regions, StorageError};

use patience::Unanswered;
use place::{Placed, place};
use steadiness::Steadiness;
use waiting::ROOM_WAIT_MS;

pub use by_hand::{Outcome as RecoveredFile, RecoverError, recover_file};
pub use file::{Opened, block_bytes, carry_out, carry_out_moving, free_bytes, is_unsynced, sync, write_parts};
pub use recover::{LeftBehind, Recovered, find_left_behind, recover};
pub use report::{Account, Received, facts_of};
pub use retention::Retention;
pub use stock::{Stock, take_stock};

/// How often a commit is tried while a finished file waits for it. After that it is the caller's to try again.
const COMMIT_ATTEMPTS: u32 = 7;
/// The wait after the first failure; doubles with each: 6 s of waits in all, beside what the database takes to refuse.
const COMMIT_RETRY_WAIT: Duration = Duration::from_millis(100);
/// What a copy leaves of the disk's room, at least.
const COPY_MARGIN_BYTES: u64 = 64 << 20;

/// Why a recording is not finished. Its bytes stay in the spool, or at their place, for another try or the next start.
#[derive(Debug, thiserror::Error)]
pub enum FinaliseError {
    #[error("region {0} is not configured")]
    NoSuchRegion(Region),
    #[error("the storage of region {0} does not answer")]
    NoAnswer(Region),
    #[error(
        "earlier work on its files, or on another's that waited for room in its region, goes on: it is looked at again later"
    )]
    Busy,
    #[error("{0:?} is no name of a recording")]
    BadFileName(String),
    #[error("there is nothing to play in it")]
    Empty,
    #[error("the file cannot be told: {0}")]
    Scan(ScanError),
    #[error("the finished file cannot be read: {0}")]
    Unplayable(String),
    #[error("the database does not know it, nor its stream")]
    Unknown,
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
            Self::Empty | Self::Scan(ScanError::NoHead) | Self::Unplayable(_) | Self::Unknown | Self::BadFileName(_) => true,
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

impl Known {
    fn account(&self) -> Option<Account> {
        match self {
            Self::Closed(_, account) => Some(account.clone()),
            Self::Abandoned(account) => account.clone(),
        }
    }
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
    copy_margin_bytes: u64,
    steadiness: Arc<Mutex<Steadiness>>,
    unanswered: Arc<Unanswered>,
    claims: Claims<AssetId>,
    /// The regions in which one that waited for room is being finished.
    copying: Claims<Region>,
}

impl Finaliser {
    #[must_use]
    pub fn new(db: Db, clock: Clock, regions: Regions) -> Self {
        let (retention, audit) = (Retention::default(), Audit::default());
        let (darkroom, copy_margin_bytes) = (Darkroom::of_this_program(), COPY_MARGIN_BYTES);
        Self {
            db,
            clock,
            regions,
            retention,
            darkroom,
            audit,
            copy_margin_bytes,
            steadiness: Arc::default(),
            unanswered: Arc::default(),
            claims: Claims::default(),
            copying: Claims::default(),
        }
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

    /// Leaves so much of a disk's room where it has to copy a recording.
    #[must_use]
    pub fn with_copy_margin(self, copy_margin_bytes: u64) -> Self {
        Self { copy_margin_bytes, ..self }
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

    /// Recordings whose file is finished, taken up again or moved: each is one's at a time, who keeps the claim until that is through, also where
    /// nobody waits for it any more. What its row says is read once it is claimed: before, another may have made it something else. To store
    /// pictures beside it takes no claim: an encoder that is back just then goes on.
    ///
    /// Who needs several things takes them in this order: a turn among those who finish at a disk ([`RegionStore::finishing`]), or the region among
    /// those that waited for room; the recording; a connection of the database. Nobody waits for one of them who holds what comes behind it.
    ///
    /// A disk that hangs keeps the claims of who waits for it. So a job gives up after a while and comes again, an encoder that is back waits for no
    /// claim, and neither does a viewer, a frame or a call of the API.
    pub(crate) fn claims(&self) -> &Claims<AssetId> {
        &self.claims
    }

    fn store(&self, asset: &Asset) -> Result<&RegionStore, FinaliseError> {
        self.regions.get(&asset.region).ok_or_else(|| FinaliseError::NoSuchRegion(asset.region.clone()))
    }

    /// Makes the spooled recording a finished asset, for who has claimed it. `reason` says why it is less than what the encoder sent; `None` where it
    /// is all of it.
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
        // An earlier try may have given it another name, and under the one that is known here lies another recording.
        let row = match (self.read(asset.id).await, &known) {
            (Ok(row), _) => row,
            // It lies where its writer had it, whatever its name, and no database is waited for.
            (Err(_), Known::Closed(..)) => None,
            (Err(error), Known::Abandoned(_)) => return Err(error),
        };
        let renamed = row.filter(|row| row.file_name != asset.file_name);
        let mut asset = renamed.map_or(Cow::Borrowed(asset), Cow::Owned);
        let account = known.account();
        let placed = match self.place(&asset, known).await {
            // What an older copy of the database knows nothing of has the name. Nothing is lost: it gets another.
            Err(FinaliseError::Storage(StorageError::Taken { .. })) => {
                asset = Cow::Owned(self.with_free_name(asset.into_owned()).await?);
                self.place(&asset, Known::Abandoned(account)).await
            }
            done => done,
        };
        let asset = &*asset;
        let finished = match placed {
            Ok(placed) => {
                let waiting = placed.waits_for_room.then(|| waiting_reason(reason));
                let reason = waiting.as_deref().or(reason);
                self.commit(asset, &placed, reason, ended_at).await.inspect(|()| {
                    let (facts, took_ms) = (&placed.facts, begun.elapsed().as_millis());
                    tracing::info!(asset = %asset.id, file = asset.file_name, took_ms, size_bytes = facts.size_bytes, duration_ms = facts.duration_ms, reason, "recording ready");
                })
            }
            Err(error) => Err(error),
        };
        match finished {
            Ok(()) => self.release(asset).await,
            Err(error) if error.is_final() => {
                tracing::error!(asset = %asset.id, file = asset.file_name, %error, reason, "nothing playable came of a recording");
                self.fail(asset, reason.unwrap_or(&error.to_string())).await
            }
            Err(error) => Err(error),
        }
    }

    /// Finalises the file and gives it its place.
    async fn place(&self, asset: &Asset, known: Known) -> Result<Placed, FinaliseError> {
        let (regions, moved, copy_margin_bytes) = (self.regions.clone(), asset.clone(), self.copy_margin_bytes);
        let region = self.store(asset)?.name().clone();
        let placed = spawn_blocking(move || match regions.get(&region) {
            Some(store) => place(store, &moved, known, copy_margin_bytes),
            None => Err(FinaliseError::NoSuchRegion(region)),
        });
        placed.await.map_err(io::Error::other)?
    }

    /// The row becomes ready, and what follows from that is enqueued with it.
    async fn commit(
        &self,
        asset: &Asset,
        placed: &Placed,
        reason: Option<&str>,
        ended_at: UnixMillis,
    ) -> Result<(), FinaliseError> {
        let mut wait = COMMIT_RETRY_WAIT;
        for _ in 1..COMMIT_ATTEMPTS {
            match self.try_commit(asset, placed, reason, ended_at).await {
                Err(error) if !error.is_final() => {
                    tracing::error!(asset = %asset.id, %error, "a finished recording waits for the database");
                }
                done => return done,
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        self.try_commit(asset, placed, reason, ended_at).await
    }

    async fn try_commit(
        &self,
        asset: &Asset,
        placed: &Placed,
        reason: Option<&str>,
        ended_at: UnixMillis,
    ) -> Result<(), FinaliseError> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        // First of all: a deletion of the stream that runs at the same time comes wholly before this or wholly after it.
        streams::hold(&mut tx, asset.stream).await?;
        match assets::by_id(&mut tx, asset.id).await?.map(|row| row.state) {
            Some(AssetState::Recording) => {}
            Some(AssetState::Failed) => {
                tracing::error!(asset = %asset.id, file = asset.file_name, "a recording was given up although it was there: its row is put right");
            }
            // An earlier try was committed, although it did not come to say so.
            Some(AssetState::Ready | AssetState::Incomplete) => return Ok(()),
            Some(AssetState::Deleted) => {
                jobs::enqueue(&mut tx, Task::Place { asset: asset.id }, now).await?;
                return Ok(tx.commit().await?);
            }
            None => {
                tracing::error!(asset = %asset.id, file = asset.file_name, "the row of a recording is gone: it gets another");
                let again = asset_mending::insert_again(&mut tx, &asset.into(), now).await?;
                // Another recording may have its name by now; but its file has it.
                if again.is_none_or(|again| again.file_name != asset.file_name) {
                    return Err(FinaliseError::Unknown);
                }
            }
        }
        let mut report = placed.report.clone();
        if let (Some(report), Some(written)) = (&mut report, assets::report(&mut tx, asset.id).await?) {
            // Written down when the encoder came back: the file does not tell.
            report.lost_frames = report.lost_frames.max(written.lost_frames);
            (report.reconnects, report.reconnect_count) = (written.reconnects, written.reconnect_count);
            report.server_died |= written.server_died;
        }
        if let Some(finished) = assets::finish(&mut tx, asset, &placed.facts, report.as_ref(), reason, ended_at, now).await? {
            // Of one that has had several publishes, what the last of them brought is not known.
            if let Some(report) = report.as_ref().filter(|report| report.server_died && report.reconnect_count == 0) {
                let bytes: u64 = report.tracks.iter().map(|track| track.media_bytes).sum();
                sessions::brought_at_least(&mut tx, asset.session, bytes).await?;
            }
            let task = match finished {
                Finished::Stands => Task::Probe { asset: asset.id },
                Finished::GoesWithStream => {
                    assets::delete(&mut tx, asset.organisation, asset.id, now).await?;
                    Task::Place { asset: asset.id }
                }
            };
            jobs::enqueue(&mut tx, task, now).await?;
            if placed.waits_for_room {
                jobs::enqueue_at(&mut tx, Task::Finish { asset: asset.id }, now.plus_ms(ROOM_WAIT_MS), now).await?;
            }
            return Ok(tx.commit().await?);
        }
        // It changed between the look and this: the next try finds it as it is then.
        Err(io::Error::other("its row has just been changed").into())
    }

    /// The row becomes failed; what bytes there are go to quarantine, after the row: a crash in between is found by the next start.
    ///
    /// # Errors
    /// Where the database or the disk fails.
    pub async fn fail(&self, asset: &Asset, reason: &str) -> Result<(), FinaliseError> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        streams::hold(&mut tx, asset.stream).await?;
        if assets::fail(&mut tx, asset, reason, now).await? && assets::goes_with_stream(&mut tx, asset.id).await? {
            assets::delete(&mut tx, asset.organisation, asset.id, now).await?;
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
