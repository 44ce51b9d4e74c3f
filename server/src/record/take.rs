//! One recording while it grows: frames in, fragments on disk. All that touches the disk runs on blocking threads, one write at a time; what comes
//! meanwhile waits in the hub's queue, which has the limit.

use std::fmt;
use std::io;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use afterlive_domain::Report;
use afterlive_domain::report::Checksum;
use afterlive_media::frame::{Frame, TrackConfig, TrackKind};
use afterlive_media::mp4::{Fragment, Recording, RecordingWriter};
use afterlive_media::time::{MILLISECONDS, rescale};
use ring::digest;
use tokio::task::spawn_blocking;

use super::brink::{Arrival, Brink};
use super::cut::{Cutter, Foresight};
use super::first_picture::{Begins, FirstPicture};
use super::growing::{Entry, GrowingFile};
use super::opening::Start;
use super::room::Room;
use super::tally::{Counts, Tally};
use super::{End, Limits};
use crate::db::assets::{Asset, Facts};
use crate::finalise::{Account, Received, carry_out, facts_of, free_bytes, is_unsynced, write_parts};
use crate::hexadecimal::hexadecimal;
use crate::hub::Message;

/// Two syncs are so far apart at least, and where the encoder falls silent what is written waits so long for one. An encoder in real time has each
/// fragment synced as it ends; one that sends a file as fast as it can does not ask for a sync for each second of media.
pub(super) const SYNC_EVERY: Duration = Duration::from_millis(250);

pub(super) struct Take {
    asset: Asset,
    file: GrowingFile,
    synced_at: Instant,
    has_unsynced: bool,
    /// By blocks of so many bytes the file's reserve can be enlarged.
    block_bytes: Option<u32>,
    cutter: Cutter,
    /// As they are for the frames that come now.
    tracks: Vec<TrackConfig>,
    /// A picture track begins with one that can be decoded, also where it comes late.
    first_picture: FirstPicture,
    entry: Arc<Entry>,
    limits: Limits,
    brink: Brink,
    counts: SharedCounts,
    /// Absent where what the file had before was written by another process.
    hashed: Option<Hashed>,
}

/// What came so far. Outlives a recorder that fails.
#[derive(Clone, Debug)]
pub(super) struct SharedCounts(Arc<Mutex<Counts>>);

impl SharedCounts {
    fn new(counts: Counts) -> Self {
        Self(Arc::new(Mutex::new(counts)))
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a recording whose bytes are not.
    pub(super) fn account(&self) -> Account {
        self.lock().account(None)
    }
}

/// The checksum of all fragments so far. Travels with each of them to the thread that writes it.
#[derive(Clone)]
pub(super) struct Hashed {
    /// Ring's, which takes half the time of the crate `sha2` here, where it counts: it is a tenth of what a recording costs.
    sha256: digest::Context,
    bytes: u64,
}

impl Default for Hashed {
    fn default() -> Self {
        Self { sha256: digest::Context::new(&digest::SHA256), bytes: 0 }
    }
}

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashed").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// All that is left of a recording that grows no more.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) asset: Asset,
    /// The place in the list of the growing, to be kept until the row says more.
    pub(super) entry: Arc<Entry>,
    /// All that finalising needs; an error where the file may end in half a write.
    pub(super) recording: io::Result<Recording>,
    pub(super) account: Account,
    /// For the case that the encoder comes back.
    pub(super) hashed: Option<Hashed>,
}

impl Take {
    /// Records into a new file. `entry` is the asset's place in the list of the growing.
    pub(super) fn new(asset: Asset, opened: Room, start: &Start, entry: Entry, limits: Limits) -> Self {
        let before_ms = opened.file.with_writer(|writer| writer.begins_ms()).unwrap_or(0);
        let take = Self {
            asset,
            file: opened.file,
            synced_at: Instant::now(),
            has_unsynced: false,
            block_bytes: opened.block_bytes,
            cutter: Cutter::default(),
            tracks: start.tracks.clone(),
            first_picture: start.first_picture.clone(),
            entry: Arc::new(entry),
            limits,
            brink: Brink::new(limits, before_ms),
            counts: SharedCounts::new(Counts {
                tallies: start.left_out_frames.map(Tally::after),
                received_before: Some([Received::default(); 2]),
                lost_frames: 0,
            }),
            hashed: Some(Hashed::default()),
        };
        take.tell_how_it_begins();
        take
    }

    /// The same for a file that an encoder has come back to: what had come before is in `report`, what had been written in `hashed`, where that is known.
    pub(super) fn go_on(self, report: &Report, hashed: Option<Hashed>) -> Self {
        let whole = hashed.filter(|hashed| hashed.bytes == self.file.media_bytes());
        {
            let mut counts = self.counts.lock();
            (counts.received_before, counts.lost_frames) = (received_before(report), report.lost_frames);
        }
        Self { hashed: whole, ..self }
    }

    /// So many frames were lost between the encoder and us while it was recorded.
    pub(super) fn count_lost(&mut self, frames: u64) {
        self.counts.lock().lost_frames += frames;
    }

