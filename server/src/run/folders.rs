//! Which folder has a region's recordings: a server that would look for them in another one is refused, and so is a second server over the same database.

use std::time::Duration;

use afterlive_domain::UnixMillis;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Error;
use crate::config::{Config, RegionConfig};
use crate::db::{Db, assets, region_folders};
use crate::storage::{self, RegionStore, Regions, StorageError};

/// So often it is looked whether the regions are still this server's.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// An empty mount point would look like a region that has lost all its recordings.
///
/// # Errors
/// Names the first region whose folder is new although it has recordings.
pub async fn refuse_unmounted(config: &Config, db: &Db) -> Result<(), Error> {
    for (region, RegionConfig { storage, .. }) in &config.regions {
        let mut connection = db.read().await?;
        if !storage::is_new(storage) || !assets::any_in_region(&mut connection, region).await? {
            continue;
        }
        let spool = storage::spool_of(storage);
        let new_folder = match region_folders::of(&mut connection, region).await? {
            Some(id) => format!("mkdir -p {} && echo {id} > {}", spool.display(), storage::folder_id_of(storage).display()),
            None => format!("mkdir -p {}", spool.display()),
        };
        return Err(Error::Unmounted { region: region.clone(), path: storage.display().to_string(), new_folder });
    }
    Ok(())
}

/// Takes the regions for the folders that are open here, each of which gets an id the first time. For who has the spools' locks, and before anything is done with
/// what the database says of recordings: they lie there, or somebody else has them.
///
/// # Errors
/// `OtherFolder` for the first region that another folder has.
pub async fn claim(db: &Db, regions: &Regions, now: UnixMillis) -> Result<(), Error> {
    for store in regions.iter() {
        let own = folder_id(regions, store).await?;
        let id = own.unwrap_or_else(Uuid::new_v4);
        let mut tx = db.write().await?;
        let has = region_folders::claim(&mut tx, store.name(), id, now).await?;
        if has != id {
            let path = store.spool().folder_id_path();
            return Err(Error::OtherFolder {
                region: store.name().clone(),
                path: store.folder().display().to_string(),
                id: has,
                id_path: path.display().to_string(),
            });
        }
        // Before the row: an id that no row knows is claimed by the next start.
        if own.is_none() {
            in_folder(regions, store, move |store| store.spool().set_folder_id(id)).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// Until the server stops, or another one has taken a region in which there was nothing yet.
pub(super) async fn watch(db: Db, regions: Regions, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        match lost(&db, &regions).await {
            Ok(None) => {}
            Ok(Some(region)) => {
                tracing::error!(%region, "another server over the same database has taken this region, and one is all that can: stopping");
                stop.cancel();
                return;
            }
            // The next look says more.
            Err(error) => tracing::debug!(%error, "whether the regions are still this server's is not known"),
        }
    }
}

async fn lost(db: &Db, regions: &Regions) -> Result<Option<afterlive_domain::Region>, Error> {
    for store in regions.iter() {
        let has = region_folders::of(&mut db.read().await?, store.name()).await?;
        let own = folder_id(regions, store).await?;
        if has.is_some() && own.is_some() && has != own {
            return Ok(Some(store.name().clone()));
        }
    }
    Ok(None)
}

async fn folder_id(regions: &Regions, store: &RegionStore) -> Result<Option<Uuid>, Error> {
    in_folder(regions, store, |store| store.spool().folder_id()).await
}

async fn in_folder<T: Send + 'static>(
    regions: &Regions,
    store: &RegionStore,
    act: impl FnOnce(&RegionStore) -> std::io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let (regions, name, path) = (regions.clone(), store.name().clone(), store.spool().folder_id_path());
    let acting = spawn_blocking(move || match regions.get(&name) {
        Some(store) => act(store),
        None => Err(std::io::ErrorKind::NotFound.into()),
    });
    let done = acting.await.map_err(std::io::Error::other).flatten();
    Ok(done.map_err(|source| StorageError::Folder { path, source })?)
}
