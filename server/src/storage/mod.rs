//! Where recordings lie: the regions, and the only place that makes keys and VOD URLs of them.
//! Does not know who may see a file, nor what is in it.

mod key;
mod moving;
mod region;
mod restored;
mod spool;
mod turns;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use afterlive_domain::Region;
use url::Url;

pub use key::{Key, KeyKind};
pub use moving::{MediaPlace, MediaPlaces, SharedPlace};
pub use region::{Disk, RegionStore, folder_id_of, is_new, spool_of};
pub use restored::Restored;
pub use spool::{Spool, SpoolLock, SpoolNote};
pub use turns::Turns;

/// Why a region cannot do what it should.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("{}: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("{}: another running server records into this folder", path.display())]
    InUse { path: PathBuf },
    #[error("{}: the folder is not what it was; has its disk been unmounted?", path.display())]
    Gone { path: PathBuf },
    #[error("{key} exists already")]
    Taken { key: String },
    #[error("region {region} reads back other bytes than were written")]
    ReadsOtherBytes { region: Region },
    #[error(transparent)]
    Store(#[from] object_store::Error),
}

/// What the configuration says of a region.
#[derive(Clone, Debug)]
pub struct RegionSettings {
    pub name: Region,
    /// The folder that holds its recordings.
    pub storage: PathBuf,
    /// What its URLs begin with.
    pub vod_url: Url,
}

/// Whether it is room that was lacking, on the disk or in what its owner may use of it.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Every configured region. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Regions {
    stores: Arc<BTreeMap<Region, RegionStore>>,
}

impl Regions {
    /// Opens the regions, creating folders that are missing. Blocks.
    ///
    /// # Errors
    /// Names the first folder that cannot be used.
    pub fn open(settings: impl IntoIterator<Item = RegionSettings>) -> Result<Self, StorageError> {
        let stores: Result<BTreeMap<_, _>, _> =
            settings.into_iter().map(|settings| RegionStore::open(settings).map(|store| (store.name().clone(), store))).collect();
        Ok(Self { stores: Arc::new(stores?) })
    }

    /// Takes all spools for this process.
    ///
    /// # Errors
    /// `InUse` where another process has one.
    pub fn lock_spools(&self) -> Result<Vec<SpoolLock>, StorageError> {
        self.iter().map(|store| store.spool().lock()).collect()
    }

    /// `None` for a region that is not configured (any more).
    #[must_use]
    pub fn get(&self, region: &Region) -> Option<&RegionStore> {
        self.stores.get(region)
    }

    pub fn iter(&self) -> impl Iterator<Item = &RegionStore> {
        self.stores.values()
    }

