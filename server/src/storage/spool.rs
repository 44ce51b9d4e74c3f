//! A region's spool: the hidden folder in which recordings grow, beside the place they will have, so that a rename is all it takes.
//! Knows names, notes and the lock; writes no media.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use afterlive_domain::{AssetId, Region, SessionId, StreamId, Streamname, UnixMillis};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::StorageError;

/// How the name of a recording's new version ends.
const COPY: &str = ".copy";
/// The file that says which of all folders this is, wherever it is mounted.
pub(super) const FOLDER_ID: &str = "folder-id";

/// What stands beside a growing recording, so that it can be told what it is even where the database cannot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SpoolNote {
    pub asset: AssetId,
    pub stream: StreamId,
    pub session: SessionId,
    pub streamname: Streamname,
    /// Which of the stream's recordings, counted from 1.
    pub index: u32,
    pub region: Region,
    /// Wall time of the first frame.
    pub created_at: UnixMillis,
}

/// Its owner's alone: nobody else has to do with what is not finished. One that is there keeps its mode.
fn make_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A region's spool folder.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
    quarantine: PathBuf,
    /// Found out once.
    inserts_ranges: Arc<OnceLock<bool>>,
}

/// This process alone may touch the spool. Is given up when dropped, and by the system when the process dies however it dies.
#[derive(Debug)]
pub struct SpoolLock {
    _file: File,
}

impl Spool {
    pub(super) fn open(folder: PathBuf, quarantine: PathBuf) -> io::Result<Self> {
        make_private_folder(&folder)?;
        Ok(Self { folder, quarantine, inserts_ranges: Arc::default() })
    }

    /// Takes the spool for this process: a second server on the same folder would take this one's growing recordings for a crash's.
    pub(super) fn lock(&self) -> Result<SpoolLock, StorageError> {
        let path = self.folder.join("lock");
        let failed = |source| StorageError::Folder { path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(SpoolLock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StorageError::InUse { path: self.folder.clone() }),
            Err(error) => Err(failed(error.into())),
        }
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where files are set aside.
    #[must_use]
    pub fn quarantine_folder(&self) -> &Path {
        &self.quarantine
    }

    /// Where the region's folder has its id, as text.
    #[must_use]
    pub fn folder_id_path(&self) -> PathBuf {
        self.folder.join(FOLDER_ID)
    }

    /// Which of all folders this is: the same wherever it is mounted, and moved along with what lies in it. `None` where it has not been given an id. Blocks.
    ///
    /// # Errors
    /// Where it cannot be read, or is none.
    pub fn folder_id(&self) -> io::Result<Option<Uuid>> {
        match fs::read_to_string(self.folder_id_path()) {
            Ok(text) => text.trim().parse().map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the folder an id; durable on return. For who has the spool's lock. Blocks.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn set_folder_id(&self, id: Uuid) -> io::Result<()> {
        // Under its name once it is whole: half an id is nobody's.
        let part = self.folder.join(format!("{FOLDER_ID}.part"));
        let mut file = File::create(&part)?;
        io::Write::write_all(&mut file, format!("{id}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, self.folder_id_path())?;
        self.sync()
    }

    /// Where the asset's recording grows.
    #[must_use]
    pub fn recording_path(&self, asset: AssetId) -> PathBuf {
        self.folder.join(format!("{asset}.mp4"))
    }

    /// Where a new version of the asset's recording is written, before it takes the old one's name.
    #[must_use]
    pub fn copy_path(&self, asset: AssetId) -> PathBuf {
        self.folder.join(format!("{asset}{COPY}"))
    }

    fn note_path(&self, asset: AssetId) -> PathBuf {
        self.folder.join(format!("{asset}.json"))
    }

    /// Creates the recording's file with its note beside it; both names are durable on return.
    ///
    /// # Errors
    /// Also where the file exists already.
    pub fn create(&self, note: &SpoolNote) -> io::Result<File> {
        let text = serde_json::to_vec(note).map_err(io::Error::other)?;
        let note_file = File::options().write(true).create_new(true).open(self.note_path(note.asset))?;
        io::Write::write_all(&mut &note_file, &text)?;
        note_file.sync_all()?;
        let file = File::options().read(true).write(true).create_new(true).open(self.recording_path(note.asset))?;
        self.sync()?;
        Ok(file)
    }

    /// The asset's note; `None` where there is none or it cannot be read.
    #[must_use]
    pub fn note(&self, asset: AssetId) -> Option<SpoolNote> {
        serde_json::from_slice(&fs::read(self.note_path(asset)).ok()?).ok()
    }

    /// Every asset of which the spool holds a recording or a note.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn assets(&self) -> io::Result<Vec<AssetId>> {
        let mut assets = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".mp4").or_else(|| name.strip_suffix(".json")));
            assets.extend(stem.and_then(|stem| stem.parse::<AssetId>().ok()));
        }
        assets.sort_unstable();
        assets.dedup();
        Ok(assets)
    }

