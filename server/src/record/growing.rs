//! How far the recordings of this process have come, for who shows or plays them: read from memory, so that a growing recording costs the database nothing.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use afterlive_domain::{AssetId, Region};
use afterlive_media::mp4::{Enlargement, RecordingWriter, SampleIndex};

use crate::db::assets::{Asset, Facts};
use crate::finalise::carry_out;

/// Files that were recorded to of which it is remembered where their media lie. Those that an encoder may come back to are among the last.
const MAX_REMEMBERED: usize = 1_024;

/// The recordings that grow in this process. Clones are handles to the same list.
#[derive(Clone, Default, Debug)]
pub struct Growing {
    entries: Arc<RwLock<Entries>>,
}

#[derive(Default, Debug)]
struct Entries {
    states: HashMap<AssetId, State>,
    /// By where the finished file has its place.
    places: HashMap<(Region, String), AssetId>,
    /// Each file once, the latest last.
    media: VecDeque<Media>,
}

/// Where the media of a file begin that grows, or has grown and may do so again. Clones are handles to the same, so that who reads it from before an encoder
/// came back hears of what is moved after.
#[derive(Clone, Debug)]
pub struct Media {
    file: FileId,
    offset: Arc<RwLock<u64>>,
}

/// Device and inode.
type FileId = (u64, u64);

