//! How far the recordings of this process have come, for who shows or plays them: read from memory, so that a growing recording costs the database nothing.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use afterlive_domain::{AssetId, AssetState, Region, SessionId, StreamId};
use afterlive_media::mp4::{Enlargement, RecordingWriter, SampleIndex};

use super::pulse::Cause;
use crate::db::assets::{Asset, Facts};
use crate::finalise::{carry_out_moving, sync};
use crate::storage::SharedPlace;

/// The recordings that grow in this process. Clones are handles to the same list.
#[derive(Clone, Default, Debug)]
pub struct Growing {
    entries: Arc<RwLock<Entries>>,
    unrecorded: Arc<AtomicUsize>,
    left_behind: Arc<AtomicUsize>,
}

/// One of several that are counted, for as long as this is kept.
#[derive(Debug)]
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(all))
    }

    /// How many there are, this one included.
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default, Debug)]
struct Entries {
    states: HashMap<AssetId, State>,
    /// By where the finished file has its place: the region, and the file's name.
    places: HashMap<Region, HashMap<String, AssetId>>,
    /// Those that have ended and wait for their storage.
    stalled: HashSet<AssetId>,
    /// Publishes of which nothing is written, also before there is a file: of which stream, and why.
    still: HashMap<SessionId, (StreamId, Cause)>,
}

#[derive(Debug)]
struct State {
    facts: Facts,
    file: GrowingFile,
}

/// A recording's place in the list; dropping it takes it out.
#[derive(Debug)]
pub(super) struct Entry {
    list: Growing,
    asset: AssetId,
    place: (Region, String),
    file: GrowingFile,
}

impl Growing {
    /// What is safe on disk so far; `None` for what does not grow here.
    #[must_use]
    pub fn facts(&self, asset: AssetId) -> Option<Facts> {
        self.read().states.get(&asset).map(|state| state.facts.clone())
    }

    /// While it is being recorded what is safe on disk so far, and what its row says from when that says that it is over: for a moment it is on the list still.
    #[must_use]
    pub fn facts_of(&self, asset: &Asset) -> Facts {
        let growing = (asset.state == AssetState::Recording).then(|| self.facts(asset.id)).flatten();
        growing.unwrap_or_else(|| asset.facts.clone())
    }

    /// The recording that will have its place there, or has it and goes on; `None` where none grows.
    #[must_use]
    pub fn file(&self, region: &Region, file_name: &str) -> Option<(AssetId, GrowingFile)> {
        let entries = self.read();
        let asset = *entries.places.get(region)?.get(file_name)?;
        entries.states.get(&asset).map(|state| (asset, state.file.clone()))
    }

    /// How many of them wait for their storage.
    #[must_use]
    pub fn stalled(&self) -> usize {
        let entries = self.read();
        // A full storage is told as such, and an encoder's silence is not the server's trouble.
        entries.stalled.len() + entries.still.values().filter(|(_, cause)| *cause == Cause::Storage).count()
    }

    /// Why nothing of what the stream sends reaches the disk at this moment, where that is so.
    #[must_use]
    pub fn stands_still(&self, stream: StreamId) -> Option<String> {
        let entries = self.read();
        entries.still.values().find(|(of, _)| *of == stream).map(|(_, cause)| cause.to_string())
    }

    /// How many publishes are not recorded that should be: their storage has failed, or has no room.
    #[must_use]
    pub fn unrecorded(&self) -> usize {
        self.unrecorded.load(Ordering::Relaxed)
    }

    pub(super) fn count_unrecorded(&self) -> Counted {
        Counted::new(&self.unrecorded)
    }

    /// How many recordings that the last run left behind are still to be finished.
    #[must_use]
    pub fn left_behind(&self) -> usize {
        self.left_behind.load(Ordering::Relaxed)
    }

    pub(super) fn count_left_behind(&self) -> Counted {
        Counted::new(&self.left_behind)
    }

    pub(super) fn enter(&self, asset: &Asset, facts: Facts, file: GrowingFile) -> Entry {
        let place = (asset.region.clone(), asset.file_name.clone());
        let entry = Entry { list: self.clone(), asset: asset.id, place, file: file.clone() };
        let mut entries = self.write();
        entries.states.insert(asset.id, State { facts, file });
        let (region, file_name) = entry.place.clone();
        entries.places.entry(region).or_default().insert(file_name, asset.id);
        drop(entries);
        entry
    }

    pub(super) fn set_stalled(&self, asset: AssetId, stalled: bool) {
        let waiting = &mut self.write().stalled;
        if stalled {
            waiting.insert(asset)
        } else {
            waiting.remove(&asset)
        };
    }

