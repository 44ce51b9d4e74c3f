//! One region: a store for finished files, the spool beside it, and the base of the URLs under which its files are seen.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use afterlive_domain::Region;
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use url::Url;

use super::{Key, MediaPlaces, RegionSettings, Restored, Spool, StorageError, Turns};

/// Names in a region's folder that begin with a dot are ours, and no URL reaches them.
const SPOOL: &str = ".spool";
const BIN: &str = ".bin";
const QUARANTINE: &str = ".quarantine";
const CHECK: &str = ".check";
/// Of a region's folder that is made here: who shares the server's group, as a web server, may read what is in it. One that is there keeps its mode, and what is
/// made within has the system's: nobody gets past the folder.
const FOLDER_MODE: u32 = 0o750;

/// The recorder's writes use the same threads, of which tokio makes 512, and find one free until the disks of eight regions hang at once.
const READS_AT_ONCE: usize = 64;
/// A disk that has to find the places of more gets slower by it, and each takes a thread for as long as the disk does.
const FINISHING_AT_ONCE: usize = 2;

/// As long as keys mostly are, at the most.
const KEY_CHARS: usize = 56;

/// A region's storage, opened.
///
/// Small objects go through [`ObjectStore`], so that a bucket can take the folder's place; only what the local disk does better
/// (a rename out of the spool, reads into the page cache) goes by path.
#[derive(Debug)]
pub struct RegionStore {
    name: Region,
    vod_url: Url,
    folder: PathBuf,
    store: Arc<dyn ObjectStore>,
    spool: Spool,
    media: MediaPlaces,
    reads: Turns,
    finishing: Turns,
    restored: Restored,
}

/// A disk, or what the system takes for one: regions of the same one share its room. A device on which folders have quotas of their own (projects of XFS and
/// ext4) tells each folder's quota as its size: so that is part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Disk {
    pub device: u64,
    pub block_bytes: u64,
    pub blocks: u64,
}

/// Whether a folder was never a region's: it is missing, or has not what each region's folder has.
#[must_use]
pub fn is_new(folder: &Path) -> bool {
    !folder.join(SPOOL).is_dir()
}

/// Where the spool of a region's folder is.
#[must_use]
pub fn spool_of(folder: &Path) -> PathBuf {
    folder.join(SPOOL)
}

/// Where a region's folder has its id.
#[must_use]
pub fn folder_id_of(folder: &Path) -> PathBuf {
    spool_of(folder).join(super::spool::FOLDER_ID)
}

