//! Names that no file has yet. The database gives each name once; but one that was restored from an older copy gives some a second time.

use std::io;

use tokio::task::spawn_blocking;

use super::{FinaliseError, Finaliser};
use crate::db::asset_mending;
use crate::db::assets::Asset;
use crate::storage::{Key, RegionStore};

impl Finaliser {
    /// The recording under a name that no file has, in its place or in the bin; mostly its own.
    ///
    /// # Errors
    /// Where the disk or the database fails.
    pub async fn with_free_name(&self, asset: Asset) -> Result<Asset, FinaliseError> {
        let key = Key::from_file_name(&asset.file_name).ok_or_else(|| FinaliseError::BadFileName(asset.file_name.clone()))?;
        let (regions, region, index) = (self.regions.clone(), asset.region.clone(), asset.index);
        let looking = spawn_blocking(move || regions.get(&region).map_or(Ok(index), |store| first_free(store, &key, index)));
        let free = looking.await.map_err(io::Error::other)??;
        if free == asset.index {
            return Ok(asset);
        }
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let renamed = asset_mending::rename(&mut tx, &asset, free, now).await?;
        tx.commit().await?;
        tracing::warn!(
            asset = %asset.id,
            taken = asset.file_name,
            file = renamed.file_name,
            "a file has the name of a new recording, which gets another: was the database restored from an older copy?"
        );
        Ok(renamed)
    }
}

fn first_free(store: &RegionStore, key: &Key, from: u32) -> io::Result<u32> {
    let mut index = from;
    while store.has(&Key::recording(key.streamname(), index))? {
        index += 1;
    }
    Ok(index)
}
