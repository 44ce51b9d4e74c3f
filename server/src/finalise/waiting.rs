//! Recordings whose index is not in front yet, because their file system can only copy them and has no room for that: they stand at their place as they grew, which plays,
//! and are finished when there is room.

use std::io;
use std::time::Duration;

use afterlive_domain::asset::without_waiting;
use afterlive_domain::{AssetId, AssetState};
use tokio::time::timeout;

use super::patience::WORK_PATIENCE;
use super::{FinaliseError, Finaliser, Known};
use crate::claims::Claim;
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
    /// Puts the index in front of a recording that waits for room. That may be a copy of an hour, on a disk that is well: it goes on where nobody
    /// waits for it any more, the region is asked other things meanwhile, and the next try finds it done.
    pub(super) async fn finish_waiting(&self, id: AssetId) -> Result<(), FinaliseError> {
        self.finish_within(WORK_PATIENCE, id).await
    }

    async fn finish_within(&self, patience: Duration, id: AssetId) -> Result<(), FinaliseError> {
        let Some(asset) = self.read(id).await? else { return Ok(()) };
        self.ask(self.store(&asset)?, RegionStore::require).await?;
        // One of a region: each holds a thread for as long as the disk does, and those that wait for it would hold the places of all other jobs.
        let of_region = self.copying.claim(asset.region).ok_or(FinaliseError::Busy)?;
        let claim = self.claims.claim(id).ok_or(FinaliseError::Busy)?;
        let this = self.clone();
        let finishing = tokio::spawn(async move {
            let _of_region = of_region;
            this.finish_claimed(id, claim).await
        });
        match timeout(patience, finishing).await {
            Ok(done) => done.map_err(io::Error::other)?,
            Err(_) => Err(FinaliseError::Busy),
        }
    }

    async fn finish_claimed(self, id: AssetId, claim: Claim<AssetId>) -> Result<(), FinaliseError> {
        let Some(asset) = self.read(id).await? else { return Ok(()) };
        match asset.state {
            AssetState::Ready | AssetState::Incomplete => {}
            AssetState::Deleted => {
                let is_purged = asset.purged_at.is_some();
                // A try that had it when it was deleted has put the new file in its place, and may not have come to say so.
                self.settle(asset, claim).await?;
                // It may come back.
                return if is_purged { Ok(()) } else { Err(io::Error::other("it is in the bin").into()) };
            }
            AssetState::Recording | AssetState::Failed => return Ok(()),
        }
        let (reason, true) = asset.reason.as_deref().map_or((None, false), without_waiting) else { return Ok(()) };
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

#[cfg(test)]
mod tests {
    use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
    use afterlive_media::mp4::RecordingWriter;
    use bytes::Bytes;
    use uuid::Uuid;

    use super::super::patience::tests::{NOW, a_finaliser};
    use super::super::write_parts;
    use super::*;
    use crate::db::assets::{self, NewAsset};
    use crate::record::a_live_stream;
    use crate::storage::SpoolNote;

    /// One that can only be copied, and waits for the room: sound behind a reserve that is too small for its index.
    async fn a_waiting_one(finaliser: &Finaliser) -> AssetId {
        let live = a_live_stream(finaliser.db()).await;
        let (id, region) = (AssetId(Uuid::new_v4()), live.region);
        let new = NewAsset { id, stream: live.stream, session: live.session, region: region.clone(), created_at: NOW };
        let mut tx = finaliser.db().write().await.unwrap();
        let asset = assets::begin(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        let note = SpoolNote {
            asset: id,
            stream: live.stream,
            session: live.session,
            streamname: live.streamname,
            index: asset.index,
            region,
            created_at: NOW,
        };
        let file = finaliser.store(&asset).unwrap().spool().create(&note).unwrap();
        let codec = CodecConfig::Aac { asc: Bytes::from_static(&[0x11, 0x90]), sample_rate: 48_000, channels: 2 };
        let (mut writer, head) = RecordingWriter::new(&[TrackConfig { codec, timescale: 48_000 }], 8);
        write_parts(&file, 0, &[head]).unwrap();
        for n in 0..470 {
            let data = Bytes::from_static(b"\x21\x10\x04");
            writer.push(Frame { kind: TrackKind::Audio, dts: n * 1_024, pts_offset: 0, keyframe: true, data }).unwrap();
            if n % 47 == 46
                && let Some(fragment) = writer.cut()
            {
                write_parts(&file, fragment.offset, &fragment.parts).unwrap();
            }
        }
        if let (Some(last), _) = writer.finish() {
            write_parts(&file, last.offset, &last.parts).unwrap();
        }
        let full = finaliser.clone().with_copy_margin(u64::MAX);
        full.finish(&asset, Known::Abandoned(None), None, NOW).await.unwrap();
        assert_eq!(state(finaliser, id).await, AssetState::Incomplete);
        id
    }

    async fn state(finaliser: &Finaliser, id: AssetId) -> AssetState {
        finaliser.read(id).await.unwrap().unwrap().state
    }

    #[tokio::test]
    async fn a_copy_that_takes_long_has_its_recording_to_itself_until_it_is_through_and_no_place_among_the_jobs() {
        let folder = tempfile::tempdir().unwrap();
        let finaliser = a_finaliser(folder.path()).await;
        let [first, second] = [a_waiting_one(&finaliser).await, a_waiting_one(&finaliser).await];
        // Until somebody else has written it does not come to an end.
        let writing = finaliser.db().write().await.unwrap();
        let given_up = finaliser.finish_within(Duration::from_millis(1), first).await;
        assert!(matches!(given_up, Err(FinaliseError::Busy)), "{given_up:?}");
        assert!(finaliser.claims.claim(first).is_none());
        // Neither it nor another of its region is waited for, and the region is well.
        for id in [first, second] {
            let refused = finaliser.finish_waiting(id).await;
            assert!(matches!(refused, Err(FinaliseError::Busy)), "{refused:?}");
        }
        let store = finaliser.regions().get(&"eu".parse().unwrap()).unwrap();
        finaliser.ask(store, RegionStore::require).await.unwrap();

        drop(writing);
        drop(finaliser.claims.claim_once_free(first).await);
        assert_eq!(state(&finaliser, first).await, AssetState::Ready);
        for id in [first, second] {
            finaliser.finish_waiting(id).await.unwrap();
            assert_eq!(state(&finaliser, id).await, AssetState::Ready);
        }
    }
}