impl Media {
    /// Where they begin now. They stay there for as long as this is held.
    pub fn offset(&self) -> RwLockReadGuard<'_, u64> {
        self.offset.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same; `None` where they are just being moved.
    #[must_use]
    pub fn try_offset(&self) -> Option<RwLockReadGuard<'_, u64>> {
        match self.offset.try_read() {
            Ok(offset) => Some(offset),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[derive(Debug)]
struct State {
    facts: Facts,
    stalled: bool,
    file: GrowingFile,
}

/// A recording's place in the list; dropping it takes it out.
#[derive(Debug)]
pub(super) struct Entry {
    list: Growing,
    asset: AssetId,
    place: (Region, String),
}

impl Growing {
    /// What is safe on disk so far; `None` for what does not grow here.
    #[must_use]
    pub fn facts(&self, asset: AssetId) -> Option<Facts> {
        self.read().states.get(&asset).map(|state| state.facts.clone())
    }

    /// The recording that will have its place there, or has it and goes on; `None` where none grows.
    #[must_use]
    pub fn file(&self, region: &Region, file_name: &str) -> Option<(AssetId, GrowingFile)> {
        let entries = self.read();
        let asset = *entries.places.get(&(region.clone(), file_name.to_owned()))?;
        entries.states.get(&asset).map(|state| (asset, state.file.clone()))
    }

    /// How many of them wait for their storage.
    #[must_use]
    pub fn stalled(&self) -> usize {
        self.read().states.values().filter(|state| state.stalled).count()
    }

    /// Where the media of a file begin that was recorded to lately; `None` for one that nobody will write to.
    #[must_use]
    pub fn media(&self, file: &Metadata) -> Option<Media> {
        let id = (file.dev(), file.ino());
        self.read().media.iter().rfind(|media| media.file == id).cloned()
    }

    /// A file that will be recorded to. To be called before anything is moved in it.
    pub(super) fn open(&self, file: File, writer: RecordingWriter) -> io::Result<GrowingFile> {
        let facts = file.metadata()?;
        let id = (facts.dev(), facts.ino());
        let media_offset = writer.layout().media_offset;
        let mut entries = self.write();
        let known = entries.media.iter().position(|media| media.file == id).and_then(|known| entries.media.remove(known));
        let media = known.unwrap_or_else(|| Media { file: id, offset: Arc::new(RwLock::new(media_offset)) });
        entries.media.push_back(media.clone());
        if entries.media.len() > MAX_REMEMBERED {
            entries.media.pop_front();
        }
        drop(entries);
        *media.offset.write().unwrap_or_else(PoisonError::into_inner) = media_offset;
        Ok(GrowingFile::new(file, writer, media))
    }

    pub(super) fn enter(&self, asset: &Asset, facts: Facts, file: GrowingFile) -> Entry {
        let entry = Entry { list: self.clone(), asset: asset.id, place: (asset.region.clone(), asset.file_name.clone()) };
        let mut entries = self.write();
        entries.states.insert(asset.id, State { facts, stalled: false, file });
        entries.places.insert(entry.place.clone(), asset.id);
        drop(entries);
        entry
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
        self.change(|state| state.facts = facts);
    }

    pub(super) fn set_stalled(&self, stalled: bool) {
        self.change(|state| state.stalled = stalled);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        if let Some(state) = self.list.write().states.get_mut(&self.asset) {
            change(state);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut entries = self.list.write();
        entries.states.remove(&self.asset);
        if entries.places.get(&self.place) == Some(&self.asset) {
            entries.places.remove(&self.place);
        }
    }
}

/// A growing recording's file, and the index of what is in it. Clones are handles to the same one, and stay good when the recording has ended.
#[derive(Clone, Debug)]
pub struct GrowingFile {
    file: Arc<File>,
    /// `None` once the recording has ended.
    writer: Arc<Mutex<Option<RecordingWriter>>>,
    /// Is held for reading around each read of the file, and for writing while the reserve before the fragments is enlarged.
    media: Media,
    /// Bytes of fragments that the file has.
    media_bytes: Arc<AtomicU64>,
}

impl GrowingFile {
    fn new(file: File, writer: RecordingWriter, media: Media) -> Self {
        Self {
            file: Arc::new(file),
            media_bytes: Arc::new(AtomicU64::new(writer.length() - writer.layout().media_offset)),
            writer: Arc::new(Mutex::new(Some(writer))),
            media,
        }
    }

    /// How many bytes of whole fragments have been written, one behind the other. Only ever grows.
    #[must_use]
    pub fn media_bytes(&self) -> u64 {
        self.media_bytes.load(Ordering::Acquire)
    }

    /// A copy of the index, which may be ahead of what has been written by a fragment; `None` once the recording has ended.
    #[must_use]
    pub fn index(&self) -> Option<SampleIndex> {
        self.lock().as_ref().map(|writer| writer.index().clone())
    }

    /// Reads what lies so many bytes behind where the fragments begin. Blocks, also while these are being moved.
    ///
    /// # Errors
    /// Those of the file; the end of it where there are not as many bytes.
    pub fn read_exact_at(&self, buffer: &mut [u8], media_byte: u64) -> io::Result<()> {
        let media_offset = self.media.offset();
        self.file.read_exact_at(buffer, *media_offset + media_byte)
    }

    /// Reads the file by means of one's own, told where the fragments begin; `None` where these are just being moved. Waits for nobody.
    pub fn try_read<T>(&self, read: impl FnOnce(&File, u64) -> T) -> Option<T> {
        let media_offset = self.media.try_offset()?;
        Some(read(&self.file, *media_offset))
    }

    /// Whether the recording has ended, so that there is no index any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.lock().is_none()
    }

    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Does something with the writer, quickly: readers of the index wait. `None` once the recording has ended.
    pub(super) fn with_writer<T>(&self, act: impl FnOnce(&mut RecordingWriter) -> T) -> Option<T> {
        self.lock().as_mut().map(act)
    }

    /// The writer, to end the recording with.
    pub(super) fn take_writer(&self) -> Option<RecordingWriter> {
        self.lock().take()
    }

    /// Carries out an enlargement of the reserve while nobody reads. Blocks.
    ///
    /// # Errors
    /// Those of the file. [`io::ErrorKind::Unsupported`] leaves all as it was.
    pub(super) fn enlarge(&self, enlargement: &Enlargement) -> io::Result<()> {
        let mut media_offset = self.media.offset.write().unwrap_or_else(PoisonError::into_inner);
        carry_out(&self.file, &enlargement.steps)?;
        if let Some(moved_to) = self.with_writer(|writer| {
            writer.enlarged(enlargement);
            writer.layout().media_offset
        }) {
            *media_offset = moved_to;
        }
        Ok(())
    }

    /// A fragment has been written.
    pub(super) fn has_written(&self, bytes: u64) {
        self.media_bytes.fetch_add(bytes, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Option<RecordingWriter>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
