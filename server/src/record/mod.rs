//! From the hub's frames to a growing file in the spool that plays at every instant. Decides when to begin and where to cut;
//! what becomes of the file afterwards is [`crate::finalise`]'s.

mod beginning;
mod cut;
mod ending;
mod going_on;
mod growing;
mod limits;
mod opening;
mod returning;
mod room;
mod take;
mod tally;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::organisation::RecordingSettings;
use afterlive_domain::{EventKind, OrganisationId, Region, UnixMillis};
use afterlive_media::mp4::WriterError;
use async_trait::async_trait;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::db::assets::Asset;
use crate::db::{self, organisations};
use crate::finalise::Finaliser;
use crate::hub::{self, CannotRecord, Message, Overflow, RecorderSubscription};
use crate::storage::RegionStore;

pub use growing::{Growing, GrowingFile};
pub use limits::Limits;
use opening::{Opening, Start};
use returning::{Returns, Turn};
use take::{SYNC_EVERY, Take};

/// When a write or sync takes longer, it is told.
const STALL_AFTER: Duration = Duration::from_secs(5);
/// How long after a recording could not go on the storage is tried again; doubles with each vain try, up to [`MAX_ROOM_WAIT`].
const ROOM_WAIT: Duration = Duration::from_secs(2);
const MAX_ROOM_WAIT: Duration = Duration::from_secs(64);

/// Records publishes. Clones are handles to the same recorder.
#[derive(Clone)]
pub struct Recorder {
    finaliser: Finaliser,
    growing: Growing,
    tasks: TaskTracker,
    stop: CancellationToken,
    limits: Limits,
    returns: Arc<Returns>,
}

/// Why a file has come to its end.
#[derive(Debug)]
enum End {
    /// The publish is over.
    Published,
    Overflow(Overflow),
    /// A write failed, and the file may hold half of one.
    Disk(std::io::Error),
    /// The storage is nearly full; the file is in good order.
    NoRoom {
        free_bytes: u64,
    },
    /// The recording has come to one of its limits; the frame that did not fit begins the next one.
    Limit(Box<Message>),
    /// The file can take no more, but another one can, beginning with the frame that did not fit.
    Full {
        error: WriterError,
        first: Option<Box<Message>>,
    },
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published => f.write_str("the encoder has ended it"),
            Self::Overflow(overflow) => write!(f, "{overflow}"),
            Self::Disk(error) => write!(f, "the disk failed: {error}"),
            Self::NoRoom { free_bytes } => write!(f, "the storage is full: {} MiB are free", free_bytes >> 20),
            Self::Limit(_) => f.write_str("a limit is reached; another recording goes on"),
            Self::Full { error, .. } => write!(f, "the file could take no more ({error}); another recording goes on"),
        }
    }
}

impl Recorder {
    /// `tasks` is to be waited for at the server's end: recordings are finished there. From `stop` on, what cannot be finished waits for the next start.
    #[must_use]
    pub fn new(finaliser: Finaliser, growing: Growing, tasks: TaskTracker, limits: Limits, stop: CancellationToken) -> Self {
        Self { finaliser, growing, tasks, limits, stop, returns: Arc::default() }
    }

    /// What holds for a publish of the organisation, from its beginning to its end. Where the database does not say, what the server's settings say:
    /// a recording without its limits is better than none.
    async fn limits_of(&self, organisation: OrganisationId) -> Limits {
        let reading = async { organisations::recording_settings(&mut self.finaliser.db().read().await?, organisation).await };
        let settings = reading.await.unwrap_or_else(|error: db::Error| {
            tracing::error!(%organisation, %error, "an organisation's limits of recordings cannot be read; the server's hold");
            RecordingSettings::default()
        });
        self.limits.of_organisation(&settings)
    }

