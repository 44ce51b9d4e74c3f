//! What a server that died left behind: its sessions are ended, its recordings finished, and what nobody knows is set aside.

use std::collections::{HashMap, HashSet};
use std::time::UNIX_EPOCH;

use afterlive_domain::{AssetId, AssetState, UnixMillis};
use tokio::task::spawn_blocking;

use super::{FinaliseError, Finaliser, Known};
use crate::db::asset_mending::{self, Unknown};
use crate::db::assets::{self, Asset};
use crate::db::sessions;
use crate::storage::{Key, RegionStore, SpoolLock, SpoolNote};

/// What was found and done.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Recovered {
    /// Sessions that were still on air.
    pub sessions: usize,
    /// Recordings that were finished, or found to be worth nothing.
    pub recordings: usize,
    /// Files that no row knows, set aside.
    pub quarantined: usize,
    /// Recordings that could not be dealt with, because a disk or the database failed: they wait for the next start.
    pub left: usize,
}

/// Repairs what a crash left, in every region. For start-up, before the ingest listens; the locks prove that nobody records into these spools.
///
/// A few reads a fragment, and no media is read or moved: about as fast as the disk finds the places.
///
/// # Errors
/// Where the database fails. What goes wrong with one recording is logged, and leaves the others their turn.
pub async fn recover(finaliser: &Finaliser, _locks: &[SpoolLock]) -> Result<Recovered, FinaliseError> {
    let mut tx = finaliser.db.write().await?;
    let sessions = sessions::end_orphaned_live(&mut tx, finaliser.clock.now()).await?;
    tx.commit().await?;
    let mut done = Recovered { sessions, ..Recovered::default() };

    let rows = assets::in_recording(&mut finaliser.db.read().await?).await?;
    let mut growing: HashMap<AssetId, Asset> = rows.into_iter().map(|asset| (asset.id, asset)).collect();
    for store in finaliser.regions.iter() {
        let listed = spooled(finaliser, store).await?;
        let expected = growing.values().filter(|asset| asset.region == *store.name()).map(|asset| asset.id);
        let ids: HashSet<AssetId> = listed.into_iter().chain(expected).collect();
        for id in ids {
            let row = growing.remove(&id).filter(|asset| asset.region == *store.name());
            if let Err(error) = repair(finaliser, store, id, row, &mut done).await {
                tracing::error!(asset = %id, region = %store.name(), %error, "a recording could not be recovered; it waits");
                done.left += 1;
            }
        }
    }
    for asset in growing.values() {
        tracing::error!(asset = %asset.id, region = %asset.region, "a recording waits for its region to be configured again");
        done.left += 1;
    }
    if done != Recovered::default() {
        tracing::warn!(
            sessions,
            recordings = done.recordings,
            quarantined = done.quarantined,
            left = done.left,
            "the last run did not end in good order: repaired"
        );
    }
    Ok(done)
}

async fn spooled(finaliser: &Finaliser, store: &RegionStore) -> Result<Vec<AssetId>, FinaliseError> {
    let (regions, name) = (finaliser.regions.clone(), store.name().clone());
    let listing = spawn_blocking(move || {
        let Some(store) = regions.get(&name) else { return Ok(Vec::new()) };
        // All that one costs is room.
        if let Err(error) = store.spool().remove_copies() {
            tracing::warn!(region = %name, %error, "unfinished copies of recordings could not be removed; they stay until the next start");
        }
        store.spool().assets()
    });
    Ok(listing.await.map_err(std::io::Error::other)??)
}

/// One recording: `growing` is its row where that says that it is being recorded.
async fn repair(
    finaliser: &Finaliser,
    store: &RegionStore,
    id: AssetId,
    growing: Option<Asset>,
    done: &mut Recovered,
) -> Result<(), FinaliseError> {
    if let Some(asset) = growing {
        // Noted where the recording had ended before the crash, and only its finish was waited for.
        let ended_at = asset.ended_at.or_else(|| last_written(store, &asset)).unwrap_or_else(|| finaliser.clock.now());
        finaliser.finish(&asset, Known::Abandoned(None), asset.reason.as_deref(), ended_at).await?;
        done.recordings += 1;
        return Ok(());
    }
    match assets::by_id(&mut finaliser.db.read().await?, id).await? {
        // The crash came between the commit and the release.
        Some(asset) if asset.state.is_playable() && !store.spool().recording_path(id).exists() => finaliser.release(&asset).await,
        Some(asset) if asset.state == AssetState::Failed => set_aside(finaliser, store, id).await,
        Some(asset) => {
            tracing::error!(asset = %id, state = %asset.state, "the spool holds a file that should not be there any more; it is set aside");
            done.quarantined += 1;
            set_aside(finaliser, store, id).await
        }
        None => {
            let has_media = store.spool().recording_path(id).exists();
            let note = store.spool().note(id).filter(|note| has_media && note.asset == id && note.region == *store.name());
            if let Some(asset) = put_back(finaliser, note).await? {
                tracing::warn!(asset = %id, file = asset.file_name, "the spool holds a recording that the database did not know: it has a row again");
                let ended_at = last_written(store, &asset).unwrap_or_else(|| finaliser.clock.now());
                finaliser.finish(&asset, Known::Abandoned(None), None, ended_at).await?;
                done.recordings += 1;
                return Ok(());
            }
            tracing::error!(asset = %id, "the spool holds a recording of which the database does not know the stream either; it is set aside");
            done.quarantined += 1;
            set_aside(finaliser, store, id).await
        }
    }
}

/// Gives a recording a row again by what stands beside it; `None` where there is nothing, or its stream is unknown.
async fn put_back(finaliser: &Finaliser, note: Option<SpoolNote>) -> Result<Option<Asset>, FinaliseError> {
    let Some(SpoolNote { asset: id, stream, session, index, region, created_at, .. }) = note else { return Ok(None) };
    let mut tx = finaliser.db.write().await?;
    let unknown = Unknown { id, stream, session, index, region, created_at };
    let asset = asset_mending::insert_again(&mut tx, &unknown, finaliser.clock.now()).await?;
    tx.commit().await?;
    Ok(asset)
}

async fn set_aside(finaliser: &Finaliser, store: &RegionStore, id: AssetId) -> Result<(), FinaliseError> {
    let (regions, name) = (finaliser.regions.clone(), store.name().clone());
    let moving = spawn_blocking(move || regions.get(&name).map_or(Ok(()), |store| store.spool().quarantine(id).map(drop)));
    moving.await.map_err(std::io::Error::other)??;
    let folder = store.spool().quarantine_folder().display();
    tracing::warn!(asset = %id, "what is set aside plays as far as it goes; `afterlive recover {folder}/{id}.mp4` makes a plain MP4 of it");
    Ok(())
}

/// When the last fragment reached the disk: as near to the crash as anything knows.
fn last_written(store: &RegionStore, asset: &Asset) -> Option<UnixMillis> {
    let places =
        [Some(store.spool().recording_path(asset.id)), Key::from_file_name(&asset.file_name).map(|key| store.path(&key))];
    let facts = places.into_iter().flatten().find_map(|path| std::fs::metadata(path).ok())?;
    let since_epoch = facts.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since_epoch.as_millis()).ok().map(UnixMillis)
}
