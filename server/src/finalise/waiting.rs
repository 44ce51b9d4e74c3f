//! Recordings whose index is not in front yet, because their file system can only copy them and has no room for that: they stand at their place as they grew, which plays,
//! and are finished when there is room.

use std::io;

use afterlive_domain::asset::without_waiting;
use afterlive_domain::{AssetId, AssetState};

use super::{FinaliseError, Finaliser, Known};
use crate::db::asset_mending;
use crate::jobs::{self, Task};
use crate::storage::{RegionStore, is_full};

/// So long it waits before the first look for room.
pub(super) const ROOM_WAIT_MS: i64 = 60_000;

/// Whether it is room that was lacking.
pub(super) fn lacks_room(error: &FinaliseError) -> bool {
    matches!(error, FinaliseError::Io(error) if is_full(error))
}

impl Finaliser {
    /// Puts the index in front of a recording that waits for room.
    pub(super) async fn finish_waiting(&self, id: AssetId) -> Result<(), FinaliseError> {
        let Some(asset) = self.read(id).await? else { return Ok(()) };
        match asset.state {
            AssetState::Ready | AssetState::Incomplete => {}
            // It may come back.
            AssetState::Deleted if asset.purged_at.is_none() => return Err(io::Error::other("it is in the bin").into()),
            _ => return Ok(()),
        }
        let (reason, true) = asset.reason.as_deref().map_or((None, false), without_waiting) else { return Ok(()) };
        self.ask(self.store(&asset)?, RegionStore::require).await?;
        let placed = self.place(&asset, Known::Abandoned(None)).await.map_err(|error| match error {
            // On its way to the bin, or back: the next try finds it where it is then.
            FinaliseError::Empty => io::Error::from(io::ErrorKind::NotFound).into(),
            error => error,
        })?;
        if placed.waits_for_room {
            return Err(io::Error::from(io::ErrorKind::StorageFull).into());
        }
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        if asset_mending::complete(&mut tx, &asset, placed.facts.size_bytes, reason, now).await? {
            tracing::info!(asset = %id, file = asset.file_name, reason, "a recording that waited for room is finished");
        } else {
            // Deleted meanwhile: a new file may stand where none belongs.
            jobs::enqueue(&mut tx, Task::Place { asset: id }, now).await?;
        }
        Ok(tx.commit().await?)
    }
}