    /// Records until the publish ends: in one file, unless that comes to a limit or to harm. Then what can still be recorded is, as the stream's
    /// next recording.
    async fn record(self, publish: hub::Recording, mut turn: Turn, mut frames: RecorderSubscription) {
        let mut opening = Opening::default();
        let mut room_wait = ROOM_WAIT;
        // Only what comes first can belong to what was before.
        let mut may_go_on = true;
        loop {
            let lost_before = frames.lost_frames();
            let (start, end) = self.wait_for_start(opening, &mut frames).await;
            let Some(start) = start else {
                let Some(End::Overflow(overflow)) = end else { return };
                tracing::error!(stream = %publish.streamname, %overflow, "a publish is not recorded from its beginning");
                frames.resume();
                opening = Opening::default();
                continue;
            };
            opening = Opening::default();
            let resumed = if std::mem::take(&mut may_go_on) { self.go_on(&publish, &mut turn, &start).await } else { None };
            let begun = match resumed {
                Some(take) => Some(take),
                None => self.begin(&publish, &start).await,
            };
            let Some(mut take) = begun else {
                if !self.wait_for_room(&publish, &mut frames, room_wait).await {
                    return;
                }
                room_wait = (room_wait * 2).min(MAX_ROOM_WAIT);
                continue;
            };
            let (end, untaken) = self.follow(&mut take, start, end, &mut frames).await;
            take.count_lost(frames.lost_frames() - lost_before);
            // What comes while the file is finished is the beginning of the next one.
            let first = match &end {
                End::Limit(first) => Some(first.clone()),
                End::Full { first, .. } => first.clone(),
                End::Overflow(_) => {
                    frames.resume();
                    None
                }
                End::Published | End::Disk(_) | End::NoRoom { .. } => None,
            };
            if let Some(first) = first {
                opening = Opening::after(take.tracks());
                opening.offer(*first);
                untaken.into_iter().for_each(|message| opening.offer(message));
            }
            // A disk that takes a file's head and nothing more is no better than one that takes nothing.
            room_wait = if take.has_fragments() { ROOM_WAIT } else { (room_wait * 2).min(MAX_ROOM_WAIT) };
            // A slow disk may let the recorder come to the end late.
            let ended = Ended::before(self.finaliser.clock(), frames.ended_ago().unwrap_or_default());
            if matches!(end, End::Published) {
                self.finish(take, &end, ended, Some(turn)).await;
                return;
            }
            self.finish(take, &end, ended, None).await;
            match end {
                End::Published | End::Limit(_) | End::Full { .. } | End::Overflow(_) => {}
                End::Disk(_) | End::NoRoom { .. } => {
                    if !self.wait_for_room(&publish, &mut frames, room_wait).await {
                        return;
                    }
                }
            }
        }
    }

    /// Waits, `wait` at least, until a recording can begin, and takes up the publish from there; false where it is over before.
    async fn wait_for_room(&self, publish: &hub::Recording, frames: &mut RecorderSubscription, mut wait: Duration) -> bool {
        let _unrecorded = self.growing.count_unrecorded();
        loop {
            let next_try = Instant::now() + wait;
            // What comes meanwhile has no place to be kept. Only its end matters.
            loop {
                match timeout_at(next_try, frames.next()).await {
                    Ok(Ok(Message::Ended)) => return false,
                    Ok(Ok(_)) => {}
                    Ok(Err(_)) => frames.resume(),
                    Err(_) => break,
                }
            }
            match self.find_room(&publish.region).await {
                Ok(()) => {
                    tracing::info!(stream = %publish.streamname, "recording can go on");
                    frames.resume();
                    return true;
                }
                Err(reason) => tracing::warn!(stream = %publish.streamname, %reason, "a publish is still not recorded"),
            }
            wait = (wait * 2).min(MAX_ROOM_WAIT);
        }
    }

    /// Whether the region can take a recording.
    async fn find_room(&self, region: &Region) -> Result<(), CannotRecord> {
        let (regions, name) = (self.finaliser.regions().clone(), region.clone());
        let free = spawn_blocking(move || regions.get(&name).map(RegionStore::writable_bytes)).await;
        match free.map_err(|error| CannotRecord(error.to_string()))? {
            None => Err(CannotRecord(format!("region {region} is not configured"))),
            Some(Err(error)) => {
                tracing::error!(%region, %error, "a region's storage cannot be used");
                Err(CannotRecord("the storage cannot be used".to_owned()))
            }
            Some(Ok(free_bytes)) if free_bytes < self.limits.begin_free_bytes => {
                Err(CannotRecord("the storage is full".to_owned()))
            }
            Some(Ok(_)) => Ok(()),
        }
    }

    /// Gathers what a file begins with; with it comes why it has ended, where it has already.
    async fn wait_for_start(&self, mut opening: Opening, frames: &mut RecorderSubscription) -> (Option<Start>, Option<End>) {
        let mut end = None;
        while end.is_none() && !opening.is_ready() {
            match frames.next().await {
                Ok(Message::Ended) => end = Some(End::Published),
                Err(overflow) => end = Some(End::Overflow(overflow)),
                Ok(message) => opening.offer(message),
            }
        }
        (opening.start(), end)
    }

