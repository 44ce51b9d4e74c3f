//! What of a publish outlives the recorder that records it: should that fail, another takes up the publish from there.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;

use super::ending::Unfinished;
use super::pulse::Pulse;
use super::returning::Turn;
use super::take::SharedCounts;
use super::{ROOM_WAIT, Recorder};
use crate::db::assets::{self, Asset};
use crate::finalise::Known;
use crate::hub::{self, RecorderSubscription};

/// The wait after a recorder has failed that had written nothing; doubles with each such failure, up to [`MAX_RETRY_WAIT`].
const RETRY_WAIT: Duration = Duration::from_millis(100);
const MAX_RETRY_WAIT: Duration = Duration::from_secs(60);

/// A publish, and how far its recording has come.
pub(super) struct Course<'a> {
    pub(super) publish: hub::Recording,
    /// Until the last of its recordings is finished.
    pub(super) turn: Option<Turn>,
    pub(super) frames: RecorderSubscription,
    pub(super) pulse: &'a Pulse,
    /// Only what comes first can belong to what was before.
    pub(super) may_go_on: bool,
    /// How long to wait before the storage is looked at; absent where a recording may begin.
    pub(super) room_wait: Option<Duration>,
    /// When the publish was taken up anew, by [`Clock::monotonic`](crate::clock::Clock::monotonic): what had come before was dropped. Absent where nothing was.
    pub(super) taken_up: Option<Duration>,
    /// Frames of pictures and of sound that came and are in no recording's counts so far.
    pub(super) missed: [u64; 2],
    /// Of the frames that were lost before they came, how many are in a recording's count.
    pub(super) lost_counted: u64,
    /// What is being written, and what came for it so far.
    pub(super) recording: Option<(Asset, SharedCounts)>,
}

impl Course<'_> {
    pub(super) fn miss(&mut self, frames: [u64; 2]) {
        self.missed.iter_mut().zip(frames).for_each(|(missed, frames)| *missed += frames);
    }

    /// Takes up the publish from now on.
    pub(super) fn resume(&mut self, now: Duration) {
        let unread = self.frames.resume();
        self.taken_up = Some(now);
        self.miss(unread);
    }
}

impl Recorder {
    /// Records the publish to its end, whatever happens to the recorder. Without `has_room` it waits for that first.
    pub(super) async fn supervise(self, publish: hub::Recording, turn: Turn, frames: RecorderSubscription, has_room: bool) {
        let pulse = Pulse::default();
        let watched = publish.clone();
        let recording = async {
            let mut course = Course {
                publish,
                turn: Some(turn),
                frames,
                pulse: &pulse,
                may_go_on: true,
                room_wait: (!has_room).then_some(ROOM_WAIT),
                taken_up: None,
                missed: [0; 2],
                lost_counted: 0,
                recording: None,
            };
            let mut wait = RETRY_WAIT;
            while let Err(panic) = AssertUnwindSafe(self.record(&mut course)).catch_unwind().await {
                let written = self.pick_up(&mut course, &*panic);
                wait = if written { RETRY_WAIT } else { (wait * 2).min(MAX_RETRY_WAIT) };
                if self.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                    break;
                }
                course.resume(self.finaliser.clock().monotonic());
            }
            let [pictures, sound] = course.missed;
            if course.missed != [0; 2] {
                let stream = &course.publish.streamname;
                tracing::error!(%stream, pictures, sound, "at the end of a publish frames came that are in no recording");
            }
        };
        tokio::select! {
            () = recording => {}
            () = self.watch_over(&watched, &pulse) => {}
        }
        self.growing.set_still(watched.session, None);
    }

    /// What a recorder that has failed leaves behind is finished as what a crash leaves is. Says whether there was anything.
    fn pick_up(&self, course: &mut Course<'_>, panic: &(dyn Any + Send)) -> bool {
        let stream = &course.publish.streamname;
        tracing::error!(%stream, panic = words(panic), "a recorder has failed; another one goes on");
        course.may_go_on = false;
        course.pulse.writes(None);
        let Some((asset, counts)) = course.recording.take() else { return false };
        let this = self.clone();
        self.tasks.spawn(async move {
            let ended_at = this.finaliser.clock().now();
            let reason = "the recorder failed; another recording goes on";
            let noting = async {
                let mut tx = this.finaliser.db().write().await?;
                assets::note_end(&mut tx, asset.id, reason, ended_at).await?;
                tx.commit().await
            };
            if let Err(error) = noting.await {
                tracing::error!(asset = %asset.id, %error, "why a recording has ended is not written down before it is finished");
            }
            let account = Some(counts.account());
            let claim = this.claims.claim_once_free(asset.id).await;
            let finished = this.finaliser.finish(&asset, Known::Abandoned(account.clone()), Some(reason), ended_at).await;
            drop(claim);
            if let Err(error) = finished {
                tracing::error!(asset = %asset.id, %error, "a recording cannot be finished yet");
                let reason = Some(reason.to_owned());
                this.finish_later(Unfinished { asset, account, reason, ended_at, _entry: None }).await;
            }
        });
        true
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without words")
}