    /// Forgets an asset whose recording is in its final place and whose row says so, or that never had any.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn release(&self, asset: AssetId) -> io::Result<()> {
        for path in [self.recording_path(asset), self.copy_path(asset), self.note_path(asset)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes new versions of recordings whose writing a crash has ended: until one has the old one's name, the old one is whole. For who has the
    /// spool's lock, and has begun nothing yet.
    ///
    /// # Errors
    /// Where the folder cannot be read or written.
    pub fn remove_copies(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let asset = name.and_then(|name| name.strip_suffix(COPY)).and_then(|stem| stem.parse::<AssetId>().ok());
            if let Some(asset) = asset {
                fs::remove_file(&path)?;
                tracing::info!(%asset, path = %path.display(), "an unfinished copy of a recording is removed; the recording itself is whole");
            }
        }
        Ok(())
    }

    /// Sets an asset's files aside for a person to look at. They are never deleted by the server.
    ///
    /// # Errors
    /// Where a folder cannot be written.
    pub fn quarantine(&self, asset: AssetId) -> io::Result<PathBuf> {
        make_private_folder(&self.quarantine)?;
        for path in [self.recording_path(asset), self.note_path(asset)] {
            if let Some(name) = path.file_name() {
                match fs::rename(&path, self.quarantine.join(name)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        File::open(&self.quarantine)?.sync_all()?;
        self.sync()?;
        Ok(self.quarantine.clone())
    }

    /// Whether the file system can insert a range of blocks into a file, so that a growing recording's reserve can be enlarged. Blocks.
    #[must_use]
    pub fn can_insert_ranges(&self) -> bool {
        *self.inserts_ranges.get_or_init(|| {
            let path = self.folder.join("insert-range");
            let can = try_insert_range(&path).unwrap_or(false);
            // What is left of it harms nobody, and is overwritten the next time.
            drop(fs::remove_file(&path));
            can
        })
    }

    /// Makes a file with something in it, and removes it.
    pub(super) fn try_write(&self) -> io::Result<()> {
        // Of a name of its own: several may try at once.
        let path = self.folder.join(format!("{}.try", Uuid::new_v4()));
        let written = fs::write(&path, b"afterlive");
        let removed = fs::remove_file(&path);
        written.and(removed)
    }

    /// Makes creations, renames and removals durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

/// Does what enlarging a reserve does, with a file of its own.
#[cfg(target_os = "linux")]
fn try_insert_range(path: &Path) -> io::Result<bool> {
    use rustix::fs::{FallocateFlags, fallocate, fstatvfs};
    let file = File::create(path)?;
    let block_bytes = fstatvfs(&file)?.f_bsize;
    file.set_len(2 * block_bytes)?;
    Ok(fallocate(&file, FallocateFlags::INSERT_RANGE, block_bytes, block_bytes).is_ok()
        && file.metadata()?.len() == 3 * block_bytes)
}

#[cfg(not(target_os = "linux"))]
fn try_insert_range(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::print_stderr, reason = "what a run could not try")]
    fn on_ext4_and_xfs_ranges_can_be_inserted_and_nothing_is_left_of_the_try() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path().join("spool"), folder.path().join("quarantine")).unwrap();
        let can = spool.can_insert_ranges();
        // The magic numbers of statfs(2). Ext2 and ext3, which nobody records to, have the first one too, and cannot.
        match rustix::fs::statfs(spool.folder()).unwrap().f_type {
            0xef53 | 0x5846_5342 => {
                assert!(can, "{} is on ext4 or XFS, and the try says that no range can be inserted", folder.path().display());
            }
            other => eprintln!("not tested: {} is on neither ext4 nor XFS, but on {other:#x}", folder.path().display()),
        }
        assert_eq!(fs::read_dir(spool.folder()).unwrap().count(), 0);
    }
}