    pub(super) fn set_still(&self, publish: SessionId, still: Option<(StreamId, Cause)>) {
        let all = &mut self.write().still;
        match still {
            Some(still) => all.insert(publish, still),
            None => all.remove(&publish),
        };
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    pub(super) fn set(&self, facts: Facts) {
        if let Some(state) = self.list.write().states.get_mut(&self.asset).filter(|state| self.is_of(state)) {
            state.facts = facts;
        }
    }

    /// An encoder may have come back before this entry went: the place is another's then.
    fn is_of(&self, state: &State) -> bool {
        Arc::ptr_eq(&state.file.file, &self.file.file)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut entries = self.list.write();
        if !entries.states.get(&self.asset).is_some_and(|state| self.is_of(state)) {
            return;
        }
        entries.states.remove(&self.asset);
        let (region, file_name) = &self.place;
        if let Some(places) = entries.places.get_mut(region)
            && places.get(file_name) == Some(&self.asset)
        {
            places.remove(file_name);
        }
    }
}

#[derive(Debug)]
enum Writing {
    Grows(RecordingWriter),
    /// The recording has ended. The index is without its last fragment: enough for who watches until it is finished.
    Ended(SampleIndex),
}

/// A growing recording's file, and the index of what is in it. Clones are handles to the same one, and stay good when the recording has ended.
#[derive(Clone, Debug)]
pub struct GrowingFile {
    file: Arc<File>,
    writing: Arc<Mutex<Writing>>,
    /// Is held for reading around each read of the file, and for writing while the reserve before the fragments is enlarged.
    media: SharedPlace,
    /// Bytes of fragments that the file has.
    media_bytes: Arc<AtomicU64>,
    /// Of them, those that were there at the last good sync.
    synced_bytes: Arc<AtomicU64>,
    /// Has syncs fail.
    #[cfg(test)]
    pub(super) fails_syncs: Arc<std::sync::atomic::AtomicBool>,
}

impl GrowingFile {
    /// A file that will be recorded to. To be called before anything is moved in it.
    pub(super) fn new(file: File, writer: RecordingWriter, media: SharedPlace) -> Self {
        media.write().change(writer.layout().media_offset);
        let media_bytes = writer.length() - writer.layout().media_offset;
        Self {
            file: Arc::new(file),
            media_bytes: Arc::new(AtomicU64::new(media_bytes)),
            // A new file has none, and one that is opened again was finished, and so synced.
            synced_bytes: Arc::new(AtomicU64::new(media_bytes)),
            writing: Arc::new(Mutex::new(Writing::Grows(writer))),
            media,
            #[cfg(test)]
            fails_syncs: Arc::default(),
        }
    }

    /// How many bytes of whole fragments have been written, one behind the other. Only ever grows.
    #[must_use]
    pub fn media_bytes(&self) -> u64 {
        self.media_bytes.load(Ordering::Acquire)
    }

    /// A copy of the index, which may be ahead of what has been written by a fragment, or behind it once the recording has ended.
    #[must_use]
    pub fn index(&self) -> SampleIndex {
        match &*self.lock() {
            Writing::Grows(writer) => writer.index().clone(),
            Writing::Ended(index) => index.clone(),
        }
    }

    /// Reads what lies so many bytes behind where the fragments begin. Blocks, also while these are being moved.
    ///
    /// # Errors
    /// Those of the file; the end of it where there are not as many bytes.
    pub fn read_exact_at(&self, buffer: &mut [u8], media_byte: u64) -> io::Result<()> {
        let place = self.media.read();
        self.file.read_exact_at(buffer, place.offset() + media_byte)
    }

    /// Reads the file by means of one's own, told where the fragments begin; `None` where these are just being moved. Waits for nobody.
    pub fn try_read<T>(&self, read: impl FnOnce(&File, u64) -> T) -> Option<T> {
        let place = self.media.try_read()?;
        Some(read(&self.file, place.offset()))
    }

    /// Whether the recording has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(*self.lock(), Writing::Ended(_))
    }

    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Does something with the writer, quickly: readers of the index wait. `None` once the recording has ended.
    pub(super) fn with_writer<T>(&self, act: impl FnOnce(&mut RecordingWriter) -> T) -> Option<T> {
        match &mut *self.lock() {
            Writing::Grows(writer) => Some(act(writer)),
            Writing::Ended(_) => None,
        }
    }

    /// The writer, to end the recording with; `None` once it has been taken.
    pub(super) fn take_writer(&self) -> Option<RecordingWriter> {
        let mut writing = self.lock();
        let index = match &*writing {
            Writing::Grows(writer) => writer.index().clone(),
            Writing::Ended(_) => return None,
        };
        match std::mem::replace(&mut *writing, Writing::Ended(index)) {
            Writing::Grows(writer) => Some(writer),
            Writing::Ended(_) => None,
        }
    }

    /// Carries out an enlargement of the reserve while nobody reads. Blocks.
    ///
    /// # Errors
    /// Those of the file. [`io::ErrorKind::Unsupported`] leaves all as it was.
    pub(super) fn enlarge(&self, enlargement: &Enlargement) -> io::Result<()> {
        let mut place = self.media.write();
        carry_out_moving(&self.file, &enlargement.steps, &mut place)?;
        self.with_writer(|writer| writer.enlarged(enlargement));
        Ok(())
    }

    /// Has on disk what was written: so many bytes of fragments. Blocks.
    ///
    /// # Errors
    /// Those of [`sync`].
    pub(super) fn sync(&self, media_bytes: u64) -> io::Result<()> {
        #[cfg(test)]
        if self.fails_syncs.load(Ordering::Relaxed) {
            return sync(&File::open("/dev/null")?);
        }
        sync(&self.file)?;
        self.synced_bytes.store(media_bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Bytes of fragments of the last good sync.
    #[cfg(test)]
    pub(super) fn synced_bytes(&self) -> u64 {
        self.synced_bytes.load(Ordering::Relaxed)
    }

    /// After a sync that failed: takes off what came behind the last good one, which reads as if it were there. Blocks.
    ///
    /// # Errors
    /// Those of the file.
    pub(super) fn cut_unsynced(&self) -> io::Result<()> {
        self.file.set_len(self.media.read().offset() + self.synced_bytes.load(Ordering::Relaxed))?;
        self.file.sync_all()
    }

    /// A fragment has been written.
    pub(super) fn has_written(&self, bytes: u64) {
        self.media_bytes.fetch_add(bytes, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