impl RegionStore {
    pub(super) fn open(settings: RegionSettings) -> Result<Self, StorageError> {
        let RegionSettings { name, storage, vod_url } = settings;
        let failed = |source| StorageError::Folder { path: storage.clone(), source };
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&storage).map_err(failed)?;
        let folder = fs::canonicalize(&storage).map_err(failed)?;
        let spool = Spool::open(folder.join(SPOOL), folder.join(QUARANTINE)).map_err(failed)?;
        let store = LocalFileSystem::new_with_prefix(&folder)?.with_fsync(true);
        let (reads, finishing) = (Turns::new(READS_AT_ONCE), Turns::new(FINISHING_AT_ONCE));
        let (media, restored) = (MediaPlaces::default(), Restored::default());
        Ok(Self { name, vod_url, folder, store: Arc::new(store), spool, media, reads, finishing, restored })
    }

    /// Whether the folder is what it was when it was opened: not so where its disk has been unmounted.
    fn is_there(&self) -> bool {
        !is_new(&self.folder)
    }

    /// # Errors
    /// Where the region's folder is gone, and what is missing in it says nothing.
    pub fn require(&self) -> Result<(), StorageError> {
        if self.is_there() { Ok(()) } else { Err(StorageError::Gone { path: self.folder.clone() }) }
    }

    #[must_use]
    pub fn name(&self) -> &Region {
        &self.name
    }

    #[must_use]
    pub fn vod_url(&self) -> &Url {
        &self.vod_url
    }

    #[must_use]
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Where the media lie of the region's files that are held at this moment.
    #[must_use]
    pub fn media(&self) -> &MediaPlaces {
        &self.media
    }

    /// The turns of who reads recordings for viewers and has to wait for the disk.
    #[must_use]
    pub fn reads(&self) -> &Turns {
        &self.reads
    }

    /// What has been restored from the bin just now.
    #[must_use]
    pub fn restored(&self) -> &Restored {
        &self.restored
    }

    /// The turns of who finishes recordings that no publish writes any more.
    #[must_use]
    pub fn finishing(&self) -> &Turns {
        &self.finishing
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The URL under which everybody sees the file.
    #[must_use]
    pub fn url(&self, key: &Key) -> String {
        let base = self.vod_url.as_str().trim_end_matches('/');
        let mut url = String::with_capacity(base.len() + KEY_CHARS);
        url.push_str(base);
        url.push('/');
        key.push_to(&mut url);
        url
    }

    /// Where the file is, or would be.
    #[must_use]
    pub fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(key.to_string())
    }

    /// Whether a file has the name already, in its place or in the bin: no other recording may get it. Blocks.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn has(&self, key: &Key) -> io::Result<bool> {
        Ok(self.path(key).try_exists()? || self.folder.join(BIN).join(key.to_string()).try_exists()?)
    }

    /// The disk that the region's folder lies on. Blocks.
    ///
    /// # Errors
    /// Where the folder is gone, or another disk's lies in its place.
    pub fn disk(&self) -> Result<Disk, StorageError> {
        let failed = |source| StorageError::Folder { path: self.folder.clone(), source };
        self.require()?;
        let device = fs::metadata(&self.folder).map_err(failed)?.dev();
        let facts = rustix::fs::statvfs(&self.folder).map_err(|errno| failed(errno.into()))?;
        Ok(Disk { device, block_bytes: facts.f_frsize, blocks: facts.f_blocks })
    }

    /// Room for recordings, in bytes, of what an ordinary user may fill. Blocks.
    ///
    /// # Errors
    /// Where the file system does not answer.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let facts = rustix::fs::statvfs(&self.folder)?;
        Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
    }

    /// The same, once a file has been made and written to in the spool: a folder that was made read-only still tells its room. Blocks.
    ///
    /// # Errors
    /// Where nothing can be written.
    pub fn writable_bytes(&self) -> io::Result<u64> {
        self.spool.try_write()?;
        self.free_bytes()
    }

    /// Gives a finished, synced file of the spool its final place; durable on return. Blocks.
    ///
    /// Doing it again after a crash does no harm: a file that is already in its place is left there.
    ///
    /// # Errors
    /// `Taken` where another file has the name: no recording ever replaces another.
    pub fn adopt(&self, spooled: &Path, key: &Key) -> Result<PathBuf, StorageError> {
        let place = self.path(key);
        let failed = |source| StorageError::Folder { path: place.clone(), source };
        let parent = place.parent().unwrap_or(&self.folder);
        if !parent.is_dir() {
            fs::create_dir_all(parent).map_err(failed)?;
            sync_folder(&self.folder).map_err(failed)?;
        }
        match rename_new(spooled, &place) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && place.is_file() => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // A crash between link and unlink leaves one file under both names.
                if !is_same_file(spooled, &place).map_err(failed)? {
                    return Err(StorageError::Taken { key: key.to_string() });
                }
                fs::remove_file(spooled).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        sync_folder(parent).map_err(failed)?;
        self.spool.sync().map_err(failed)?;
        Ok(place)
    }

    /// Stores a small object, replacing what was there; durable on return.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StorageError> {
        self.store.put(&key.to_path(), PutPayload::from_bytes(bytes)).await?;
        Ok(())
    }

    /// Takes a file out of sight, into the bin. Doing it twice does no harm; nor does it where the file never was.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn move_to_bin(&self, key: &Key) -> Result<(), StorageError> {
        self.relocate(&key.to_path(), &binned(key)).await
    }

    /// Brings a file back from the bin. Doing it twice does no harm; nor does it where the bin has none.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn restore_from_bin(&self, key: &Key) -> Result<(), StorageError> {
        self.relocate(&binned(key), &key.to_path()).await
    }

    /// Removes a file for good, from the bin and from its place. Doing it twice does no harm; nor does it where the file never was.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn remove(&self, key: &Key) -> Result<(), StorageError> {
        for place in [key.to_path(), binned(key)] {
            match self.store.delete(&place).await {
                Ok(()) => {}
                Err(object_store::Error::NotFound { .. }) => self.require()?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn relocate(&self, from: &ObjectPath, to: &ObjectPath) -> Result<(), StorageError> {
        match self.store.rename(from, to).await {
            Ok(()) => Ok(()),
            Err(object_store::Error::NotFound { .. }) => self.require(),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes, reads back and removes a small object.
    ///
    /// # Errors
    /// Where the region cannot keep a file.
    pub async fn check(&self) -> Result<(), StorageError> {
        let place = ObjectPath::from(format!("{CHECK}/{}", std::process::id()));
        let sent = Bytes::from_static(b"afterlive");
        self.store.put(&place, PutPayload::from_bytes(sent.clone())).await?;
        let read = self.store.get(&place).await?.bytes().await?;
        self.store.delete(&place).await?;
        if read == sent { Ok(()) } else { Err(StorageError::ReadsOtherBytes { region: self.name.clone() }) }
    }
}

fn binned(key: &Key) -> ObjectPath {
    ObjectPath::from(format!("{BIN}/{key}"))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Renames, unless the new name is taken. Where the file system has no such call, by a second link.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            other => return other.map_err(Into::into),
        }
    }
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (fs::metadata(one)?, fs::metadata(other)?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use afterlive_domain::AssetId;
    use futures::FutureExt as _;
    use uuid::Uuid;

    use super::*;
    use crate::storage::Regions;

    #[test]
    fn a_disk_that_hangs_holds_nobody_of_another_region() {
        let folder = tempfile::tempdir().unwrap();
        let regions = Regions::open(["eu", "us"].map(|name| RegionSettings {
            name: name.parse().unwrap(),
            storage: folder.path().join(name),
            vod_url: format!("http://localhost/vod-{name}").parse().unwrap(),
        }));
        let regions = regions.unwrap();
        let [eu, us] = ["eu", "us"].map(|name| regions.get(&name.parse().unwrap()).unwrap());
        for (of, at_once) in
            [(RegionStore::reads as fn(&RegionStore) -> &Turns, READS_AT_ONCE), (RegionStore::finishing, FINISHING_AT_ONCE)]
        {
            let held: Vec<_> = (0..at_once).map(|_| of(eu).take().now_or_never().unwrap()).collect();
            assert!(of(eu).take().now_or_never().is_none() && of(us).take().now_or_never().is_some());
            drop(held);
            assert!(of(eu).take().now_or_never().is_some());
        }
    }

    #[test]
    fn what_is_made_is_not_everybodys_and_what_is_there_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let storage = folder.path().join("disk/eu");
        let open = || {
            let (name, vod_url) = ("eu".parse().unwrap(), "http://localhost/vod-eu".parse().unwrap());
            RegionStore::open(RegionSettings { name, storage: storage.clone(), vod_url }).unwrap()
        };
        let mode = |path: &str| fs::metadata(storage.join(path)).unwrap().permissions().mode() & 0o777;
        open().spool().quarantine(AssetId(Uuid::from_u128(1))).unwrap();
        assert_eq!([mode(""), mode(SPOOL), mode(QUARANTINE)], [0o750, 0o700, 0o700]);
        for path in ["", SPOOL] {
            fs::set_permissions(storage.join(path), Permissions::from_mode(0o755)).unwrap();
        }
        open();
        assert_eq!([mode(""), mode(SPOOL)], [0o755, 0o755]);
    }
}
