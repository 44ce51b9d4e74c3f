//! One recording while it grows: frames in, fragments on disk. All that touches the disk runs on blocking threads, one write at a time; what comes
//! meanwhile waits in the hub's queue, which has the limit.

use std::fs::File;
use std::io;
use std::mem::take;
use std::sync::Arc;
use std::time::{Duration, Instant};

use afterlive_domain::report::Checksum;
use afterlive_media::frame::{Frame, TrackConfig, TrackKind};
use afterlive_media::mp4::{DEFAULT_RESERVE_BYTES, Fragment, Recording, RecordingWriter};
use afterlive_media::time::{MILLISECONDS, rescale};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use super::cut::Cutter;
use super::growing::Entry;
use super::opening::Start;
use super::{End, Limits};
use crate::db::assets::Asset;
use crate::finalise::{Account, carry_out, facts_of, free_bytes, write_parts};
use crate::hexadecimal::hexadecimal;
use crate::hub::Message;
use crate::storage::{RegionStore, SpoolNote};

/// Two syncs are so far apart at least, and where the encoder falls silent what is written waits so long for one. An encoder in real time has each
/// fragment synced as it ends; one that sends a file as fast as it can does not ask for a sync for each second of media.
pub(super) const SYNC_EVERY: Duration = Duration::from_millis(250);

pub(super) struct Take {
    asset: Asset,
    file: Arc<File>,
    synced_at: Instant,
    has_unsynced: bool,
    writer: RecordingWriter,
    cutter: Cutter,
    /// As they are for the frames that come now.
    tracks: Vec<TrackConfig>,
    /// A picture track begins with a keyframe, also where it comes late.
    has_keyframe: bool,
    entry: Arc<Entry>,
    limits: Limits,
    /// Media time of the first frame.
    began_ms: Option<i64>,
    /// Bytes of frames since the last one that another file could begin with, and the most that this has been.
    stretch_bytes: u64,
    longest_stretch_bytes: u64,
    /// Of pictures and of sound.
    received_frames: [u64; 2],
    hashed: Hashed,
}

/// The checksum of all fragments so far. Travels with each of them to the thread that writes it.
#[derive(Clone, Default)]
struct Hashed {
    sha256: Sha256,
    bytes: u64,
}

impl Take {
    /// Makes the file, with its head on disk. Blocks.
    pub(super) fn create(store: &RegionStore, note: &SpoolNote, tracks: &[TrackConfig]) -> io::Result<(File, RecordingWriter)> {
        let file = store.spool().create(note)?;
        let (writer, head) = RecordingWriter::new(tracks, DEFAULT_RESERVE_BYTES);
        write_parts(&file, 0, &[head])?;
        file.sync_data()?;
        Ok((file, writer))
    }

    pub(super) fn new(asset: Asset, file: File, writer: RecordingWriter, start: &Start, entry: Entry, limits: Limits) -> Self {
        Self {
            asset,
            file: Arc::new(file),
            synced_at: Instant::now(),
            has_unsynced: false,
            writer,
            cutter: Cutter::default(),
            tracks: start.tracks.clone(),
            has_keyframe: false,
            entry: Arc::new(entry),
            limits,
            began_ms: None,
            stretch_bytes: 0,
            longest_stretch_bytes: 0,
            received_frames: start.left_out_frames,
            hashed: Hashed::default(),
        }
    }

    pub(super) fn entry(&self) -> Arc<Entry> {
        Arc::clone(&self.entry)
    }

    pub(super) fn asset(&self) -> &Asset {
        &self.asset
    }

    /// Whether anything but its head has reached the file.
    pub(super) fn has_fragments(&self) -> bool {
        !self.writer.index().is_empty()
    }

    pub(super) fn tracks(&self) -> Vec<TrackConfig> {
        self.tracks.clone()
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
        match self.tracks.iter_mut().find(|known| known.codec.kind() == track.codec.kind()) {
            Some(known) => known.clone_from(&track),
            None => self.tracks.push(track.clone()),
        }
        let steps = self.writer.configure(&track).map_err(|error| End::Full { error, first: None })?;
        on_disk(&self.file, move |file| carry_out(file, &steps)).await.map_err(End::Disk)
    }

