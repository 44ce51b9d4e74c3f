//! The jobs on finished recordings. Each reads the row as it is now, and does nothing that has been done.

use std::time::Duration;

use afterlive_domain::report::Report;
use afterlive_domain::{AssetId, AssetState};
use bytes::Bytes;

use super::patience::{PATIENCE, asking};
use super::{FinaliseError, Finaliser};
use crate::claims::Claim;
use crate::db::assets::{self, Asset, Facts};
use crate::jobs::{self, Outcome, Task};
use crate::pictures::{Look, Storyboard, web_vtt};
use crate::storage::{Key, KeyKind, RegionStore};

/// What the decoder may differ from us by, in milliseconds, before it is worth a line in the log.
const DURATION_TOLERANCE_MS: u64 = 50;

impl Finaliser {
    /// Does a job.
    pub async fn perform(&self, task: Task) -> Outcome {
        let outcome = match task {
            Task::Probe { asset } => self.probe(asset).await,
            Task::Storyboard { asset } => self.storyboard(asset).await,
            Task::Place { asset } => self.settle_place(asset).await,
            Task::Finish { asset } => self.finish_waiting(asset).await,
            Task::Retain => self.retain().await,
        };
        match outcome {
            Ok(()) => Outcome::Done,
            Err(error) if error.is_final() => Outcome::Hopeless(error.to_string()),
            Err(error @ (FinaliseError::NoAnswer(_) | FinaliseError::Busy)) => Outcome::PutOff(error.to_string()),
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }

    pub(super) async fn read(&self, asset: AssetId) -> Result<Option<Asset>, FinaliseError> {
        Ok(assets::by_id(&mut self.db.read().await?, asset).await?)
    }

    fn place_of(&self, asset: &Asset) -> Result<(&RegionStore, Key), FinaliseError> {
        let key = Key::from_file_name(&asset.file_name).ok_or_else(|| FinaliseError::BadFileName(asset.file_name.clone()))?;
        Ok((self.store(asset)?, key))
    }

    /// Looks at the recording with a decoder, compares, and makes the poster.
    async fn probe(&self, id: AssetId) -> Result<(), FinaliseError> {
        let Some(asset) = self.to_be_pictured(id).await? else { return Ok(()) };
        let (store, key) = self.place_of(&asset)?;
        self.ask(store, RegionStore::require).await?;
        let Look { facts, poster } = self.darkroom.look(&store.path(&key), asset.facts.duration_ms).await?;
        if self.read(id).await?.is_some_and(|now| is_still(&now, &asset)) {
            let report = assets::report(&mut self.db.read().await?, id).await?;
            if !agree(&asset.facts, &facts, report.as_ref()) {
                tracing::warn!(asset = %id, said = ?asset.facts, seen = ?facts, "a decoder sees another recording than was written");
            }
        }
        let Some(poster) = poster else { return Ok(()) };
        self.keep_pictures(asset, Pictures::Poster, vec![(key.to_thumbnail(), poster)]).await
    }

    /// Makes the pictures for scrubbing. The track comes last: who finds it, finds what it points to.
    async fn storyboard(&self, id: AssetId) -> Result<(), FinaliseError> {
        let Some(asset) = self.to_be_pictured(id).await? else { return Ok(()) };
        let (store, key) = self.place_of(&asset)?;
        self.ask(store, RegionStore::require).await?;
        let made = self.darkroom.storyboard(&store.path(&key), asset.facts.duration_ms).await?;
        let Some(Storyboard { sprite, cues, decoded_packets }) = made else { return Ok(()) };
        tracing::debug!(asset = %id, tiles = cues.len(), decoded_packets, "a storyboard is made");
        let sprite_key = key.to(KeyKind::StoryboardSprite);
        let track = web_vtt(&cues, &sprite_key.file_name()).into();
        let files = vec![(sprite_key, sprite), (key.to(KeyKind::Storyboard), track)];
        self.keep_pictures(asset, Pictures::Storyboard, files).await
    }

    /// Stores pictures beside the recording, one file after the other, then has its row say so and enqueues what follows: in one piece, also
    /// where a disk takes so long that nobody waits for it any more. `asset` is the row as it was before they were made.
    async fn keep_pictures(&self, asset: Asset, pictures: Pictures, files: Vec<(Key, Bytes)>) -> Result<(), FinaliseError> {
        let (this, region, id) = (self.clone(), asset.region.clone(), asset.id);
        let keeping = async move {
            // Those of all that it has by now are made once it stands finished anew, and may be there already.
            if !this.read(id).await?.is_some_and(|now| is_as_long(&now, &asset)) {
                return Ok(());
            }
            let store = this.store(&asset)?;
            for (key, bytes) in files {
                store.put(&key, bytes).await?;
            }
            let now = this.clock.now();
            let mut tx = this.db.write().await?;
            let is_set = match pictures {
                Pictures::Poster => assets::set_poster(&mut tx, &asset, now).await?,
                Pictures::Storyboard => assets::set_storyboard(&mut tx, &asset, now).await?,
            };
            let next = match (is_set, pictures) {
                (true, Pictures::Poster) => Some(Task::Storyboard { asset: id }),
                (true, Pictures::Storyboard) => None,
                // Deleted while they were made: they must follow the recording.
                (false, _) => Some(Task::Place { asset: id }),
            };
            if let Some(task) = next {
                jobs::enqueue(&mut tx, task, now).await?;
            }
            Ok(tx.commit().await?)
        };
        self.undertake(&region, keeping).await
    }

    /// The recording, where it has pictures. One that was deleted takes those along that an earlier try has stored, and did not come to say so.
    async fn to_be_pictured(&self, id: AssetId) -> Result<Option<Asset>, FinaliseError> {
        let asset = self.read(id).await?;
        if asset.as_ref().is_some_and(|asset| asset.state == AssetState::Deleted) {
            self.settle_place(id).await?;
        }
        Ok(asset.filter(|asset| asset.state.is_playable()))
    }

    /// Puts the files where the row says. Deleting, restoring and purging may race: so it looks again until row and place agree, also where a disk
    /// keeps it from that for so long that nobody waits for it any more.
    pub(super) async fn settle_place(&self, id: AssetId) -> Result<(), FinaliseError> {
        self.settle_within(PATIENCE, id).await
    }

    async fn settle_within(&self, patience: Duration, id: AssetId) -> Result<(), FinaliseError> {
        let Some(Asset { region, .. }) = self.read(id).await? else { return Ok(()) };
        let claim = match self.claim(patience, id, &region).await {
            // A copy of an hour perhaps: what was deleted does not wait for that out of sight. This is done once more when it is through.
            Err(FinaliseError::Busy) => {
                if let Some(asset) = self.read(id).await?
                    && Place::of(&asset) != Place::InSight
                {
                    let this = self.clone();
                    self.undertake(&region, async move { this.put_in_place(&asset).await }).await?;
                }
                return Err(FinaliseError::Busy);
            }
            claim => claim?,
        };
        let Some(asset) = self.read(id).await? else { return Ok(()) };
        self.undertake(&region, self.clone().settle(asset, claim)).await
    }

    /// `asset` is the row as it was read once it was claimed, and old perhaps: it is read again before this ends, however late the disk lets go of
    /// it. Until then nobody else moves the files.
    pub(super) async fn settle(self, mut asset: Asset, _claim: Claim<AssetId>) -> Result<(), FinaliseError> {
        loop {
            self.put_in_place(&asset).await?;
            match self.read(asset.id).await? {
                Some(now) if Place::of(&now) != Place::of(&asset) => asset = now,
                _ => return Ok(()),
            }
        }
    }

    /// Puts the files where this row says.
    async fn put_in_place(&self, asset: &Asset) -> Result<(), FinaliseError> {
        let (store, key) = self.place_of(asset)?;
        asking(&self.regions, store.name(), RegionStore::require).await?;
        for key in key.all_of_recording() {
            match Place::of(asset) {
                Place::InSight => store.restore_from_bin(&key).await?,
                Place::Bin => store.move_to_bin(&key).await?,
                Place::Nowhere => store.remove(&key).await?,
            }
        }
        if matches!(Place::of(asset), Place::InSight) {
            store.restored().placed(&key);
        }
        Ok(())
    }
}

/// What is made of a recording, and its row says that it is there.
#[derive(Clone, Copy)]
enum Pictures {
    Poster,
    Storyboard,
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

/// Whether nobody has come back to the recording since it was read as `then`: pictures of it are still of all that it has.
fn is_as_long(now: &Asset, then: &Asset) -> bool {
    let what = |asset: &Asset| (asset.session, asset.ended_at, asset.facts.duration_ms);
    now.state.is_playable() && what(now) == what(then)
}

/// The same, and its file is as large as it was: else it had more than the row said, another end, or another index.
fn is_still(now: &Asset, then: &Asset) -> bool {
    is_as_long(now, then) && now.facts == then.facts
}

/// What the row says was counted while recording; a decoder that sees something else means that one of the two is wrong. Of pictures whose size changes, the
/// one says the first and the other another.
fn agree(said: &Facts, seen: &Facts, report: Option<&Report>) -> bool {
    let has_sizes =
        report.is_some_and(|report| report.tracks.iter().any(|track| track.kind == "video" && track.configurations > 1));
    said.duration_ms.abs_diff(seen.duration_ms) <= DURATION_TOLERANCE_MS
        && said.size_bytes == seen.size_bytes
        && (has_sizes || (said.width, said.height) == (seen.width, seen.height))
        && (&said.video_codec, &said.audio_codec) == (&seen.video_codec, &seen.audio_codec)
}

#[cfg(test)]
mod tests {
    use afterlive_domain::report::TrackReport;
    use afterlive_domain::{OrganisationId, SessionId, StreamId, UnixMillis};
    use uuid::Uuid;

