//! From the hub's frames to a growing file in the spool that plays at every instant. Decides when to begin and where to cut;
//! what becomes of the file afterwards is [`crate::finalise`]'s.

mod cut;
mod growing;
mod opening;
mod take;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::AssetId;
use afterlive_media::mp4::WriterError;
use async_trait::async_trait;
use tokio::task::spawn_blocking;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::db;
use crate::db::assets::{self, Asset, NewAsset};
use crate::finalise::{Finaliser, Known};
use crate::hub::{self, CannotRecord, Message, Overflow, RecorderSubscription};
use crate::storage::{RegionStore, SpoolNote};

pub use growing::Growing;
use opening::{Opening, Start};
use take::Take;

/// With less room than this in a region nothing new is recorded there: what is being recorded needs it.
const MIN_FREE_BYTES: u64 = 256 << 20;
/// How often a recording's row is tried to be written, while its frames wait in the hub's queue.
const BEGIN_ATTEMPTS: u32 = 6;
/// The wait after the first failure; doubles with each: 6 s in all.
const BEGIN_RETRY_WAIT: Duration = Duration::from_millis(200);

/// Records publishes. Clones are handles to the same recorder.
#[derive(Clone)]
pub struct Recorder {
    finaliser: Finaliser,
    growing: Growing,
    tasks: TaskTracker,
}

/// Why a file has come to its end.
#[derive(Debug)]
enum End {
    /// The publish is over.
    Published,
    Overflow(Overflow),
    /// A write failed, and the file may hold half of one.
    Disk(std::io::Error),
    /// The file can take no more, but another one can.
    Full(WriterError),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published => f.write_str("the encoder has ended it"),
            Self::Overflow(overflow) => write!(f, "{overflow}"),
            Self::Disk(error) => write!(f, "the disk failed: {error}"),
            Self::Full(error) => write!(f, "the file could take no more ({error}); another recording goes on"),
        }
    }
}

impl Recorder {
    /// `tasks` is to be waited for at the server's end: recordings are finished there.
    #[must_use]
    pub fn new(finaliser: Finaliser, growing: Growing, tasks: TaskTracker) -> Self {
        Self { finaliser, growing, tasks }
    }

    /// Records until the publish ends; in one file, unless that comes to a limit.
    async fn record(self, publish: hub::Recording, mut frames: RecorderSubscription) {
        let mut opening = Opening::default();
        loop {
            let (start, end) = self.wait_for_start(opening, &mut frames).await;
            let Some(start) = start else { return };
            let Some(mut take) = self.begin(&publish, &start).await else { return };
            let end = self.follow(&mut take, start, end, &mut frames).await;
            let tracks = take.tracks();
            self.finish(take, &end).await;
            match end {
                End::Full(_) => opening = Opening::with_tracks(tracks),
                _ => return,
            }
        }
    }

    /// Gathers what a file begins with; with it comes why it has ended, where it has already.
    async fn wait_for_start(&self, mut opening: Opening, frames: &mut RecorderSubscription) -> (Option<Start>, Option<End>) {
        let end = loop {
            match frames.next().await {
                Ok(Message::Ended) => break Some(End::Published),
                Err(overflow) => break Some(End::Overflow(overflow)),
                Ok(message) => opening.offer(message),
            }
            if opening.is_ready() {
                break None;
            }
        };
        (opening.start(), end)
    }

    /// The row, then the file: a crash in between leaves a row whose recording the next start finds to be nothing.
    async fn begin(&self, publish: &hub::Recording, start: &Start) -> Option<Take> {
        let created_at = self.finaliser.clock().now().plus_ms(-start.span_ms);
        let new = NewAsset {
            id: AssetId(Uuid::new_v4()),
            stream: publish.stream,
            session: publish.session,
            region: publish.region.clone(),
            created_at,
        };
        let asset = match self.insert(&new).await {
            Ok(asset) => asset,
            Err(error) => {
                tracing::error!(stream = %publish.streamname, %error, "a publish is not recorded: its recording has no row");
                return None;
            }
        };
        let note = SpoolNote {
            asset: asset.id,
            stream: publish.stream,
            session: publish.session,
            streamname: publish.streamname.clone(),
            index: asset.index,
            region: publish.region.clone(),
            created_at,
        };
        let (regions, tracks) = (self.finaliser.regions().clone(), start.tracks.clone());
        let creating = spawn_blocking(move || match regions.get(&note.region) {
            Some(store) => Take::create(store, &note, &tracks),
            None => Err(std::io::ErrorKind::NotFound.into()),
        });
        match creating.await.map_err(std::io::Error::other).flatten() {
            Ok((file, writer)) => {
                tracing::info!(asset = %asset.id, file = asset.file_name, region = %asset.region, "recording");
                let entry = self.growing.enter(asset.id, assets::Facts::default());
                Some(Take::new(asset, file, writer, &start.tracks, entry))
            }
            Err(error) => {
                tracing::error!(asset = %asset.id, file = asset.file_name, %error, "a publish is not recorded: its file cannot be made");
                let reason = End::Disk(error).to_string();
                if let Err(error) = self.finaliser.fail(&asset, &reason).await {
                    tracing::error!(asset = %asset.id, %error, "a failed recording waits for the next start");
                }
                None
            }
        }
    }

