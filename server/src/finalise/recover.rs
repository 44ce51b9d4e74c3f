//! What a server that died left behind: its sessions are ended, its recordings finished, and what nobody knows is set aside.

use std::collections::{HashMap, HashSet};
use std::time::UNIX_EPOCH;

use afterlive_domain::{AssetId, AssetState, UnixMillis};
use tokio::task::spawn_blocking;

use super::{Account, FinaliseError, Finaliser, Known};
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

/// A recording that is still to be finished. Its row, its number and its name are its own: whatever begins meanwhile gets others.
#[derive(Clone, Debug)]
pub struct LeftBehind {
    pub asset: Asset,
    /// Noted where it had ended before the crash, else when its last bytes were written.
    pub ended_at: UnixMillis,
    /// Whether it still grew when the server died, as far as is known.
    pub grew: bool,
}

impl LeftBehind {
    fn new(finaliser: &Finaliser, store: &RegionStore, asset: Asset) -> Self {
        let grew = asset.ended_at.is_none();
        // Noted where the recording had ended before the crash, and only its finish was waited for.
        let ended_at = asset.ended_at.or_else(|| last_written(store, &asset)).unwrap_or_else(|| finaliser.clock.now());
        Self { asset, ended_at, grew }
    }

    /// All that is known of it beside its file.
    #[must_use]
    pub fn account(&self) -> Account {
        Account { server_died: self.grew, ..Account::default() }
    }
}

/// Repairs what a crash left, in every region, and finishes one recording after the other. For who lets nobody publish meanwhile.
///
/// # Errors
/// Where the database fails. What goes wrong with one recording is logged, and leaves the others their turn.
pub async fn recover(finaliser: &Finaliser, locks: &[SpoolLock]) -> Result<Recovered, FinaliseError> {
    let (mut done, left_behind) = find_left_behind(finaliser, locks).await?;
    for left in left_behind {
        let (asset, reason) = (&left.asset, left.asset.reason.as_deref());
        match finaliser.finish(asset, Known::Abandoned(Some(left.account())), reason, left.ended_at).await {
            Ok(()) => done.recordings += 1,
            Err(error) => {
                tracing::error!(asset = %asset.id, region = %asset.region, %error, "a recording could not be recovered; it waits");
                done.left += 1;
            }
        }
    }
    Ok(done)
}

/// Repairs of what a crash left all that takes no time, in every region, and lists the recordings that are to be finished. For start-up, before the ingest listens:
/// what lies in a spool afterwards may be a new publish's. The locks prove that nobody else records into these spools.
///
/// # Errors
/// Where the database fails. What goes wrong with one recording is logged, and leaves the others their turn.
pub async fn find_left_behind(
    finaliser: &Finaliser,
    _locks: &[SpoolLock],
) -> Result<(Recovered, Vec<LeftBehind>), FinaliseError> {
    let mut tx = finaliser.db.write().await?;
    let sessions = sessions::end_orphaned_live(&mut tx, finaliser.clock.now()).await?;
    tx.commit().await?;
    let mut done = Recovered { sessions, ..Recovered::default() };

    let rows = assets::in_recording(&mut finaliser.db.read().await?).await?;
    let mut growing: HashMap<AssetId, Asset> = rows.into_iter().map(|asset| (asset.id, asset)).collect();
    let mut listed = Vec::new();
    for store in finaliser.regions.iter() {
        listed.push((store, spooled(finaliser, store).await?));
    }
    set_misplaced_apart(&mut growing, &mut listed, &mut done);
    let mut left_behind = Vec::new();
    for (store, ids) in listed {
        let expected = growing.values().filter(|asset| asset.region == *store.name()).map(|asset| asset.id);
        let ids: HashSet<AssetId> = ids.into_iter().chain(expected).collect();
        for id in ids {
            if let Some(asset) = growing.remove(&id) {
                left_behind.push(LeftBehind::new(finaliser, store, asset));
                continue;
            }
            match repair(finaliser, store, id, &mut done).await {
                Ok(left) => left_behind.extend(left),
                Err(error) => {
                    tracing::error!(asset = %id, region = %store.name(), %error, "a recording could not be recovered; it waits");
                    done.left += 1;
                }
            }
        }
    }
    for asset in growing.values() {
        tracing::error!(asset = %asset.id, region = %asset.region, "a recording waits for its region to be configured again");
        done.left += 1;
    }
    if done != Recovered::default() || !left_behind.is_empty() {
        let Recovered { quarantined, left, .. } = done;
        let to_finish = left_behind.len();
        tracing::warn!(sessions, to_finish, quarantined, left, "the last run did not end in good order: it is repaired");
    }
    Ok((done, left_behind))
}

/// Leaves alone what lies in another region's spool than its row says, as where storages were exchanged: neither the file nor the row is given up, and a person brings
/// them together.
fn set_misplaced_apart(growing: &mut HashMap<AssetId, Asset>, listed: &mut [(&RegionStore, Vec<AssetId>)], done: &mut Recovered) {
    let mut misplaced = HashSet::new();
    for (store, ids) in &mut *listed {
        let is_of_another = |id: &AssetId| growing.get(id).is_some_and(|asset| asset.region != *store.name());
        for id in ids.extract_if(.., |id| is_of_another(id)) {
            tracing::error!(asset = %id, found = %store.spool().folder().display(), "a recording lies in another region's spool than its row says: move its files to that one, and start again");
            misplaced.insert(id);
        }
    }
    for (_, ids) in listed {
        misplaced.retain(|id| !ids.contains(id));
    }
    growing.retain(|id, _| !misplaced.contains(id));
    done.left += misplaced.len();
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

/// One recording of which no row says that it is being recorded. Comes back where it is to be finished.
async fn repair(
    finaliser: &Finaliser,
    store: &RegionStore,
    id: AssetId,
    done: &mut Recovered,
) -> Result<Option<LeftBehind>, FinaliseError> {
    match assets::by_id(&mut finaliser.db.read().await?, id).await? {
        Some(asset) if asset.state == AssetState::Failed => set_aside(finaliser, store, id).await?,
        // The crash came between the commit and the release: also of one that has gone with its stream, or was deleted at once.
        Some(asset) if asset.state != AssetState::Recording && !store.spool().recording_path(id).exists() => {
            finaliser.release(&asset).await?;
        }
        Some(asset) => {
            tracing::error!(asset = %id, state = %asset.state, "the spool holds a file that should not be there any more; it is set aside");
            done.quarantined += 1;
            set_aside(finaliser, store, id).await?;
        }
        None => {
            let has_media = store.spool().recording_path(id).exists();
            let note = store.spool().note(id).filter(|note| has_media && note.asset == id && note.region == *store.name());
            if let Some(asset) = put_back(finaliser, note).await? {
                tracing::warn!(asset = %id, file = asset.file_name, "the spool holds a recording that the database did not know: it has a row again");
                return Ok(Some(LeftBehind::new(finaliser, store, asset)));
            }
            tracing::error!(asset = %id, "the spool holds a recording of which the database does not know the stream either; it is set aside");
            done.quarantined += 1;
            set_aside(finaliser, store, id).await?;
        }
    }
    Ok(None)
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