#[cfg(test)]
pub(super) mod tests {
    use afterlive_domain::organisation::{RecordingSettings, Settings};
    use afterlive_domain::{
        AssetState, EmbedDomains, Mode, OrganisationHash, OrganisationId, SessionId, StreamId, StreamState, Streamname, Tags,
        UnixMillis,
    };
    use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
    use bytes::Bytes;
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;
    use url::Url;
    use uuid::Uuid;

    use super::*;
    use crate::clock::Clock;
    use crate::db::organisations::{self, Organisation};
    use crate::db::sessions::{self, NewSession};
    use crate::db::streams::{self, Stream};
    use crate::db::{Db, Location, asset_list};
    use crate::finalise::Finaliser;
    use crate::hub::{Hub, Publisher, Recorder as _};
    use crate::publish_key::PublishKeys;
    use crate::random;
    use crate::record::{Growing, GrowingFile, Limits};
    use crate::storage::{RegionSettings, Regions};

    const NOW: UnixMillis = UnixMillis(1_793_812_159_899);

    /// A stream that is live, in a database of its own.
    pub(crate) async fn live(db: &Db) -> hub::Recording {
        let organisation = Organisation {
            id: OrganisationId(Uuid::new_v4()),
            hash: OrganisationHash::draw(random::below_62),
            name: "Chapel".to_owned(),
            settings: Settings { recording_enabled: true, vod_public: false, live_public: false },
            recording: RecordingSettings::default(),
            embed_domains: EmbedDomains::default(),
            webhook: None,
            publish_keys: PublishKeys::Off,
            suspended_at: None,
            created_at: NOW,
            updated_at: NOW,
        };
        let stream = Stream {
            id: StreamId(Uuid::new_v4()),
            organisation: organisation.id,
            streamname: Streamname::draw(&organisation.hash, random::below_62),
            state: StreamState::Created,
            default_mode: Mode::Rec,
            live_session: None,
            first_live_at: None,
            last_live_at: None,
            created_at: NOW,
            updated_at: NOW,
            deleted_at: None,
            push_url: None,
            publish_key_renewals: 0,
            tags: Tags::default(),
        };
        let session = NewSession {
            id: SessionId(Uuid::new_v4()),
            stream: stream.id,
            mode: Mode::Rec,
            region: "eu".parse().unwrap(),
            protocol: "rtmp",
            peer: "192.0.2.7:50000".to_owned(),
        };
        let mut tx = db.write().await.unwrap();
        organisations::insert(&mut tx, &organisation).await.unwrap();
        streams::insert(&mut tx, &stream).await.unwrap();
        sessions::go_live(&mut tx, &session, NOW).await.unwrap();
        tx.commit().await.unwrap();
        hub::Recording {
            organisation: organisation.id,
            stream: stream.id,
            streamname: stream.streamname,
            session: session.id,
            region: session.region,
            started_at: NOW,
            waited: Duration::ZERO,
        }
    }

