//! From the spool's growing file to a finished MP4 at its URL, and the same after a crash. Also what is done to finished files: a look by a
//! decoder, the poster and the storyboard, the way to the bin, back, and out of it.
//!
//! The order is what makes a crash harmless: bytes synced, file renamed, row committed, spool released. Whatever is missing of it
//! after a crash, [`recover()`] does at the next start.

mod by_hand;
mod file;
mod recover;
mod retention;
mod tasks;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use afterlive_domain::report::{self, Checksum, Gap, Report, TrackReport};
use afterlive_domain::{StreamState, UnixMillis};
use afterlive_media::frame::TrackKind;
use afterlive_media::mp4::finalise::{self as plans, FinalisePlan};
use afterlive_media::mp4::{PlanError, Recording, SampleIndex, ScanError, Scanned, salvage, scan};
use tokio::task::spawn_blocking;

use crate::clock::Clock;
use crate::db::assets::{self, Asset, Facts};
use crate::db::{self, Db, Tx, streams};
use crate::jobs::{self, Task};
use crate::pictures::{self, Darkroom, DarkroomError};
use crate::storage::{Key, RegionStore, Regions, StorageError};

pub use by_hand::{Outcome as RecoveredFile, RecoverError, recover_file};
pub use file::{Opened, block_bytes, carry_out, free_bytes, write_parts};
pub use recover::{Recovered, recover};
pub use retention::Retention;

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
    /// Nothing: a write failed, or the process died.
    Abandoned,
}

/// What a recorder counted while it wrote.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Account {
    /// Of pictures and of sound; absent where an earlier part of the recording was never counted.
    pub received: Option<[Received; 2]>,
    /// Of all that lies behind the head; absent where an earlier part of it was written by another process.
    pub checksum: Option<Checksum>,
}

/// What came of a track.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Received {
    pub frames: u64,
    /// Of them, those that could not be shown: there was no key frame yet.
    pub left_out_frames: u64,
    /// From the first frame that was not left out to the end of the last, by the encoder's clock.
    pub lasts_ms: u64,
}

/// What came of a file.
#[derive(Debug)]
struct Placed {
    facts: Facts,
    report: Option<Report>,
}

/// Finishes recordings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Finaliser {
    db: Db,
    clock: Clock,
    regions: Regions,
    retention: Retention,
    darkroom: Darkroom,
}

impl Finaliser {
    #[must_use]
    pub fn new(db: Db, clock: Clock, regions: Regions) -> Self {
        Self { db, clock, regions, retention: Retention::default(), darkroom: Darkroom::of_this_program() }
    }

