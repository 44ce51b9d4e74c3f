//! Which folder has a region's recordings: a server that would look for them in another one is refused, and so is a second server over the same database.

use std::io;
use std::time::Duration;

use afterlive_domain::{Region, UnixMillis};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Error;
use crate::config::{Config, RegionConfig};
use crate::db::{Db, assets, region_folders};
use crate::storage::{self, RegionStore, Regions, StorageError, is_full};

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

/// The folder of each region, by its id.
pub type Claimed = Vec<(Region, Uuid)>;

/// Takes the regions for the folders that are open here, each of which gets an id the first time. For who has the spools' locks, and before anything is done with
/// what the database says of recordings: they lie there, or somebody else has them. All of them or none: who is refused has taken nothing from who is not.
///
/// A region in which nothing lies is taken from another folder by who has the folder of any other one, as that one's lock says that no other server lives, and
/// where the database knows of no recording and nobody is on air.
///
/// # Errors
/// `OtherFolder` for the first region that another folder has.
pub async fn claim(db: &Db, regions: &Regions, now: UnixMillis) -> Result<Claimed, Error> {
    let mut own = Vec::new();
    for store in regions.iter() {
        match own_id(regions, store).await {
            Ok(id) => own.push((store, id)),
            // A disk that is full must not keep a server from making room on it.
            Err(Error::Storage(StorageError::Folder { path, source })) if is_full(&source) => {
                tracing::warn!(region = %store.name(), path = %path.display(), error = %source, "the folder gets its id at a later start");
            }
            Err(error) => return Err(error),
        }
    }
    let mut tx = db.write().await?;
    let mut may_take = !region_folders::any_in_use(&mut tx).await?;
    for (store, id) in &own {
        may_take = may_take || region_folders::of(&mut tx, store.name()).await? == Some(*id);
    }
    let mut claimed = Vec::new();
    for (store, id) in own {
        let has = region_folders::claim(&mut tx, store.name(), id, may_take, now).await?;
        if has != id {
            return Err(Error::OtherFolder {
                region: store.name().clone(),
                path: store.folder().display().to_string(),
                id: has,
                id_path: store.spool().folder_id_path().display().to_string(),
            });
        }
        claimed.push((store.name().clone(), id));
    }
    tx.commit().await?;
    Ok(claimed)
}

/// The id of a region's folder, which is given one where it has none.
async fn own_id(regions: &Regions, store: &RegionStore) -> Result<Uuid, Error> {
    if let Some(id) = folder_id(regions, store).await? {
        return Ok(id);
    }
    let id = Uuid::new_v4();
    in_folder(regions, store, move |store| store.spool().set_folder_id(id)).await?;
    Ok(id)
}

/// Until the server stops, or another one has taken a region in which there was nothing yet.
///
/// # Errors
/// `RegionTaken`; the server is being stopped then.
pub(super) async fn watch(db: Db, claimed: Claimed, stop: CancellationToken) -> Result<(), Error> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        match lost(&db, &claimed).await {
            Ok(None) => {}
            Ok(Some(region)) => {
                tracing::error!(%region, "another server over the same database has taken this region, and one is all that can: stopping");
                stop.cancel();
                return Err(Error::RegionTaken { region });
            }
            // The next look says more.
            Err(error) => tracing::debug!(%error, "whether the regions are still this server's is not known"),
        }
    }
}

async fn lost(db: &Db, claimed: &Claimed) -> Result<Option<Region>, Error> {
    for (region, own) in claimed {
        let has = region_folders::of(&mut db.read().await?, region).await?;
        if has.is_some_and(|has| has != *own) {
            return Ok(Some(region.clone()));
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
    act: impl FnOnce(&RegionStore) -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let (regions, name, path) = (regions.clone(), store.name().clone(), store.spool().folder_id_path());
    let acting = spawn_blocking(move || match regions.get(&name) {
        Some(store) => act(store),
        None => Err(io::ErrorKind::NotFound.into()),
    });
    let done = acting.await.map_err(io::Error::other).flatten();
    Ok(done.map_err(|source| StorageError::Folder { path, source })?)
}