    use super::super::patience::tests::{NOW, a_finaliser};
    use super::*;
    use crate::db::assets::NewAsset;
    use crate::record::a_live_stream;

    fn a_finished_one() -> Asset {
        Asset {
            id: AssetId(Uuid::nil()),
            organisation: OrganisationId(Uuid::nil()),
            stream: StreamId(Uuid::nil()),
            session: SessionId(Uuid::nil()),
            index: 1,
            region: "eu".parse().unwrap(),
            file_name: "8sKpm-x49nB.mp4".to_owned(),
            state: AssetState::Ready,
            reason: None,
            created_at: UnixMillis(1_000),
            ended_at: Some(UnixMillis(9_000)),
            updated_at: UnixMillis(9_001),
            facts: Facts { duration_ms: 8_000, ..Facts::default() },
            has_poster: false,
            hold: None,
            has_storyboard: false,
            deleted_at: None,
            purged_at: None,
        }
    }

    /// A recording that is ready, with its file.
    async fn a_stored_one(finaliser: &Finaliser) -> Asset {
        let live = a_live_stream(finaliser.db()).await;
        let id = AssetId(Uuid::new_v4());
        let new = NewAsset { id, stream: live.stream, session: live.session, region: live.region, created_at: NOW };
        let mut tx = finaliser.db().write().await.unwrap();
        let asset = assets::begin(&mut tx, &new).await.unwrap();
        let facts = Facts { duration_ms: 8_000, ..Facts::default() };
        assert!(assets::finish(&mut tx, &asset, &facts, None, None, NOW, NOW).await.unwrap().is_some());
        tx.commit().await.unwrap();
        let (store, key) = finaliser.place_of(&asset).unwrap();
        store.put(&key, "mp4".into()).await.unwrap();
        finaliser.read(id).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn who_moves_a_recording_s_files_waits_until_nobody_else_is_at_them() {
        let folder = tempfile::tempdir().unwrap();
        let finaliser = a_finaliser(folder.path()).await;
        let [claimed, other] = [a_stored_one(&finaliser).await, a_stored_one(&finaliser).await];
        let is_in_sight = |asset: &Asset| {
            let (store, key) = finaliser.place_of(asset).unwrap();
            store.path(&key).exists()
        };
        let mut tx = finaliser.db().write().await.unwrap();
        for asset in [&claimed, &other] {
            assert!(assets::delete(&mut tx, asset.organisation, asset.id, NOW).await.unwrap());
        }
        tx.commit().await.unwrap();
        let claim = finaliser.claims.claim(claimed.id).unwrap();
        let mut settling = Box::pin(finaliser.settle_place(claimed.id));
        // Begun after it, and done with time left.
        for _ in 0..2 {
            tokio::select! {
                biased;
                settled = &mut settling => panic!("somebody else is at them: {settled:?}"),
                settled = finaliser.settle_place(other.id) => settled.unwrap(),
            }
        }
        assert!(is_in_sight(&claimed) && !is_in_sight(&other));
        // Who had it leaves it as the row says it by then.
        let mut tx = finaliser.db().write().await.unwrap();
        assert!(assets::restore(&mut tx, claimed.organisation, claimed.id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        drop(claim);
        settling.await.unwrap();
        assert!(is_in_sight(&claimed));
        // And lets go of it.
        finaliser.settle_place(claimed.id).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_deleted_does_not_stay_in_sight_for_as_long_as_somebody_is_at_it() {
        let folder = tempfile::tempdir().unwrap();
        let finaliser = a_finaliser(folder.path()).await;
        let asset = a_stored_one(&finaliser).await;
        let (store, key) = finaliser.place_of(&asset).unwrap();
        let copying = finaliser.claims.claim(asset.id).unwrap();
        let settle = || finaliser.settle_within(Duration::from_millis(1), asset.id);
        assert!(matches!(settle().await, Err(FinaliseError::Busy)));
        assert!(store.path(&key).exists(), "it is where it belongs");
        let mut tx = finaliser.db().write().await.unwrap();
        assert!(assets::delete(&mut tx, asset.organisation, asset.id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        // To be done once more when that is through: the copy comes to stand there.
        assert!(matches!(settle().await, Err(FinaliseError::Busy)));
        assert!(!store.path(&key).exists());
        store.put(&key, "copy".into()).await.unwrap();
        drop(copying);
        settle().await.unwrap();
        assert!(!store.path(&key).exists());
    }

    #[tokio::test]
    async fn pictures_of_what_a_recording_was_before_its_encoder_came_back_are_not_stored() {
        let folder = tempfile::tempdir().unwrap();
        let finaliser = a_finaliser(folder.path()).await;
        let seen = a_stored_one(&finaliser).await;
        let (store, key) = finaliser.place_of(&seen).unwrap();
        let [sprite, track] = [KeyKind::StoryboardSprite, KeyKind::Storyboard].map(|kind| key.to(kind));
        let keep = async |asset: &Asset| {
            let files = vec![(sprite.clone(), Bytes::from_static(b"jpeg")), (track.clone(), Bytes::from_static(b"vtt"))];
            finaliser.keep_pictures(asset.clone(), Pictures::Storyboard, files).await.unwrap();
            let row = finaliser.read(asset.id).await.unwrap().unwrap();
            [store.path(&sprite).exists(), store.path(&track).exists(), row.has_storyboard]
        };
        let mut tx = finaliser.db().write().await.unwrap();
        assert!(assets::reopen(&mut tx, &seen, seen.session, &Report::default(), NOW).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(keep(&seen).await, [false; 3], "it grows again");
        let (facts, ended_at) = (Facts { duration_ms: 19_000, ..Facts::default() }, NOW.plus_ms(20_000));
        let mut tx = finaliser.db().write().await.unwrap();
        assert!(assets::finish(&mut tx, &seen, &facts, None, None, ended_at, ended_at).await.unwrap().is_some());
        tx.commit().await.unwrap();
        assert_eq!(keep(&seen).await, [false; 3], "it has more than they show");
        let now = finaliser.read(seen.id).await.unwrap().unwrap();
        // Another index is none of theirs.
        let before = Asset { facts: Facts { size_bytes: 7, ..now.facts.clone() }, ..now };
        assert_eq!(keep(&before).await, [true; 3]);
    }

    #[test]
    fn what_a_decoder_saw_is_compared_with_a_row_only_where_nobody_came_back_to_the_recording_meanwhile() {
        let then = a_finished_one();
        assert!(is_still(&Asset { has_poster: true, updated_at: UnixMillis(9_500), ..then.clone() }, &then));
        let (session, ended_at) = (SessionId(Uuid::max()), Some(UnixMillis(20_000)));
        let goes_on = Asset { state: AssetState::Recording, session, ended_at: None, ..then.clone() };
        let facts = Facts { duration_ms: 19_000, ..Facts::default() };
        let went_on = Asset { session, ended_at, facts, ..then.clone() };
        let deleted = Asset { state: AssetState::Deleted, ..then.clone() };
        for now in [goes_on, went_on, deleted] {
            assert!(!is_still(&now, &then), "{now:?}");
        }
    }

    #[test]
    fn pictures_whose_size_changes_are_as_large_as_either_says() {
        let said = Facts { width: Some(1280), height: Some(720), video_codec: Some("h264".to_owned()), ..Facts::default() };
        let seen = Facts { width: Some(640), height: Some(360), ..said.clone() };
        let report = |configurations| Report {
            tracks: vec![TrackReport {
                kind: "video".to_owned(),
                configurations,
                received_frames: None,
                stored_frames: 2,
                left_out_frames: None,
                dropped_frames: None,
                received_ms: None,
                begins_ms: 0,
                lasts_ms: 80,
                media_bytes: 0,
                gaps: Vec::new(),
                gap_count: 0,
            }],
            ..Report::default()
        };
        assert!(agree(&said, &said, Some(&report(1))) && agree(&said, &said, None));
        assert!(!agree(&said, &seen, Some(&report(1))) && !agree(&said, &seen, None));
        assert!(agree(&said, &seen, Some(&report(2))));
        assert!(!agree(&said, &Facts { video_codec: Some("hevc".to_owned()), ..seen }, Some(&report(2))));
    }
}