    /// With what the server's settings say of keeping recordings.
    #[must_use]
    pub fn with_retention(self, retention: Retention) -> Self {
        Self { retention, ..self }
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

/// Finalises the file and gives it its place. Blocks. Doing it again after a crash at any point does no harm.
fn place(store: &RegionStore, asset: &Asset, known: Known) -> Result<Placed, FinaliseError> {
    let key = Key::from_file_name(&asset.file_name).ok_or_else(|| FinaliseError::BadFileName(asset.file_name.clone()))?;
    let spooled = store.spool().recording_path(asset.id);
    let path = find(store, &spooled, &key)?;
    let mut file = File::options().read(true).write(true).open(&path)?;
    let (recording, account) = match known {
        Known::Closed(recording, account) => (recording, Some(account)),
        Known::Abandoned => match scan(&mut file::Opened(&file)).map_err(scan_error)? {
            Scanned::Growing { recording, .. } => (recording, None),
            // A crash came before the commit.
            Scanned::Finalised => return read_finished(&file, &store.adopt(&spooled, &key)?),
        },
    };
    finalise(store, asset, &recording, &path, &mut file)?;
    let mut facts = facts_of(&recording.index);
    facts.size_bytes = file.metadata()?.len();
    store.adopt(&spooled, &key)?;
    Ok(Placed { facts, report: Some(report_of(&recording.index, account)) })
}

/// Where the recording is: in the spool, or in its place already, where a crash came before the commit or an encoder came back.
fn find(store: &RegionStore, spooled: &Path, key: &Key) -> Result<PathBuf, FinaliseError> {
    for path in [spooled.to_owned(), store.path(key)] {
        if path.try_exists()? {
            return Ok(path);
        }
    }
    store.require()?;
    Err(FinaliseError::Empty)
}

/// Makes the growing file a plain MP4, by the cheapest way that its file system has.
fn finalise(
    store: &RegionStore,
    asset: &Asset,
    recording: &Recording,
    path: &Path,
    file: &mut File,
) -> Result<(), FinaliseError> {
    match plans::plan(recording, file.metadata()?.len(), file::block_bytes(file)).map_err(plan_error)? {
        FinalisePlan::InPlace(steps) => Ok(carry_out(file, &steps)?),
        FinalisePlan::InsertRange(steps) => match carry_out(file, &steps) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => rewrite(store, asset, recording, path, file),
            done => Ok(done?),
        },
        FinalisePlan::Copy(_) => rewrite(store, asset, recording, path, file),
    }
}

/// Writes the finished file anew, beside the old one at `path`, and puts it in its place.
fn rewrite(store: &RegionStore, asset: &Asset, recording: &Recording, path: &Path, file: &mut File) -> Result<(), FinaliseError> {
    let block_bytes = file::block_bytes(file).unwrap_or(4_096);
    let plan = plans::copy(recording, file.metadata()?.len(), block_bytes).map_err(plan_error)?;
    let needed_bytes = plan.head.len() as u64 + (plan.source.end - plan.source.start);
    // The other recordings need what room there is.
    if file::free_bytes(file).is_some_and(|free| free < needed_bytes + COPY_MARGIN_BYTES) {
        return Err(FinaliseError::Io(io::ErrorKind::StorageFull.into()));
    }
    let place = store.spool().copy_path(asset.id);
    let copied = file::copy(file, &plan, &place).and_then(|copy| fs::rename(&place, path).map(|()| copy));
    *file = copied.inspect_err(|_| drop(fs::remove_file(&place)))?;
    Ok(())
}

fn plan_error(error: PlanError) -> FinaliseError {
    match error {
        PlanError::Empty => FinaliseError::Empty,
        // Only the plans that were not chosen say so.
        PlanError::NeedsRoom { .. } => FinaliseError::Io(io::Error::other(error)),
    }
}

fn scan_error(error: ScanError) -> FinaliseError {
    match error {
        ScanError::Io(error) => FinaliseError::Io(error),
        ScanError::NoHead => FinaliseError::Scan(error),
    }
}

/// What a finished file says of itself: by the fragments that are still in it, else as a demuxer sees it.
fn read_finished(file: &File, path: &Path) -> Result<Placed, FinaliseError> {
    if let Ok(recording) = salvage(&mut file::Opened(file)) {
        let mut facts = facts_of(&recording.index);
        facts.size_bytes = file.metadata()?.len();
        return Ok(Placed { facts, report: Some(report_of(&recording.index, None)) });
    }
    let facts = pictures::facts(path).map_err(|error| match error {
        error if error.is_of_the_file() => FinaliseError::Unplayable(error.to_string()),
        error => FinaliseError::Io(io::Error::other(error)),
    })?;
    Ok(Placed { facts, report: None })
}

/// What the index says of a recording beside what its recorder counted.
fn report_of(index: &SampleIndex, account: Option<Account>) -> Report {
    let Account { received, checksum } = account.unwrap_or_default();
    let span = |kind: TrackKind| {
        let of_kind = index.tracks().iter().zip(index.spans_ms()).find(|(track, _)| track.kind() == kind && track.samples() > 0);
        of_kind.map(|(_, (begins_ms, lasts_ms))| (begins_ms as i64, (begins_ms + lasts_ms) as i64))
    };
    let apart = span(TrackKind::Video).zip(span(TrackKind::Audio)).map(|(video, audio)| (audio.0 - video.0, audio.1 - video.1));
    let tracks = index.tracks().iter().zip(index.spans_ms()).map(|(track, (begins_ms, lasts_ms))| {
        let gaps =
            || track.gaps(report::GAP_MS).map(|(from_ms, to_ms)| Gap { from_ms: begins_ms + from_ms, to_ms: begins_ms + to_ms });
        let received = received.map(|received| received[track.kind() as usize]);
        let stored_frames = u64::from(track.samples());
        TrackReport {
            kind: match track.kind() {
                TrackKind::Video => "video".to_owned(),
                TrackKind::Audio => "audio".to_owned(),
            },
            configurations: track.descriptions().len() as u32,
            received_frames: received.map(|received| received.frames),
            stored_frames,
            left_out_frames: received.map(|received| received.left_out_frames),
            dropped_frames: received.map(|received| received.frames.saturating_sub(received.left_out_frames + stored_frames)),
            received_ms: received.map(|received| received.lasts_ms),
            begins_ms,
            lasts_ms,
            media_bytes: track.media_bytes(),
            gaps: gaps().take(report::MAX_LISTED).collect(),
            gap_count: gaps().count() as u64,
        }
    });
    Report {
        tracks: tracks.collect(),
        checksum,
        av_begin_offset_ms: apart.map(|(begin, _)| begin),
        av_end_offset_ms: apart.map(|(_, end)| end),
        ..Report::default()
    }
}

/// What the index says of a recording; its size in the file system is left out.
#[must_use]
pub fn facts_of(index: &SampleIndex) -> Facts {
    let duration_ms = index.duration_ms();
    let described = |kind: TrackKind| {
        let track = index.track(kind).filter(|track| track.samples() > 0)?;
        Some((track, track.descriptions().first()?))
    };
    let video = described(TrackKind::Video);
    let size = video.and_then(|(_, codec)| codec.picture());
    let fps = video.filter(|_| duration_ms > 0).map(|(track, _)| f64::from(track.samples()) * 1_000.0 / duration_ms as f64);
    Facts {
        duration_ms,
        size_bytes: 0,
        width: size.map(|size| size.width.into()),
        height: size.map(|size| size.height.into()),
        fps: fps.map(|fps| (fps * 1_000.0).round() / 1_000.0),
        video_codec: video.map(|(_, codec)| codec.name().to_owned()),
        audio_codec: described(TrackKind::Audio).map(|(_, codec)| codec.name().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{RegionSettings, SpoolNote};
    use afterlive_domain::{AssetId, AssetState, OrganisationId, SessionId, StreamId};
    use afterlive_media::frame::{CodecConfig, Frame, TrackConfig};
    use afterlive_media::mp4::RecordingWriter;
    use bytes::Bytes;
    use uuid::Uuid;

    fn regions(folder: &std::path::Path) -> Regions {
        let settings = RegionSettings {
            name: "eu".parse().unwrap(),
            storage: folder.join("eu"),
            vod_url: "http://localhost:3000/vod-eu".parse().unwrap(),
        };
        Regions::open([settings]).unwrap()
    }

    /// Audio of 5,000 frames behind a reserve of so many bytes, in the spool.
    fn a_recording(store: &RegionStore, reserve_bytes: u32) -> (Asset, Recording) {
        let id = AssetId(Uuid::new_v4());
        let note = SpoolNote {
            asset: id,
            stream: StreamId(Uuid::new_v4()),
            session: SessionId(Uuid::new_v4()),
            streamname: "8sKpm-x49nB".parse().unwrap(),
            index: 1,
            region: store.name().clone(),
            created_at: UnixMillis(1),
        };
        let file = store.spool().create(&note).unwrap();
        let asc = Bytes::from_static(&[0x11, 0x90]);
        let codec = CodecConfig::Aac { asc, sample_rate: 48_000, channels: 2 };
        let (mut writer, head) = RecordingWriter::new(&[TrackConfig { codec, timescale: 48_000 }], reserve_bytes);
        write_parts(&file, 0, &[head]).unwrap();
        for n in 0..5_000_u16 {
            // Sizes that differ, so that the index needs room for each.
            let data = Bytes::from(vec![0x21; 100 + usize::from(n % 50)]);
            let frame = Frame { kind: TrackKind::Audio, dts: i64::from(n) * 1_024, pts_offset: 0, keyframe: true, data };
            writer.push(frame).unwrap();
            if n % 47 == 0
                && let Some(fragment) = writer.cut()
            {
                write_parts(&file, fragment.offset, &fragment.parts).unwrap();
            }
        }
        let (last, recording) = writer.finish();
        let last = last.unwrap();
        write_parts(&file, last.offset, &last.parts).unwrap();
        let asset = Asset {
            id,
            organisation: OrganisationId(Uuid::new_v4()),
            stream: note.stream,
            session: note.session,
            index: 1,
            region: note.region,
            file_name: "8sKpm-x49nB.mp4".to_owned(),
            state: AssetState::Recording,
            reason: None,
            created_at: note.created_at,
            ended_at: None,
            updated_at: note.created_at,
            facts: Facts::default(),
            has_poster: false,
            hold: None,
            has_storyboard: false,
            deleted_at: None,
            purged_at: None,
        };
        (asset, recording)
    }

    fn an_account() -> Account {
        let received = Received { frames: 5_000, ..Received::default() };
        Account { received: Some([Received::default(), received]), checksum: None }
    }

    #[test]
    fn a_file_is_finished_whatever_room_it_has_and_whatever_is_known_of_it() {
        // Room enough; room for one block, which is inserted where the file system can; no room, which means a copy.
        for reserve_bytes in [1 << 20, 9_000, 8] {
            for known in [true, false] {
                let folder = tempfile::tempdir().unwrap();
                let regions = regions(folder.path());
                let store = regions.iter().next().unwrap();
                let (asset, recording) = a_recording(store, reserve_bytes);
                let known = if known { Known::Closed(recording, an_account()) } else { Known::Abandoned };
                let Placed { facts, report } = place(store, &asset, known).unwrap();
                let report = report.unwrap();
                assert_eq!((report.tracks[0].stored_frames, report.tracks[0].gap_count), (5_000, 0));
                let path = store.path(&Key::from_file_name(&asset.file_name).unwrap());
                let file = File::open(&path).unwrap();
                assert_eq!(scan(&mut file::Opened(&file)).unwrap(), Scanned::Finalised, "{reserve_bytes}");
                let seen = pictures::facts(&path).unwrap();
                assert_eq!((facts.size_bytes, facts.audio_codec.as_deref()), (seen.size_bytes, Some("aac")));
                assert!(facts.duration_ms.abs_diff(seen.duration_ms) <= 1, "{facts:?} {seen:?}");
                assert!(!store.spool().recording_path(asset.id).exists() && !store.spool().copy_path(asset.id).exists());
                // As after a crash before the commit.
                let again = place(store, &asset, Known::Abandoned).unwrap().facts;
                assert_eq!((again.size_bytes, again.audio_codec), (facts.size_bytes, facts.audio_codec));
            }
        }
    }

    #[test]
    fn a_file_that_was_cut_short_growing_or_finished_is_recovered_beside_it_up_to_its_last_fragment() {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        for (number, reserve_bytes) in [None, Some(1 << 20), Some(9_000), Some(8)].into_iter().enumerate() {
            let (mut asset, recording) = a_recording(store, reserve_bytes.unwrap_or(1 << 20));
            let mut path = store.spool().recording_path(asset.id);
            let whole_ms = facts_of(&recording.index).duration_ms;
            if reserve_bytes.is_some() {
                asset.file_name = format!("8sKpm-x49nB-{}.mp4", number + 1);
                place(store, &asset, Known::Closed(recording, an_account())).unwrap();
                path = store.path(&Key::from_file_name(&asset.file_name).unwrap());
                assert_eq!(recover_file(&path, None).unwrap(), RecoveredFile::WasFinished);
            }
            let length = fs::metadata(&path).unwrap().len();
            File::options().write(true).open(&path).unwrap().set_len(length - length / 4).unwrap();
            let before = fs::read(&path).unwrap();
            let RecoveredFile::Recovered { place, duration_ms, lost_bytes } = recover_file(&path, None).unwrap() else {
                panic!("{reserve_bytes:?} was cut short")
            };
            let seen = pictures::facts(&place).unwrap();
            assert!(seen.duration_ms.abs_diff(duration_ms) <= 1 && duration_ms > whole_ms / 4, "{seen:?} of {whole_ms} ms");
            assert!(lost_bytes < 10_000, "{lost_bytes}");
            assert_eq!(fs::read(&path).unwrap(), before);
            assert!(matches!(recover_file(&path, None), Err(RecoverError::Taken(_))));
        }
        let other = folder.path().join("other.mp4");
        fs::write(&other, b"not an MP4").unwrap();
        assert!(matches!(recover_file(&other, None), Err(RecoverError::NotOurs(_))));
    }

    #[test]
    fn what_holds_no_fragment_is_empty_and_what_is_no_recording_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let (asset, _) = a_recording(store, 1_000);
        let path = store.spool().recording_path(asset.id);
        File::options().write(true).open(&path).unwrap().set_len(1_700).unwrap();
        let error = place(store, &asset, Known::Abandoned).unwrap_err();
        assert!(matches!(error, FinaliseError::Empty) && error.is_final(), "{error}");
        fs::write(&path, b"not an MP4").unwrap();
        let error = place(store, &asset, Known::Abandoned).unwrap_err();
        assert!(matches!(error, FinaliseError::Scan(_)) && error.is_final(), "{error}");
        fs::remove_file(&path).unwrap();
        assert!(matches!(place(store, &asset, Known::Abandoned), Err(FinaliseError::Empty)));
    }
}