    /// The URL of a recording or thumbnail; `None` where the region is not configured (any more).
    #[must_use]
    pub fn url(&self, region: &Region, key: &Key) -> Option<String> {
        self.get(region).map(|store| store.url(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use afterlive_domain::{AssetId, SessionId, StreamId, UnixMillis};
    use std::fs;
    use std::io::Write;

    fn regions() -> (tempfile::TempDir, Regions) {
        let folder = tempfile::tempdir().unwrap();
        let settings = RegionSettings {
            name: "eu".parse().unwrap(),
            storage: folder.path().join("eu"),
            vod_url: Url::parse("http://localhost:3000/vod-eu/").unwrap(),
        };
        let regions = Regions::open([settings]).unwrap();
        (folder, regions)
    }

    fn note(region: &RegionStore) -> SpoolNote {
        SpoolNote {
            asset: AssetId(uuid::Uuid::new_v4()),
            stream: StreamId(uuid::Uuid::new_v4()),
            session: SessionId(uuid::Uuid::new_v4()),
            streamname: "8sKpm-x49nB".parse().unwrap(),
            index: 1,
            region: region.name().clone(),
            created_at: UnixMillis(1),
        }
    }

    #[test]
    fn a_spooled_file_takes_its_place_once_and_never_anothers() {
        let (_folder, regions) = regions();
        let store = regions.iter().next().unwrap();
        let key = Key::from_file_name("8sKpm-x49nB.mp4").unwrap();
        let (first, second) = (note(store), note(store));
        store.spool().create(&first).unwrap().write_all(b"first").unwrap();
        store.spool().create(&second).unwrap();
        assert!(store.spool().create(&first).is_err());
        assert_eq!(store.spool().assets().unwrap().len(), 2);
        assert_eq!(store.spool().note(first.asset), Some(first.clone()));

        let spooled = store.spool().recording_path(first.asset);
        for _ in 0..2 {
            let place = store.adopt(&spooled, &key).unwrap();
            assert_eq!(fs::read(place).unwrap(), b"first");
        }
        let other = store.adopt(&store.spool().recording_path(second.asset), &key);
        assert!(matches!(other, Err(StorageError::Taken { .. })), "{other:?}");
        assert_eq!(fs::read(store.path(&key)).unwrap(), b"first");

        // As a crash between link and unlink would leave it.
        fs::hard_link(store.path(&key), &spooled).unwrap();
        store.adopt(&spooled, &key).unwrap();
        assert!(!spooled.exists());

        store.spool().release(first.asset).unwrap();
        let quarantine = store.spool().quarantine(second.asset).unwrap();
        assert!(quarantine.join(format!("{}.mp4", second.asset)).is_file());
        assert!(store.spool().assets().unwrap().is_empty());
    }

    #[test]
    fn an_unfinished_copy_goes_and_the_recording_itself_stays() {
        let (_folder, regions) = regions();
        let spool = regions.iter().next().unwrap().spool();
        let (grows, finished) = (note(regions.iter().next().unwrap()), AssetId(uuid::Uuid::new_v4()));
        spool.create(&grows).unwrap();
        let others = spool.folder().join("someone-elses.copy");
        for path in [spool.copy_path(grows.asset), spool.copy_path(finished), others.clone()] {
            fs::write(path, b"half").unwrap();
        }
        for _ in 0..2 {
            spool.remove_copies().unwrap();
            assert_eq!(spool.assets().unwrap(), [grows.asset]);
            assert_eq!([spool.copy_path(grows.asset), spool.copy_path(finished)].map(|path| path.exists()), [false, false]);
            assert!(spool.recording_path(grows.asset).is_file() && spool.note(grows.asset).is_some() && others.is_file());
        }
    }

    #[tokio::test]
    async fn what_goes_to_the_bin_comes_back() {
        let (_folder, regions) = regions();
        let store = regions.iter().next().unwrap();
        store.check().await.unwrap();
        let key = Key::from_file_name("8sKpm-x49nB.mp4").unwrap().to_thumbnail();
        store.put(&key, "jpeg".into()).await.unwrap();
        for _ in 0..2 {
            store.move_to_bin(&key).await.unwrap();
            assert!(!store.path(&key).exists());
        }
        for _ in 0..2 {
            store.restore_from_bin(&key).await.unwrap();
            assert_eq!(fs::read(store.path(&key)).unwrap(), b"jpeg");
        }
    }

    #[tokio::test]
    async fn what_is_removed_is_neither_in_its_place_nor_in_the_bin() {
        let (folder, regions) = regions();
        let store = regions.iter().next().unwrap();
        let key = Key::from_file_name("8sKpm-x49nB.mp4").unwrap().to_thumbnail();
        for in_bin in [false, true] {
            store.put(&key, "jpeg".into()).await.unwrap();
            if in_bin {
                store.move_to_bin(&key).await.unwrap();
            }
            for _ in 0..2 {
                store.remove(&key).await.unwrap();
            }
            store.restore_from_bin(&key).await.unwrap();
            assert!(!store.path(&key).exists());
        }
        fs::remove_dir_all(folder.path().join("eu")).unwrap();
        assert!(matches!(store.remove(&key).await, Err(StorageError::Gone { .. })));
    }

    #[test]
    fn two_servers_never_share_a_spool() {
        let (_folder, regions) = regions();
        let held = regions.lock_spools().unwrap();
        assert!(matches!(regions.lock_spools(), Err(StorageError::InUse { .. })));
        drop(held);
        regions.lock_spools().unwrap();
    }

    #[test]
    fn urls_begin_with_the_regions_base() {
        let (_folder, regions) = regions();
        let key = Key::from_file_name("8sKpm-x49nB-2.mp4").unwrap();
        let url = regions.url(&"eu".parse().unwrap(), &key);
        assert_eq!(url.as_deref(), Some("http://localhost:3000/vod-eu/8sKpm/8sKpm-x49nB-2.mp4"));
        assert_eq!(regions.url(&"us".parse().unwrap(), &key), None);
    }
}