    /// So many frames of pictures and of sound came while it was recorded, or before it could begin, and are lost.
    pub(super) fn count_missed(&mut self, frames: [u64; 2]) {
        self.counts.lock().miss(frames);
    }

    /// To be kept by who outlives the take.
    pub(super) fn counts(&self) -> SharedCounts {
        self.counts.clone()
    }

    pub(super) fn asset(&self) -> &Asset {
        &self.asset
    }

    /// What has reached the file beside its head.
    pub(super) fn media_bytes(&self) -> u64 {
        self.file.media_bytes()
    }

    pub(super) fn tracks(&self) -> Vec<TrackConfig> {
        self.tracks.clone()
    }

    /// Where what comes from here on will be cut.
    pub(super) fn foresight(&self) -> Foresight {
        Foresight::new(self.cutter.clone(), &self.tracks)
    }

    /// Takes a message; returns when what had to reach the disk is there.
    pub(super) async fn offer(&mut self, message: Message) -> Result<(), End> {
        match message {
            Message::TrackChanged(track) => self.change_track(track).await,
            Message::Frame(frame) => self.push(frame).await,
            Message::Ended => Ok(()),
        }
    }

    async fn change_track(&mut self, track: TrackConfig) -> Result<(), End> {
        self.first_picture.configure(&track.codec);
        match self.tracks.iter_mut().find(|known| known.codec.kind() == track.codec.kind()) {
            Some(known) => known.clone_from(&track),
            None => self.tracks.push(track.clone()),
        }
        let steps = self.with_writer(|writer| writer.configure(&track)).map_err(|error| End::Full { error, first: None })?;
        on_disk(&self.file, move |file| carry_out(file.file(), &steps)).await.map_err(End::Disk)
    }

    async fn push(&mut self, mut frame: Frame) -> Result<(), End> {
        let kind = frame.kind;
        let Some(track) = self.tracks.iter().find(|track| track.codec.kind() == kind) else { return Ok(()) };
        let dts_ms = rescale(frame.dts, track.timescale, MILLISECONDS);
        let could_begin = kind == TrackKind::Audio || self.first_picture.mark(&mut frame);
        let has_pictures = self.tracks.iter().any(|track| track.codec.kind() == TrackKind::Video);
        let arrival = Arrival { kind, dts_ms, bytes: frame.data.len() as u64, could_begin, has_pictures };
        let file = &self.file;
        let file_bytes = || file.with_writer(|writer| writer.length() + writer.pending_bytes()).unwrap_or(0);
        if self.brink.ends_before(arrival, file_bytes) {
            return Err(End::Limit(Box::new(Message::Frame(frame))));
        }
        if kind == TrackKind::Video && self.first_picture.begins().is_none() {
            if !self.first_picture.lets_in(&frame, could_begin, dts_ms) {
                self.counts.lock().tallies[kind as usize].leave_out();
                return Ok(());
            }
            self.tell_how_it_begins();
        }
        self.brink.count(kind, dts_ms);
        let keyframe = frame.keyframe;
        let again = frame.clone();
        let pushed = self.with_writer(|writer| writer.push(frame).map(|()| writer.pending_bytes()));
        let pending_bytes = pushed.map_err(|error| End::Full { error, first: Some(Box::new(Message::Frame(again))) })?;
        self.counts.lock().tallies[kind as usize].count(dts_ms);
        if !self.cutter.begins_with(kind, keyframe, dts_ms, pending_bytes) {
            return Ok(());
        }
        let cut = self.with_writer(|writer| {
            let fragment = writer.cut()?;
            Some((fragment, Facts { size_bytes: writer.length(), ..facts_of(writer.index()) }))
        });
        let Some((fragment, facts)) = cut else { return Ok(()) };
        let sync = self.synced_at.elapsed() >= SYNC_EVERY;
        let written = write(&self.file, fragment, take(&mut self.hashed), sync).await.map_err(End::Disk)?;
        self.hashed = written.hashed;
        self.has_unsynced = !sync;
        self.entry.set(facts);
        self.enlarge_reserve().await?;
        if sync {
            self.synced_at = Instant::now();
        }
        match written.free_bytes {
            // It ends while it can still be finished. A disk that does not tell its room is written to until that fails.
            Some(free_bytes) if free_bytes < self.limits.go_on_free_bytes => Err(End::NoRoom { free_bytes }),
            _ => Ok(()),
        }
    }

