//! Where the media of a file lie that is read while it may be changed: a recording that grows, or a finished one to which an encoder comes back.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, Weak};

/// With more than so many entries those that nobody holds any more are looked for, and dropped.
const SWEEP_FROM: usize = 64;

/// The files that somebody reads or writes at this moment. Clones are handles to the same list.
#[derive(Clone, Default, Debug)]
pub struct MediaPlaces {
    by_file: Arc<Mutex<HashMap<FileId, Weak<RwLock<MediaPlace>>>>>,
}

/// Device and inode.
type FileId = (u64, u64);

impl MediaPlaces {
    /// The same for all who hold the file, however often it was opened and whatever its name.
    #[must_use]
    pub fn of(&self, file: &Metadata) -> SharedPlace {
        let mut by_file = self.by_file.lock().unwrap_or_else(PoisonError::into_inner);
        let id = (file.dev(), file.ino());
        if let Some(place) = by_file.get(&id).and_then(Weak::upgrade) {
            return SharedPlace(place);
        }
        if by_file.len() >= SWEEP_FROM {
            by_file.retain(|_, place| place.strong_count() > 0);
        }
        let place = SharedPlace::default();
        by_file.insert(id, Arc::downgrade(&place.0));
        place
    }
}

/// Where a file's media lie. Clones are handles to the same.
#[derive(Clone, Default, Debug)]
pub struct SharedPlace(Arc<RwLock<MediaPlace>>);

impl SharedPlace {
    /// They stay there for as long as this is held.
    pub fn read(&self) -> RwLockReadGuard<'_, MediaPlace> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same; `None` where they are just being moved.
    #[must_use]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, MediaPlace>> {
        match self.0.try_read() {
            Ok(place) => Some(place),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// For who moves them. Nobody reads the file for as long as this is held.
    pub fn write(&self) -> RwLockWriteGuard<'_, MediaPlace> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the media begin, and what has become of the file since somebody first held it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct MediaPlace {
    /// Known once somebody has written to the file.
    offset: u64,
    /// By so many bytes they were moved.
    moved: u64,
    /// So many times what lies in front of them was written anew.
    changes: u64,
}

impl MediaPlace {
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Somebody begins to write in front of them, or has just done so.
    pub fn change(&mut self, offset: u64) {
        self.offset = offset;
        self.changes += 1;
    }

    /// So many bytes were inserted in front of them.
    pub fn insert(&mut self, bytes: u64) {
        self.offset += bytes;
        self.moved += bytes;
        self.changes += 1;
    }

    /// Where a byte of the file lies now that was there at `then`; `None` where it was in front of the media and is no more what it was.
    #[must_use]
    pub fn find(&self, byte: u64, then: &Self) -> Option<u64> {
        let moved = self.moved - then.moved;
        (self.changes == then.changes || byte + moved >= self.offset).then_some(byte + moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_moved_is_found_and_what_was_written_anew_is_not() {
        let place = SharedPlace::default();
        let then = *place.read();
        assert_eq!(place.read().find(7, &then), Some(7), "nothing has happened");
        place.write().change(100);
        place.write().insert(40);
        let now = *place.read();
        assert_eq!((now.find(99, &then), now.find(100, &then), now.find(1_000, &then)), (None, Some(140), Some(1_040)));
        assert_eq!((now.find(99, &now), now.find(140, &now)), (Some(99), Some(140)));
        place.write().insert(60);
        assert_eq!((place.read().find(139, &now), place.read().find(140, &now)), (None, Some(200)));
        assert_eq!(place.read().find(100, &then), Some(200));
    }

    #[test]
    fn a_file_has_one_place_for_as_long_as_somebody_holds_it() {
        let places = MediaPlaces::default();
        let files: Vec<_> = (0..3 * SWEEP_FROM).map(|_| tempfile::tempfile().unwrap().metadata().unwrap()).collect();
        let folder = tempfile::tempdir().unwrap();
        let held = std::fs::File::create(folder.path().join("held")).unwrap().metadata().unwrap();
        let place = places.of(&held);
        place.write().change(100);
        for file in &files {
            assert_eq!(places.of(file).read().offset(), 0);
        }
        assert_eq!(places.of(&held).read().offset(), 100);
        drop(place);
        assert_eq!(places.of(&held).read().offset(), 0);
    }
}
