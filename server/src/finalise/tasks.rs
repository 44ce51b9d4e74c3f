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
            Task::Retain => self.retain().await,
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

    /// Puts the files where the row says. Deleting, restoring and purging may race: so it looks again until row and place agree.
    pub(super) async fn settle_place(&self, id: AssetId) -> Result<(), FinaliseError> {
        let mut settled: Option<Place> = None;
        loop {
            let Some(asset) = self.read(id).await? else { return Ok(()) };
            let place = Place::of(&asset);
            if settled == Some(place) {
                return Ok(());
            }
            let (store, key) = self.place_of(&asset)?;
            for key in key.of_recording() {
                match place {
                    Place::InSight => store.restore_from_bin(&key).await?,
                    Place::Bin => store.move_to_bin(&key).await?,
                    Place::Nowhere => store.remove(&key).await?,
                }
            }
            settled = Some(place);
        }
    }
}

/// Where an asset's files belong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    InSight,
    Bin,
    Nowhere,
}

impl Place {
    fn of(asset: &Asset) -> Self {
        match asset.state {
            AssetState::Deleted if asset.purged_at.is_some() => Self::Nowhere,
            AssetState::Deleted => Self::Bin,
            _ => Self::InSight,
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
