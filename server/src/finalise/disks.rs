//! Which regions share a disk, and how much room it has: what retention goes by. A region whose disk is away has none: in its folder's place lies the mount
//! point's disk, whose room is none of its recordings' business.

use super::{FinaliseError, Finaliser};
use crate::db::region_folders;
use crate::storage::{Disk, RegionStore, StorageError};

impl Finaliser {
    /// The regions, those together that share a disk: the room that one lacks is the room that the others lack. Never an empty list among them.
    pub(super) async fn disks(&self) -> Result<Vec<Vec<&RegionStore>>, FinaliseError> {
        let mut first = Vec::new();
        for store in self.regions.iter() {
            first.push(self.ask(store, RegionStore::disk).await);
        }
        let mut there = Vec::new();
        for (store, first) in self.regions.iter().zip(first) {
            match self.own_disk(store, first).await {
                Ok(looks) => there.push((store, looks)),
                Err(error) => tracing::error!(region = %store.name(), %error, "retention passes over a region"),
            }
        }
        Ok(together(there))
    }

    /// Both looks at the region's disk, where it is the one with the region's folder.
    async fn own_disk(&self, store: &RegionStore, first: Result<Disk, FinaliseError>) -> Result<[Disk; 2], FinaliseError> {
        let looks = [first?, self.ask(store, RegionStore::disk).await?];
        self.require_own(store).await?;
        Ok(looks)
    }

    /// Fails where the folder has another id than the one that the start has taken the region for: another disk is mounted in its place. One that was never
    /// given an id, as on a disk that was full, is not looked at.
    async fn require_own(&self, store: &RegionStore) -> Result<(), FinaliseError> {
        let Some(claimed) = region_folders::of(&mut self.db.read().await?, store.name()).await? else { return Ok(()) };
        let failed = |store: &RegionStore, source| StorageError::Folder { path: store.folder().to_owned(), source };
        let look = move |store: &RegionStore| store.spool().folder_id().map_err(|source| failed(store, source));
        if self.ask(store, look).await? == Some(claimed) {
            return Ok(());
        }
        Err(StorageError::Gone { path: store.folder().to_owned() }.into())
    }

    /// Room for recordings on the region's disk, while that is there.
    pub(super) async fn free_bytes(&self, store: &RegionStore) -> Result<u64, FinaliseError> {
        self.require_own(store).await?;
        let look = |store: &RegionStore| {
            store.require()?;
            store.free_bytes().map_err(|source| StorageError::Folder { path: store.folder().to_owned(), source })
        };
        self.ask(store, look).await
    }
}

/// Those together that share a disk, of each region two looks at it, the second behind the first of all. Where a size was another then, sizes tell no disk from
/// another: those of some file systems (ZFS) grow and shrink with what lies beside.
fn together<R>(regions: Vec<(R, [Disk; 2])>) -> Vec<Vec<R>> {
    let sizes_count = regions.iter().all(|(_, [first, second])| first == second);
    let mut disks: Vec<(Disk, Vec<R>)> = Vec::new();
    for (region, [disk, _]) in regions {
        let is_same = |known: &Disk| if sizes_count { *known == disk } else { known.device == disk.device };
        match disks.iter_mut().find(|(known, _)| is_same(known)) {
            Some((_, regions)) => regions.push(region),
            None => disks.push((disk, vec![region])),
        }
    }
    disks.into_iter().map(|(_, regions)| regions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(device: u64, blocks: u64) -> Disk {
        Disk { device, block_bytes: 4_096, blocks }
    }

    fn shared<const N: usize>(regions: [(&'static str, [Disk; 2]); N]) -> Vec<Vec<&'static str>> {
        together(regions.into())
    }

    #[test]
    fn regions_of_a_device_share_its_room_unless_their_folders_have_quotas_of_their_own() {
        let (one, other) = (disk(1, 1_000), disk(2, 1_000));
        assert_eq!(shared([("eu", [one; 2]), ("us", [other; 2]), ("au", [one; 2])]), [vec!["eu", "au"], vec!["us"]]);
        let quota = disk(1, 300);
        assert_eq!(shared([("eu", [one; 2]), ("us", [quota; 2]), ("au", [one; 2])]), [vec!["eu", "au"], vec!["us"]]);
        let finer = Disk { block_bytes: 512, ..one };
        assert_eq!(shared([("eu", [one; 2]), ("us", [finer; 2])]), [["eu"], ["us"]]);
    }

    #[test]
    fn a_size_that_does_not_stand_still_tells_no_disk_from_another() {
        // It has shrunk between the looks at the one and at the other.
        let (before, after) = (disk(1, 1_000), disk(1, 999));
        assert_eq!(shared([("eu", [before, after]), ("us", [after; 2])]), [["eu", "us"]]);
        assert_eq!(shared([("eu", [before; 2]), ("us", [before, after])]), [["eu", "us"]]);
    }
}