    /// Sees to it that the index will fit in front of the media at any time, so that there is nothing to move when the recording ends.
    async fn enlarge_reserve(&mut self) -> Result<(), End> {
        let Some(block_bytes) = self.block_bytes else { return Ok(()) };
        let Some(enlargement) = self.with_writer(|writer| writer.enlarge_reserve(block_bytes)) else { return Ok(()) };
        match on_disk(&self.file, move |file| file.enlarge(&enlargement)).await {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.block_bytes = None;
                Ok(())
            }
            done => done.map_err(End::Disk),
        }
    }

    /// # Panics
    /// Never: the writer leaves only with the take.
    fn with_writer<T>(&self, act: impl FnOnce(&mut RecordingWriter) -> T) -> T {
        self.file.with_writer(act).expect("the writer leaves only with the take")
    }

    fn tell_how_it_begins(&self) {
        let asset = self.asset.id;
        match self.first_picture.begins() {
            None | Some(Begins::Whole) => {}
            Some(Begins::Gradually) => {
                tracing::info!(%asset, "a recording's pictures begin with a recovery point: they come together over some frames");
            }
            Some(Begins::Anywhere) => {
                tracing::warn!(%asset, "a recording's pictures begin without a keyframe: until one comes they are damaged");
            }
        }
    }

    /// Whether something waits for [`Self::sync`].
    pub(super) fn has_unsynced(&self) -> bool {
        self.has_unsynced
    }

    pub(super) async fn sync(&mut self) -> Result<(), End> {
        on_disk(&self.file, |file| file.sync(file.media_bytes())).await.map_err(End::Disk)?;
        self.synced_at = Instant::now();
        self.has_unsynced = false;
        Ok(())
    }

    /// Writes what is left and closes the file, with all of it on disk. Where a sync has failed the file ends at the last good one.
    pub(super) async fn close(self, end: &End) -> Closed {
        let Self { asset, file, entry, counts, hashed, .. } = self;
        let closed = match (end, file.take_writer()) {
            // What was counted as written is not there.
            (End::Disk(error), _) => {
                cut_unsynced(&asset, &file, error).await;
                Err(io::Error::from(error.kind()))
            }
            (_, None) => Err(io::ErrorKind::Other.into()),
            (_, Some(writer)) => {
                let written = match writer.finish() {
                    // Here, and not when it is finished: who syncs it then could not tell what a sync that fails has lost.
                    (Some(fragment), recording) => {
                        write(&file, fragment, hashed, true).await.map(|done| (done.hashed, recording))
                    }
                    (None, recording) => {
                        let synced = on_disk(&file, |file| file.sync(file.media_bytes())).await;
                        synced.map(|()| (hashed, recording))
                    }
                };
                if let Err(error) = &written {
                    cut_unsynced(&asset, &file, error).await;
                }
                written
            }
        };
        let (recording, hashed) = match closed {
            Ok((hashed, recording)) => (Ok(recording), hashed),
            Err(error) => (Err(error), None),
        };
        let checksum = hashed
            .clone()
            .map(|hashed| Checksum { last_bytes: hashed.bytes, sha256: hexadecimal(hashed.sha256.finish().as_ref()) });
        let account = counts.lock().account(checksum);
        Closed { asset, entry, recording, account, hashed }
    }
}

/// After a sync that failed nothing behind the last good one counts as written, although it reads so.
async fn cut_unsynced(asset: &Asset, file: &GrowingFile, error: &io::Error) {
    if !is_unsynced(error) {
        return;
    }
    match on_disk(file, GrowingFile::cut_unsynced).await {
        Ok(()) => {
            tracing::error!(asset = %asset.id, %error, "a sync has failed: the recording ends at the last one that did not");
        }
        Err(error) => {
            tracing::error!(asset = %asset.id, %error, "a sync has failed, and what came behind the last good one cannot be taken off the recording: its last second may be damaged");
        }
    }
}

/// What a report says to have come.
fn received_before(report: &Report) -> Option<[Received; 2]> {
    let of_kind = |kind: &str| {
        let Some(track) = report.tracks.iter().find(|track| track.kind == kind) else { return Some(Received::default()) };
        Some(Received {
            frames: track.received_frames?,
            left_out_frames: track.left_out_frames.unwrap_or(0),
            lasts_ms: track.received_ms?,
        })
    };
    Some([of_kind("video")?, of_kind("audio")?])
}

struct Written {
    hashed: Option<Hashed>,
    /// Where it was synced, and the disk tells.
    free_bytes: Option<u64>,
}

/// All that a fragment asks of the disk, in one visit to a thread that may wait.
async fn write(file: &GrowingFile, fragment: Fragment, mut hashed: Option<Hashed>, sync: bool) -> io::Result<Written> {
    on_disk(file, move |file| {
        write_parts(file.file(), fragment.offset, &fragment.parts)?;
        if let Some(hashed) = &mut hashed {
            fragment.parts.iter().for_each(|part| hashed.sha256.update(part));
            hashed.bytes += fragment.length;
        }
        if sync {
            file.sync(file.media_bytes() + fragment.length)?;
        }
        file.has_written(fragment.length);
        let free_bytes = if sync { free_bytes(file.file()) } else { None };
        Ok(Written { hashed, free_bytes })
    })
    .await
}

async fn on_disk<T: Send + 'static>(
    file: &GrowingFile,
    act: impl FnOnce(&GrowingFile) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let file = file.clone();
    spawn_blocking(move || act(&file)).await.map_err(io::Error::other)?
}