    async fn push(&mut self, frame: Frame) -> Result<(), End> {
        let (kind, keyframe) = (frame.kind, frame.keyframe);
        let Some(track) = self.tracks.iter().find(|track| track.codec.kind() == kind) else { return Ok(()) };
        let dts_ms = rescale(frame.dts, track.timescale, MILLISECONDS);
        let could_begin = match kind {
            TrackKind::Video => keyframe,
            TrackKind::Audio => self.tracks.iter().all(|track| track.codec.kind() != TrackKind::Video),
        };
        if could_begin {
            if self.is_at_limit(dts_ms) {
                return Err(End::Limit(Box::new(Message::Frame(frame))));
            }
            self.stretch_bytes = 0;
        }
        self.received_frames[kind as usize] += 1;
        self.stretch_bytes += frame.data.len() as u64;
        self.longest_stretch_bytes = self.longest_stretch_bytes.max(self.stretch_bytes);
        if kind == TrackKind::Video {
            self.has_keyframe |= keyframe;
            if !self.has_keyframe {
                return Ok(());
            }
        }
        self.began_ms.get_or_insert(dts_ms);
        let again = frame.clone();
        self.writer.push(frame).map_err(|error| End::Full { error, first: Some(Box::new(Message::Frame(again))) })?;
        if !self.cutter.begins_with(kind, keyframe, dts_ms, self.writer.pending_bytes()) {
            return Ok(());
        }
        let Some(fragment) = self.writer.cut() else { return Ok(()) };
        let sync = self.synced_at.elapsed() >= SYNC_EVERY;
        self.hashed = write(&self.file, fragment, take(&mut self.hashed), sync).await.map_err(End::Disk)?;
        self.has_unsynced = !sync;
        let mut facts = facts_of(self.writer.index());
        facts.size_bytes = self.writer.length();
        self.entry.set(facts);
        if sync {
            self.synced_at = Instant::now();
            return self.look_at_room().await;
        }
        Ok(())
    }

    /// Whether the recording ends before a frame of this time, which another file could begin with. To stay below the limit of bytes another stretch as
    /// the longest so far must fit.
    fn is_at_limit(&self, dts_ms: i64) -> bool {
        let Some(began_ms) = self.began_ms else { return false };
        let recorded_ms = u128::try_from(dts_ms - began_ms).unwrap_or(0);
        let bytes = self.writer.length() + self.writer.pending_bytes() + self.longest_stretch_bytes;
        self.limits.max_duration.is_some_and(|most| recorded_ms >= most.as_millis())
            || self.limits.max_bytes.is_some_and(|most| bytes > most)
    }

    /// Ends the file while it can still be finished. A disk that does not tell its room is written to until that fails.
    async fn look_at_room(&self) -> Result<(), End> {
        let free_bytes = on_disk(&self.file, |file| Ok(free_bytes(file))).await.map_err(End::Disk)?;
        match free_bytes {
            Some(free_bytes) if free_bytes < self.limits.go_on_free_bytes => Err(End::NoRoom { free_bytes }),
            _ => Ok(()),
        }
    }

    /// Whether something waits for [`Self::sync`].
    pub(super) fn has_unsynced(&self) -> bool {
        self.has_unsynced
    }

    pub(super) async fn sync(&mut self) -> Result<(), End> {
        on_disk(&self.file, File::sync_data).await.map_err(End::Disk)?;
        self.synced_at = Instant::now();
        self.has_unsynced = false;
        Ok(())
    }

    /// Writes what is left and closes the file. What is returned is all that finalising needs; an error where the file may end in half a write.
    /// The place in the list of the growing is kept until the row says more.
    pub(super) async fn close(self, end: &End) -> (Asset, Arc<Entry>, io::Result<(Recording, Account)>) {
        let Self { asset, file, writer, entry, received_frames, hashed, .. } = self;
        let closed = match end {
            // What was counted as written is not there.
            End::Disk(error) => Err(io::Error::from(error.kind())),
            End::Published | End::Limit(_) | End::Overflow(_) | End::Full { .. } | End::NoRoom { .. } => match writer.finish() {
                // Finalising syncs it before anything depends on it.
                (Some(fragment), recording) => write(&file, fragment, hashed, false).await.map(|hashed| (hashed, recording)),
                (None, recording) => Ok((hashed, recording)),
            },
        };
        let account = |hashed: Hashed| Account {
            received_frames,
            checksum: Checksum { last_bytes: hashed.bytes, sha256: hexadecimal(&hashed.sha256.finalize()) },
        };
        (asset, entry, closed.map(|(hashed, recording)| (recording, account(hashed))))
    }
}

async fn write(file: &Arc<File>, fragment: Fragment, mut hashed: Hashed, sync: bool) -> io::Result<Hashed> {
    on_disk(file, move |file| {
        write_parts(file, fragment.offset, &fragment.parts)?;
        fragment.parts.iter().for_each(|part| hashed.sha256.update(part));
        hashed.bytes += fragment.length;
        if sync {
            file.sync_data()?;
        }
        Ok(hashed)
    })
    .await
}

async fn on_disk<T: Send + 'static>(
    file: &Arc<File>,
    act: impl FnOnce(&File) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let file = Arc::clone(file);
    spawn_blocking(move || act(&file)).await.map_err(io::Error::other)?
}