    async fn insert(&self, new: &NewAsset) -> db::Result<Asset> {
        let mut wait = BEGIN_RETRY_WAIT;
        for _ in 1..BEGIN_ATTEMPTS {
            match self.try_insert(new).await {
                Ok(asset) => return Ok(asset),
                Err(error) => tracing::error!(asset = %new.id, %error, "a recording waits for the database"),
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        self.try_insert(new).await
    }

    async fn try_insert(&self, new: &NewAsset) -> db::Result<Asset> {
        let mut tx = self.finaliser.db().write().await?;
        let asset = assets::begin(&mut tx, new).await?;
        tx.commit().await?;
        Ok(asset)
    }

    /// Writes what there is and what comes, until there is no more of it.
    async fn follow(&self, take: &mut Take, start: Start, ended: Option<End>, frames: &mut RecorderSubscription) -> End {
        for message in start.messages {
            if let Err(end) = take.offer(message).await {
                return end;
            }
        }
        if let Some(end) = ended {
            return end;
        }
        loop {
            let end = match frames.next().await {
                Ok(Message::Ended) => End::Published,
                Err(overflow) => End::Overflow(overflow),
                Ok(message) => match take.offer(message).await {
                    Ok(()) => continue,
                    Err(end) => end,
                },
            };
            return end;
        }
    }

    async fn finish(&self, take: Take, end: &End) {
        let ended_at = self.finaliser.clock().now();
        let reason = match end {
            End::Published => None,
            _ => Some(end.to_string()),
        };
        if let Some(reason) = &reason {
            tracing::error!(asset = %take.asset().id, reason, "a recording ends before its publish");
        }
        let (asset, entry, known) = take.close(end).await;
        let (known, reason) = match known {
            Ok(recording) => (Known::Closed(recording), reason),
            // Whatever ended it: its last second could not be written.
            Err(error) => (Known::Abandoned, reason.or_else(|| Some(End::Disk(error).to_string()))),
        };
        if let Err(error) = self.finaliser.finish(&asset, known, reason.as_deref(), ended_at).await {
            tracing::error!(asset = %asset.id, %error, "a recording is not finished; the next start does it");
        }
        drop(entry);
    }
}

#[async_trait]
impl hub::Recorder for Recorder {
    /// Makes no asset yet: a publish that never sends a frame leaves none.
    async fn start(&self, recording: hub::Recording, frames: RecorderSubscription) -> Result<(), CannotRecord> {
        let (regions, name) = (self.finaliser.regions().clone(), recording.region.clone());
        let free = spawn_blocking(move || regions.get(&name).map(RegionStore::free_bytes)).await;
        match free.map_err(|error| CannotRecord(error.to_string()))? {
            None => return Err(CannotRecord(format!("region {} is not configured", recording.region))),
            Some(Err(error)) => {
                tracing::error!(region = %recording.region, %error, "a region's storage cannot be used");
                return Err(CannotRecord("the storage cannot be used".to_owned()));
            }
            Some(Ok(free_bytes)) if free_bytes < MIN_FREE_BYTES => return Err(CannotRecord("the storage is full".to_owned())),
            Some(Ok(_)) => {}
        }
        self.tasks.spawn(self.clone().record(recording, frames));
        Ok(())
    }
}

/// As `Arc<dyn hub::Recorder>`, which the gate takes.
impl From<Recorder> for Arc<dyn hub::Recorder> {
    fn from(recorder: Recorder) -> Self {
        Arc::new(recorder)
    }
}