    /// A second of sound, from this second on.
    fn send(publisher: &mut Publisher, from_s: i64) {
        let codec = CodecConfig::Aac { asc: Bytes::from_static(&[0x11, 0x90]), sample_rate: 48_000, channels: 2 };
        publisher.set_track(TrackConfig { codec, timescale: 48_000 });
        for n in 0..47 {
            let data = Bytes::from_static(b"\x21\x10\x04");
            let dts = from_s * 48_000 + n * 1_024;
            publisher.frame(&Frame { kind: TrackKind::Audio, dts, pts_offset: 0, keyframe: true, data });
        }
    }

    /// A server's recorder, with a stream that is live.
    struct Scene {
        _folder: tempfile::TempDir,
        db: Db,
        growing: Growing,
        tasks: TaskTracker,
        recorder: Recorder,
        hub: Hub,
        live: hub::Recording,
    }

    impl Scene {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let url = format!("sqlite://{}", folder.path().join("test.db").display());
            let db = Db::open(&url.parse::<Location>().unwrap()).await.unwrap();
            let regions = Regions::open([RegionSettings {
                name: "eu".parse().unwrap(),
                storage: folder.path().join("eu"),
                vod_url: Url::parse("http://localhost:3000/vod-eu").unwrap(),
            }]);
            let finaliser = Finaliser::new(db.clone(), Clock::simulated(NOW), regions.unwrap());
            let (growing, tasks) = (Growing::default(), TaskTracker::new());
            let limits = Limits { reconnect_window: Duration::from_secs(30), ..Limits::default() };
            let recorder = Recorder::new(finaliser, growing.clone(), tasks.clone(), limits, CancellationToken::new());
            let live = live(&db).await;
            Self { _folder: folder, db, growing, tasks, recorder, hub: Hub::new(), live }
        }

        async fn publish(&self) -> Publisher {
            let publisher = self.hub.publish(self.live.stream, NOW).unwrap();
            self.recorder.start(self.live.clone(), publisher.subscribe_recorder()).await.unwrap();
            publisher
        }

        /// By their number, the first first.
        async fn assets(&self) -> Vec<Asset> {
            let mut assets = asset_list::of_stream(&mut self.db.read().await.unwrap(), self.live.stream, 10, 0).await.unwrap();
            assets.sort_by_key(|asset| asset.index);
            assets
        }

        /// Sends, from this second on, until it is so; returns the second after.
        async fn send_until(&self, publisher: &mut Publisher, mut from_s: i64, is_so: impl Fn(&[Asset]) -> bool) -> i64 {
            loop {
                send(publisher, from_s);
                from_s += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
                if is_so(&self.assets().await) {
                    return from_s;
                }
            }
        }

        fn grows(&self, asset: &Asset) -> Option<GrowingFile> {
            let (_, file) = self.growing.file(&asset.region, &asset.file_name)?;
            (file.media_bytes() > 0 && !file.has_ended()).then_some(file)
        }

        async fn another_session(&self) -> SessionId {
            let session = NewSession {
                id: SessionId(Uuid::new_v4()),
                stream: self.live.stream,
                mode: Mode::Rec,
                region: self.live.region.clone(),
                protocol: "rtmp",
                peer: "192.0.2.7:50001".to_owned(),
            };
            let mut tx = self.db.write().await.unwrap();
            sessions::end_session(&mut tx, self.live.session, sessions::EndReason::Disconnected, 0, NOW).await.unwrap();
            sessions::go_live(&mut tx, &session, NOW).await.unwrap();
            tx.commit().await.unwrap();
            session.id
        }