    /// Writes what there is and what comes, until there is no more of it. With why it has ended comes what there was and was not taken.
    async fn follow(
        &self,
        take: &mut Take,
        start: Start,
        ended: Option<End>,
        frames: &mut RecorderSubscription,
    ) -> (End, Vec<Message>) {
        let asset = take.asset().clone();
        let stalled = |waits: bool| self.tell_stall(&asset, waits);
        let mut messages = start.messages.into_iter();
        while let Some(message) = messages.next() {
            if let Err(end) = watched(take.offer(message), STALL_AFTER, stalled).await {
                return (end, messages.collect());
            }
        }
        if let Some(end) = ended {
            return (end, Vec::new());
        }
        loop {
            let next = if take.has_unsynced() {
                match timeout(SYNC_EVERY, frames.next()).await {
                    Ok(next) => next,
                    // The encoder has fallen silent.
                    Err(_) => match watched(take.sync(), STALL_AFTER, stalled).await {
                        Ok(()) => continue,
                        Err(end) => return (end, Vec::new()),
                    },
                }
            } else {
                frames.next().await
            };
            let taken = match next {
                Ok(Message::Ended) => Err(End::Published),
                Err(overflow) => Err(End::Overflow(overflow)),
                Ok(message) => watched(take.offer(message), STALL_AFTER, stalled).await,
            };
            if let Err(end) = taken {
                return (end, Vec::new());
            }
        }
    }

    /// The storage has begun, or ceased, to let a recording wait. Waits for nobody itself: the database may lie on the same disk.
    fn tell_stall(&self, asset: &Asset, waits: bool) {
        self.growing.set_stalled(asset.id, waits);
        if !waits {
            tracing::info!(asset = %asset.id, region = %asset.region, "the storage takes writes again");
            return;
        }
        tracing::error!(asset = %asset.id, region = %asset.region, "a recording has waited for its storage for {} s; what comes waits in memory", STALL_AFTER.as_secs());
        let (finaliser, asset) = (self.finaliser.clone(), asset.clone());
        self.tasks.spawn(async move {
            let telling: db::Result<()> = async {
                let mut tx = finaliser.db().write().await?;
                tx.emit_asset(EventKind::AssetStalled, asset.organisation, asset.stream, asset.id, finaliser.clock().now());
                tx.commit().await
            }
            .await;
            if let Err(error) = telling {
                tracing::error!(asset = %asset.id, %error, "the event of a stalled recording is lost");
            }
        });
    }
}

/// When something ended, by both clocks.
#[derive(Clone, Copy, Debug)]
struct Ended {
    at: UnixMillis,
    monotonic: Duration,
}

impl Ended {
    fn before(clock: &Clock, ago: Duration) -> Self {
        let ago_ms = i64::try_from(ago.as_millis()).unwrap_or(0);
        Self { at: clock.now().plus_ms(-ago_ms), monotonic: clock.monotonic().saturating_sub(ago) }
    }
}

/// Says `true` where the work takes longer than `stall_after`, and `false` once it is done after all.
async fn watched<T>(work: impl Future<Output = T>, stall_after: Duration, tell: impl Fn(bool)) -> T {
    let mut work = pin!(work);
    if let Ok(done) = timeout(stall_after, &mut work).await {
        return done;
    }
    tell(true);
    let done = work.await;
    tell(false);
    done
}

#[async_trait]
impl hub::Recorder for Recorder {
    /// Makes no asset yet: a publish that never sends a frame leaves none.
    async fn start(&self, recording: hub::Recording, frames: RecorderSubscription) -> Result<(), CannotRecord> {
        self.find_room(&recording.region).await?;
        let turn = self.returns.take_turn(recording.stream, self.finaliser.clock().monotonic());
        let limits = self.limits_of(recording.organisation).await;
        self.tasks.spawn(Self { limits, ..self.clone() }.record(recording, turn, frames));
        Ok(())
    }
}

/// As `Arc<dyn hub::Recorder>`, which the gate takes.
impl From<Recorder> for Arc<dyn hub::Recorder> {
    fn from(recorder: Recorder) -> Self {
        Arc::new(recorder)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_disk_that_lets_us_wait_is_told_and_so_is_its_return() {
        let told = RefCell::new(Vec::new());
        let (written, waits_for) = oneshot::channel();
        let written = RefCell::new(Some(written));
        let tell = |waits| {
            told.borrow_mut().push(waits);
            // The disk takes the write only after it has been told of.
            if let Some(written) = written.take() {
                written.send("written").unwrap();
            }
        };
        assert_eq!(watched(waits_for, Duration::from_millis(1), tell).await, Ok("written"));
        assert_eq!(watched(async { "at once" }, Duration::from_secs(3_600), tell).await, "at once");
        assert_eq!(told.into_inner(), [true, false]);
    }
}
