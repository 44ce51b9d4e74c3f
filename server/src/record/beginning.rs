//! A new recording: its row, then its file.

use std::time::Duration;

use afterlive_domain::AssetId;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::course::Course;
use super::opening::Start;
use super::pulse::Waits;
use super::room::Room;
use super::take::Take;
use super::{End, Ended, Recorder};
use crate::db;
use crate::db::assets::{self, Asset, NewAsset};
use crate::storage::SpoolNote;

/// The wait after a recording's row could not be written; doubles with each vain try, up to [`MAX_BEGIN_WAIT`].
const BEGIN_WAIT: Duration = Duration::from_millis(200);
const MAX_BEGIN_WAIT: Duration = Duration::from_secs(5);

impl Recorder {
    /// The row, then the file: a crash in between leaves a row whose recording the next start finds to be nothing.
    pub(super) async fn begin(&self, course: &Course<'_>, start: &Start) -> Option<Take> {
        let Course { publish, frames, pulse, .. } = course;
        pulse.waits_for(Waits::Database);
        // What is short of a second, or of sound, begins only with its publish's end.
        let newest = Ended::of(frames, self.finaliser.clock()).at;
        let created_at = newest.plus_ms(-start.span_ms);
        let new = NewAsset {
            id: AssetId(Uuid::new_v4()),
            stream: publish.stream,
            session: publish.session,
            region: publish.region.clone(),
            created_at,
        };
        let asset = match self.insert(&new).await {
            Ok(asset) => asset,
            Err(error) => {
                tracing::error!(stream = %publish.streamname, %error, "a publish is not recorded: its recording has no row, and the server stops");
                return None;
            }
        };
        let asset = match self.finaliser.with_free_name(asset.clone()).await {
            Ok(asset) => asset,
            Err(error) => {
                tracing::error!(asset = %asset.id, %error, "whether a recording's name is free cannot be said; it is looked at again when it is finished");
                asset
            }
        };
        let note = SpoolNote {
            asset: asset.id,
            stream: publish.stream,
            session: publish.session,
            streamname: publish.streamname.clone(),
            index: asset.index,
            region: publish.region.clone(),
            created_at,
        };
        let (regions, tracks) = (self.finaliser.regions().clone(), start.tracks.clone());
        let creating = spawn_blocking(move || match regions.get(&note.region) {
            Some(store) => Room::create(store, &note, &tracks),
            None => Err(std::io::ErrorKind::NotFound.into()),
        });
        pulse.waits_for(Waits::Storage);
        pulse.writes(Some(asset.id));
        match creating.await.map_err(std::io::Error::other).flatten() {
            Ok(room) => {
                tracing::info!(asset = %asset.id, file = asset.file_name, region = %asset.region, "recording");
                let entry = self.growing.enter(&asset, assets::Facts::default(), room.file.clone());
                Some(Take::new(asset, room, start, entry, self.limits))
            }
            Err(error) => {
                tracing::error!(asset = %asset.id, file = asset.file_name, %error, "a publish is not recorded: its file cannot be made; it is tried again");
                let reason = End::Disk(error).to_string();
                if let Err(error) = self.finaliser.fail(&asset, &reason).await {
                    tracing::error!(asset = %asset.id, %error, "a failed recording waits for the next start");
                }
                None
            }
        }
    }

    /// Tries for as long as the server runs: what comes meanwhile waits in the hub's queue, which holds minutes, and ends loudly when it is full.
    async fn insert(&self, new: &NewAsset) -> db::Result<Asset> {
        let mut wait = BEGIN_WAIT;
        loop {
            let error = match self.try_insert(new).await {
                Ok(asset) => return Ok(asset),
                Err(error) => error,
            };
            tracing::error!(asset = %new.id, %error, "a recording waits for the database");
            if self.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Err(error);
            }
            wait = (wait * 2).min(MAX_BEGIN_WAIT);
        }
    }

    async fn try_insert(&self, new: &NewAsset) -> db::Result<Asset> {
        let mut tx = self.finaliser.db().write().await?;
        match assets::begin(&mut tx, new).await {
            Ok(asset) => tx.commit().await.map(|()| asset),
            Err(error) if error.is_unique_violation() => {
                drop(tx);
                // The last try was committed, although it did not come to say so.
                assets::by_id(&mut self.finaliser.db().read_briefly().await?, new.id).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }
}