        /// Once everything is done that is to be done.
        async fn settled(&self) {
            self.tasks.close();
            self.tasks.wait().await;
            self.tasks.reopen();
        }
    }

    #[tokio::test]
    async fn what_a_failed_recorder_has_written_is_finished_at_once_and_another_goes_on() {
        let scene = Scene::new().await;
        let mut publisher = scene.publish().await;
        let from_s = scene.send_until(&mut publisher, 0, |assets| assets.iter().any(|asset| scene.grows(asset).is_some())).await;
        let file = scene.grows(&scene.assets().await[0]).unwrap();
        // Without its writer a recorder fails.
        assert!(file.take_writer().is_some());
        scene.send_until(&mut publisher, from_s, |assets| assets.get(1).is_some_and(|asset| scene.grows(asset).is_some())).await;
        drop(publisher);
        scene.settled().await;
        let seen = scene.assets().await;
        let states: Vec<AssetState> = seen.iter().map(|asset| asset.state).collect();
        assert_eq!(states, [AssetState::Incomplete, AssetState::Ready], "{seen:?}");
        assert!(seen[0].reason.as_deref().unwrap().starts_with("the recorder failed"), "{seen:?}");
        assert!(seen[0].facts.duration_ms >= 1_000, "{seen:?}");
        let report = assets::report(&mut scene.db.read().await.unwrap(), seen[0].id).await.unwrap().unwrap();
        let track = &report.tracks[0];
        assert!(track.received_frames.unwrap() >= track.stored_frames && track.stored_frames > 0, "{report:?}");
    }
    #[tokio::test]
    async fn a_recording_that_somebody_finishes_once_more_is_taken_up_by_no_encoder_meanwhile_and_afterwards_it_is() {
        let scene = Scene::new().await;
        let is_ready = |asset: &Asset| asset.state == AssetState::Ready;
        let publish = async |from_s: i64, count: usize| {
            let mut publisher = scene.publish().await;
            let grows = |assets: &[Asset]| assets.iter().any(|asset| scene.grows(asset).is_some());
            let from_s = scene.send_until(&mut publisher, from_s, grows).await;
            drop(publisher);
            scene.settled().await;
            let assets = scene.assets().await;
            assert!(assets.len() == count && assets.iter().all(is_ready), "{assets:?}");
            from_s
        };
        let from_s = publish(0, 1).await;
        let first = scene.assets().await.remove(0);
        let claim = scene.recorder.finaliser.claims().claim(first.id).unwrap();
        let from_s = publish(from_s, 2).await;
        let seen = scene.assets().await;
        assert_eq!(seen[0].facts, first.facts);
        drop(claim);
        publish(from_s, 2).await;
        assert!(scene.assets().await[1].facts.duration_ms > seen[1].facts.duration_ms);
        // And nobody has it any more.
        assert!(scene.recorder.claims.claim(seen[1].id).is_some());
    }

    #[tokio::test]
    async fn who_finishes_a_recording_once_more_leaves_it_to_its_encoder_once_that_was_back() {
        let mut scene = Scene::new().await;
        let mut publisher = scene.publish().await;
        let grows = |assets: &[Asset]| assets.iter().any(|asset| scene.grows(asset).is_some());
        let from_s = scene.send_until(&mut publisher, 0, grows).await;
        drop(publisher);
        scene.settled().await;
        let first = scene.assets().await.remove(0);
        // Another session of the stream, as each publish has one.
        scene.live.session = scene.another_session().await;
        let mut publisher = scene.publish().await;
        scene.send_until(&mut publisher, from_s, |assets| assets.iter().any(|asset| scene.grows(asset).is_some())).await;
        let later = |asset: &Asset| Unfinished { asset: asset.clone(), account: None, reason: None, ended_at: NOW, _entry: None };
        scene.recorder.clone().finish_later(later(&first)).await;
        assert!(scene.grows(&first).is_some());
        assert_eq!(scene.assets().await[0].state, AssetState::Recording);
        drop(publisher);
        scene.settled().await;
        // Nor is anything done to it once it stands finished anew.
        let finished = scene.assets().await.remove(0);
        assert_eq!((finished.state, finished.id), (AssetState::Ready, first.id));
        scene.recorder.clone().finish_later(later(&first)).await;
        assert_eq!(scene.assets().await, [finished]);
    }
}
