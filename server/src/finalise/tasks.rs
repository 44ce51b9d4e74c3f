//! The jobs on finished recordings. Each reads the row as it is now, and does nothing that has been done.

use std::path::PathBuf;

use afterlive_domain::{AssetId, AssetState};
use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::probe::{self, ProbeError};
use super::{FinaliseError, Finaliser};
use crate::db::assets::{self, Asset, Facts};
use crate::jobs::{self, Outcome, Task};
use crate::storage::{Key, RegionStore};

/// What the decoder may differ from us by, in milliseconds, before it is worth a line in the log.
const DURATION_TOLERANCE_MS: u64 = 50;

impl Finaliser {
    /// Does a job.
    pub async fn perform(&self, task: Task) -> Outcome {
        let outcome = match task {
            Task::Probe { asset } => self.probe(asset).await,
            Task::Place { asset } => self.settle_place(asset).await,
        };
        match outcome {
            Ok(()) => Outcome::Done,
            Err(error) if error.is_final() => Outcome::Hopeless(error.to_string()),
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }

    async fn read(&self, asset: AssetId) -> Result<Option<Asset>, FinaliseError> {
        Ok(assets::by_id(&mut self.db.read().await?, asset).await?)
    }

    fn place_of(&self, asset: &Asset) -> Result<(&RegionStore, Key), FinaliseError> {
        let key = Key::from_file_name(&asset.file_name).ok_or_else(|| FinaliseError::BadFileName(asset.file_name.clone()))?;
        Ok((self.store(asset)?, key))
    }

    /// Looks at the recording with a decoder, compares, and makes the poster.
    async fn probe(&self, id: AssetId) -> Result<(), FinaliseError> {
        let Some(asset) = self.read(id).await?.filter(|asset| asset.state.is_playable()) else { return Ok(()) };
        let (store, key) = self.place_of(&asset)?;
        let (path, duration_ms) = (store.path(&key), asset.facts.duration_ms);
        let looked = spawn_blocking(move || look(path, duration_ms)).await.map_err(std::io::Error::other)?;
        let (seen, poster) = looked.map_err(|error| FinaliseError::Unplayable(error.to_string()))?;
        compare(&asset, &seen);
        let Some(poster) = poster else { return Ok(()) };
        store.put(&key.to_thumbnail(), poster).await?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        if !assets::set_poster(&mut tx, &asset, now).await? {
            // Deleted while we looked: the poster must follow the recording.
            jobs::enqueue(&mut tx, Task::Place { asset: id }, now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Puts the files where the row says. Deleting and restoring may race: so it looks again until row and place agree.
    async fn settle_place(&self, id: AssetId) -> Result<(), FinaliseError> {
        let mut settled: Option<bool> = None;
        loop {
            let Some(asset) = self.read(id).await? else { return Ok(()) };
            let deleted = asset.state == AssetState::Deleted;
            if settled == Some(deleted) {
                return Ok(());
            }
            let (store, key) = self.place_of(&asset)?;
            for key in [key.to_thumbnail(), key] {
                if deleted { store.move_to_bin(&key).await? } else { store.restore_from_bin(&key).await? }
            }
            settled = Some(deleted);
        }
    }
}

fn look(path: PathBuf, duration_ms: u64) -> Result<(Facts, Option<Bytes>), ProbeError> {
    let facts = probe::facts(&path)?;
    let poster = probe::poster(&path, duration_ms)?;
    Ok((facts, poster))
}

/// What the row says was counted while recording; a decoder that sees something else means that one of the two is wrong.
fn compare(asset: &Asset, seen: &Facts) {
    let said = &asset.facts;
    let same = said.duration_ms.abs_diff(seen.duration_ms) <= DURATION_TOLERANCE_MS
        && said.size_bytes == seen.size_bytes
        && (said.width, said.height) == (seen.width, seen.height)
        && (&said.video_codec, &said.audio_codec) == (&seen.video_codec, &seen.audio_codec);
    if !same {
        tracing::warn!(asset = %asset.id, ?said, ?seen, "a decoder sees another recording than was written");
    }
}
