//! From the hub's frames to a growing file in the spool that plays at every instant. Decides when to begin and where to cut;
//! what becomes of the file afterwards is [`crate::finalise`]'s.

mod cut;
mod growing;
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
use afterlive_domain::report::Reconnect;
use afterlive_domain::{AssetId, AssetState, EventKind, OrganisationId, Region, Report, UnixMillis};
use afterlive_media::mp4::WriterError;
use async_trait::async_trait;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::config;
use crate::db;
use crate::db::assets::{self, Asset, NewAsset};
use crate::db::organisations;
use crate::finalise::{FinaliseError, Finaliser, Known};
use crate::hub::{self, CannotRecord, Message, Overflow, RecorderSubscription};
use crate::storage::{Key, RegionStore, SpoolNote};

use growing::Entry;
pub use growing::{Growing, GrowingFile, Media};
use opening::{Opening, Start};
use returning::{Left, Returns};
use room::{Finished, Room};
use take::{Closed, Hashed, SYNC_EVERY, Take};

/// When a write or sync takes longer, it is told.
const STALL_AFTER: Duration = Duration::from_secs(5);
/// How long after a recording could not go on the storage is tried again; doubles with each vain try, up to [`MAX_ROOM_WAIT`].
const ROOM_WAIT: Duration = Duration::from_secs(2);
const MAX_ROOM_WAIT: Duration = Duration::from_secs(64);
/// How long after a finished file could not be put in its place that is tried again; doubles with each vain try, up to [`MAX_FINISH_WAIT`].
const FINISH_WAIT: Duration = Duration::from_secs(1);
const MAX_FINISH_WAIT: Duration = Duration::from_secs(60);
/// The wait after a recording's row could not be written; doubles with each vain try, up to [`MAX_BEGIN_WAIT`].
const BEGIN_WAIT: Duration = Duration::from_millis(200);
const MAX_BEGIN_WAIT: Duration = Duration::from_secs(5);

/// Where a recording ends although the publish goes on.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Limits {
    /// In media time.
    pub max_duration: Option<Duration>,
    /// Of the growing file.
    pub max_bytes: Option<u64>,
    /// With less room than this on the storage nothing new is recorded: what is being recorded needs it.
    pub begin_free_bytes: u64,
    /// With less room than this what is being recorded is brought to its end, while there is still room to finish it.
    pub go_on_free_bytes: u64,
    /// An encoder that comes back by then goes on in the same recording. Zero: none does.
    pub reconnect_window: Duration,
}

impl Limits {
    /// These, where the organisation has set nothing else.
    #[must_use]
    pub fn of_organisation(self, settings: &RecordingSettings) -> Self {
        let limit = |own: u64| (own > 0).then_some(own);
        Self {
            max_duration: settings.max_duration_s.map_or(self.max_duration, |own| limit(own).map(Duration::from_secs)),
            max_bytes: settings.max_bytes.map_or(self.max_bytes, limit),
            reconnect_window: settings.reconnect_window_s.map_or(self.reconnect_window, Duration::from_secs),
            ..self
        }
    }
}

impl From<&config::Record> for Limits {
    fn from(config: &config::Record) -> Self {
        Self {
            max_duration: config.max_duration,
            max_bytes: config.max_bytes,
            begin_free_bytes: config.min_free_bytes,
            go_on_free_bytes: config.min_free_bytes / 4,
            reconnect_window: config.reconnect_window,
        }
    }
}

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
    async fn record(self, publish: hub::Recording, mut frames: RecorderSubscription) {
        let mut opening = Opening::default();
        let mut room_wait = ROOM_WAIT;
        // Only what comes first can belong to what was before.
        let mut may_go_on = true;
        loop {
            let (start, end) = self.wait_for_start(opening, &mut frames).await;
            let Some(start) = start else {
                let Some(End::Overflow(overflow)) = end else { return };
                tracing::error!(stream = %publish.streamname, %overflow, "a publish is not recorded from its beginning");
                frames.resume();
                opening = Opening::default();
                continue;
            };
            opening = Opening::default();
            let resumed = if std::mem::take(&mut may_go_on) { self.go_on(&publish, &start).await } else { None };
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
            let end = self.follow(&mut take, start, end, &mut frames).await;
            // What comes while the file is finished is the beginning of the next one.
            match &end {
                End::Limit(first) => {
                    opening = Opening::after(take.tracks());
                    opening.offer(Message::clone(first));
                }
                End::Full { first, .. } => {
                    opening = Opening::after(take.tracks());
                    first.iter().for_each(|first| opening.offer(Message::clone(first)));
                }
                End::Overflow(_) => frames.resume(),
                End::Published | End::Disk(_) | End::NoRoom { .. } => {}
            }
            // A disk that takes a file's head and nothing more is no better than one that takes nothing.
            room_wait = if take.has_fragments() { ROOM_WAIT } else { (room_wait * 2).min(MAX_ROOM_WAIT) };
            let left = match end {
                End::Published => Some(self.returns.leave(publish.stream, take.asset().id, self.limits.reconnect_window)),
                _ => None,
            };
            self.finish(take, &end, left).await;
            match end {
                End::Published => return,
                End::Limit(_) | End::Full { .. } | End::Overflow(_) => {}
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
        let free = spawn_blocking(move || regions.get(&name).map(RegionStore::free_bytes)).await;
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
                tracing::error!(stream = %publish.streamname, %error, "a publish is not recorded: its recording has no row, and the server stops");
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
        let (regions, tracks, growing) = (self.finaliser.regions().clone(), start.tracks.clone(), self.growing.clone());
        let creating = spawn_blocking(move || match regions.get(&note.region) {
            Some(store) => Room::create(store, &note, &tracks, &growing),
            None => Err(std::io::ErrorKind::NotFound.into()),
        });
        match creating.await.map_err(std::io::Error::other).flatten() {
            Ok(room) => {
                tracing::info!(asset = %asset.id, file = asset.file_name, region = %asset.region, "recording");
                let entry = self.growing.enter(&asset, assets::Facts::default(), room.file.clone());
                Some(Take::new(asset, room, start, entry, self.limits))
            }
            Err(error) => {
                tracing::error!(asset = %asset.id, file = asset.file_name, %error, "a publish is not recorded: its file cannot be made; it is tried again");
                let reason = End::Disk(error).to_string();
                if let Err(error) = self.finaliser.fail(&asset, &reason).await {
                    tracing::error!(asset = %asset.id, %error, "a failed recording waits for the next start");
                }
                None
            }
        }
    }

    /// Takes up the recording that the stream's last publish left, where the encoder is back in time and with the same tracks. `None` where there is no such
    /// recording, or it cannot be: then another begins, and nothing is lost.
    async fn go_on(&self, publish: &hub::Recording, start: &Start) -> Option<Take> {
        let written = self.returns.settle(publish.stream).await;
        if self.limits.reconnect_window.is_zero() {
            return None;
        }
        let (asset, left_at) = self.find_left(publish, start.span_ms).await.unwrap_or_else(|error| {
            tracing::error!(stream = %publish.streamname, %error, "whether a recording goes on cannot be found out; another one begins");
            None
        })?;
        let finished = match self.open_finished(&asset, start).await {
            Ok(finished) => finished?,
            Err(error) => {
                tracing::error!(asset = %asset.id, %error, "a recording cannot go on; another one begins");
                return None;
            }
        };
        let back_at = self.finaliser.clock().now().plus_ms(-start.span_ms);
        let reconnect = Reconnect { at_ms: finished.at_ms(), left_at, back_at: back_at.max(left_at) };
        match self.reopen(&asset, publish, finished, reconnect).await {
            Ok((room, report)) => {
                tracing::info!(asset = %asset.id, file = asset.file_name, away_ms = reconnect.back_at.ms_since(left_at), "the encoder is back: recording goes on");
                let entry = self.growing.enter(&asset, asset.facts.clone(), room.file.clone());
                let hashed = written.and_then(|(of, hashed): (AssetId, Hashed)| (of == asset.id).then_some(hashed));
                Some(Take::new(asset, room, start, entry, self.limits).go_on(&report, hashed))
            }
            Err(error) => {
                tracing::error!(asset = %asset.id, %error, "a recording cannot go on; another one begins");
                // Does nothing where the row is as it was.
                self.tasks.spawn(self.clone().finish_later(asset, None, left_at, None));
                None
            }
        }
    }

    /// The stream's last recording, where it is whole and its encoder left not too long ago; and when that was. `span_ms` ago the one that is there now came.
    async fn find_left(&self, publish: &hub::Recording, span_ms: i64) -> db::Result<Option<(Asset, UnixMillis)>> {
        let last = assets::last_of_stream(&mut self.finaliser.db().read().await?, publish.stream).await?;
        let came_at = self.finaliser.clock().now().plus_ms(-span_ms);
        let window_ms = i64::try_from(self.limits.reconnect_window.as_millis()).unwrap_or(i64::MAX);
        Ok(last
            .filter(|asset| asset.state == AssetState::Ready && asset.hold.is_none() && asset.region == publish.region)
            .and_then(|asset| asset.ended_at.map(|left_at| (asset, left_at)))
            .filter(|(_, left_at)| came_at.ms_since(*left_at) <= window_ms))
    }

    async fn open_finished(&self, asset: &Asset, start: &Start) -> std::io::Result<Option<Finished>> {
        let (regions, tracks) = (self.finaliser.regions().clone(), start.tracks.clone());
        let (region, file_name) = (asset.region.clone(), asset.file_name.clone());
        let opening = spawn_blocking(move || {
            let (Some(store), Some(key)) = (regions.get(&region), Key::from_file_name(&file_name)) else { return Ok(None) };
            Finished::open(store, &store.path(&key), &tracks)
        });
        opening.await.map_err(std::io::Error::other)?
    }

    /// The row, then the file: a crash in between leaves a finished file that the next start finds to be one.
    async fn reopen(
        &self,
        asset: &Asset,
        publish: &hub::Recording,
        finished: Finished,
        reconnect: Reconnect,
    ) -> Result<(Room, Report), FinaliseError> {
        let mut tx = self.finaliser.db().write().await?;
        let mut report = assets::report(&mut tx, asset.id).await?.unwrap_or_default();
        report.add_reconnect(reconnect);
        if !assets::reopen(&mut tx, asset, publish.session, &report, self.finaliser.clock().now()).await? {
            return Err(std::io::Error::other("it has been deleted or put under legal hold").into());
        }
        tx.commit().await?;
        let growing = self.growing.clone();
        let room = spawn_blocking(move || finished.reopen(&growing)).await.map_err(std::io::Error::other)??;
        Ok((room, report))
    }

    /// Tries for as long as the server runs: what comes meanwhile waits in the hub's queue, which holds minutes, and ends loudly when it is full.
    async fn insert(&self, new: &NewAsset) -> db::Result<Asset> {
        let mut wait = BEGIN_WAIT;
        loop {
            let error = match self.try_insert(new).await {
                Ok(asset) => return Ok(asset),
                Err(error) => error,
            };
            tracing::error!(asset = %new.id, %error, "a recording waits for the database");
            if self.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Err(error);
            }
            wait = (wait * 2).min(MAX_BEGIN_WAIT);
        }
    }

    async fn try_insert(&self, new: &NewAsset) -> db::Result<Asset> {
        let mut tx = self.finaliser.db().write().await?;
        match assets::begin(&mut tx, new).await {
            Ok(asset) => tx.commit().await.map(|()| asset),
            Err(error) if error.is_unique_violation() => {
                drop(tx);
                // The last try was committed, although it did not come to say so.
                assets::by_id(&mut self.finaliser.db().read().await?, new.id).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes what there is and what comes, until there is no more of it.
    async fn follow(&self, take: &mut Take, start: Start, ended: Option<End>, frames: &mut RecorderSubscription) -> End {
        let (asset, entry) = (take.asset().clone(), take.entry());
        let stalled = |waits: bool| self.tell_stall(&asset, &entry, waits);
        for message in start.messages {
            if let Err(end) = watched(take.offer(message), STALL_AFTER, stalled).await {
                return end;
            }
        }
        if let Some(end) = ended {
            return end;
        }
        loop {
            let next = if take.has_unsynced() {
                match timeout(SYNC_EVERY, frames.next()).await {
                    Ok(next) => next,
                    // The encoder has fallen silent.
                    Err(_) => match watched(take.sync(), STALL_AFTER, stalled).await {
                        Ok(()) => continue,
                        Err(end) => return end,
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
                return end;
            }
        }
    }

    /// The storage has begun, or ceased, to let a recording wait. Waits for nobody itself: the database may lie on the same disk.
    fn tell_stall(&self, asset: &Asset, entry: &Entry, waits: bool) {
        entry.set_stalled(waits);
        if !waits {
            tracing::info!(asset = %asset.id, region = %asset.region, "the storage takes writes again");
            return;
        }
        tracing::error!(asset = %asset.id, region = %asset.region, "the storage has taken no write for {} s; what comes waits in memory", STALL_AFTER.as_secs());
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

    async fn finish(&self, take: Take, end: &End, left: Option<Arc<Left>>) {
        let ended_at = self.finaliser.clock().now();
        let reason = match end {
            End::Published | End::Limit(_) => None,
            _ => Some(end.to_string()),
        };
        if let Some(reason) = &reason {
            tracing::error!(asset = %take.asset().id, reason, "a recording ends before its publish");
        }
        let Closed { asset, entry, known, hashed } = take.close(end).await;
        left.iter().for_each(|left| left.keep(hashed.clone()));
        let (known, reason) = match known {
            Ok((recording, account)) => (Known::Closed(recording, account), reason),
            // Whatever ended it: its last second could not be written.
            Err(error) => (Known::Abandoned, reason.or_else(|| Some(End::Disk(error).to_string()))),
        };
        // Beside the next recording, which waits for nobody.
        let this = self.clone();
        self.tasks.spawn(async move {
            if let Some(reason) = &reason
                && let Err(error) = this.note_end(&asset, reason, ended_at).await
            {
                tracing::error!(asset = %asset.id, %error, "why a recording has ended is not written down before it is finished");
            }
            let finished = this.finaliser.finish(&asset, known, reason.as_deref(), ended_at).await;
            left.iter().for_each(|left| left.settle());
            if let Err(error) = finished {
                tracing::error!(asset = %asset.id, %error, "a recording cannot be finished yet");
                this.finish_later(asset, reason, ended_at, Some(entry)).await;
            }
        });
    }

    /// For the case that it is a later start that finishes the recording.
    async fn note_end(&self, asset: &Asset, reason: &str, ended_at: UnixMillis) -> db::Result<()> {
        let mut tx = self.finaliser.db().write().await?;
        assets::note_end(&mut tx, asset.id, reason, ended_at).await?;
        tx.commit().await
    }

    /// Goes on trying with what start-up could not finish.
    pub fn finish_left(&self, asset: Asset) {
        let (reason, ended_at) = (asset.reason.clone(), asset.ended_at.unwrap_or_else(|| self.finaliser.clock().now()));
        self.tasks.spawn(self.clone().finish_later(asset, reason, ended_at, None));
    }

    /// Tries until the storage and the database let it, or the server stops: then the next start does it. Reads what there is from the file: at what
    /// point the last try failed is not known.
    async fn finish_later(self, asset: Asset, reason: Option<String>, ended_at: UnixMillis, _entry: Option<Arc<Entry>>) {
        let mut wait = FINISH_WAIT;
        loop {
            if self.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                tracing::error!(asset = %asset.id, "a recording is not finished; the next start does it");
                return;
            }
            match self.finaliser.finish(&asset, Known::Abandoned, reason.as_deref(), ended_at).await {
                Ok(()) => return,
                Err(error) => tracing::error!(asset = %asset.id, %error, "a recording still cannot be finished"),
            }
            wait = (wait * 2).min(MAX_FINISH_WAIT);
        }
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
        let limits = self.limits_of(recording.organisation).await;
        self.tasks.spawn(Self { limits, ..self.clone() }.record(recording, frames));
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

    #[test]
    fn an_organisations_limits_win_over_the_servers_also_where_they_are_none() {
        let server = Limits {
            max_duration: Some(Duration::from_secs(3_600)),
            max_bytes: Some(1 << 40),
            begin_free_bytes: 7,
            go_on_free_bytes: 5,
            reconnect_window: Duration::from_secs(30),
        };
        assert_eq!(server.of_organisation(&RecordingSettings::default()), server);
        let none = RecordingSettings {
            max_duration_s: Some(0),
            max_bytes: Some(0),
            reconnect_window_s: Some(0),
            retention_days: Some(0),
        };
        let limits = server.of_organisation(&none);
        assert_eq!((limits.max_duration, limits.max_bytes, limits.reconnect_window), (None, None, Duration::ZERO));
        assert_eq!((limits.begin_free_bytes, limits.go_on_free_bytes), (7, 5), "the disk is the server's");
        let own = RecordingSettings { max_duration_s: Some(60), max_bytes: Some(1 << 30), ..RecordingSettings::default() };
        let limits = server.of_organisation(&own);
        assert_eq!((limits.max_duration, limits.max_bytes), (Some(Duration::from_secs(60)), Some(1 << 30)));
        assert_eq!(limits.reconnect_window, server.reconnect_window);
    }

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
