//! Who may publish, and that a publish begins and ends in the database exactly once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use afterlive_domain::organisation::RecordingSettings;
use afterlive_domain::{EventKind, Mode, StreamState};
use afterlive_server::clock::Clock;
use afterlive_server::db::organisations::Organisation;
use afterlive_server::db::sessions::EndReason;
use afterlive_server::db::streams::{self, Stream};
use afterlive_server::db::{Db, organisations};
use afterlive_server::hub::{CannotRecord, Hub, Message, Recorder, RecorderSubscription, Recording};
use afterlive_server::ingest::gate::{Gate, Gatekeeper, Grant, IngestRegions, PublishRequest, Refusal};
use afterlive_server::ingest::key_check::BadKey;
use afterlive_server::ingest::webhook;
use afterlive_server::publish_key::PublishSecret;
use async_trait::async_trait;
use futures::FutureExt as _;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::fixture::database::{NOW, a_stream, an_organisation, on_each_database};
use crate::fixture::encoder::{encode, send};

/// Keeps what it was asked to record, or refuses.
#[derive(Default)]
struct FakeRecorder {
    started: Mutex<Vec<(Recording, RecorderSubscription)>>,
    refuses: bool,
}

#[async_trait]
impl Recorder for FakeRecorder {
    async fn start(&self, recording: Recording, frames: RecorderSubscription) -> Result<(), CannotRecord> {
        if self.refuses {
            return Err(CannotRecord("the disk is full".to_owned()));
        }
        self.started.lock().unwrap().push((recording, frames));
        Ok(())
    }
}

struct Scene {
    db: Db,
    hub: Hub,
    gate: Gate,
    recorder: Arc<FakeRecorder>,
    tasks: TaskTracker,
    organisation: Organisation,
    stream: Stream,
}

impl Scene {
    async fn new(db: Db, recorder: FakeRecorder) -> Self {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let (hub, recorder, tasks) = (Hub::new(), Arc::new(recorder), TaskTracker::new());
        let regions = IngestRegions {
            node: "eu".parse().unwrap(),
            by_host: BTreeMap::from([("ingest-us.example.com".to_owned(), "us".parse().unwrap())]),
        };
        let clock = Clock::simulated(NOW.plus_ms(5));
        let gate = Gate::new(
            hub.clone(),
            db.clone(),
            clock,
            regions,
            Arc::<FakeRecorder>::clone(&recorder),
            tasks.clone(),
            webhook::Settings::default(),
        );
        Self { db, hub, gate, recorder, tasks, organisation, stream }
    }

    fn request(&self, mode: Mode) -> PublishRequest {
        PublishRequest {
            mode,
            streamname: self.stream.streamname.to_string(),
            query: Some("key=secret".to_owned()),
            host: Some("localhost".to_owned()),
            peer: "192.0.2.7:50000".parse().unwrap(),
            protocol: "rtmp",
        }
    }

    async fn admit(&self, mode: Mode) -> Result<Grant, Refusal> {
        self.gate.admit(self.request(mode)).await
    }

    async fn state(&self) -> StreamState {
        streams::by_id(&mut self.db.read().await.unwrap(), self.stream.id).await.unwrap().unwrap().state
    }

    /// Until the ends that were begun are written.
    async fn settled(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }
}

fn refusal(outcome: Result<Grant, Refusal>) -> Refusal {
    outcome.err().expect("a refusal")
}

#[tokio::test]
async fn a_publish_takes_the_stream_from_created_to_live_to_ended_and_again() {
    on_each_database(async |db| {
        let scene = Scene::new(db, FakeRecorder::default()).await;
        let mut events = scene.db.subscribe();
        assert_eq!(scene.state().await, StreamState::Created);
        for _ in 0..2 {
            let grant = scene.admit(Mode::Live).await.unwrap();
            assert_eq!(scene.state().await, StreamState::Live);
            grant.end(EndReason::Unpublished);
            scene.settled().await;
            assert_eq!(scene.state().await, StreamState::Ended);
            let told = [events.recv().await.unwrap().kind, events.recv().await.unwrap().kind];
            assert_eq!(told, [EventKind::StreamLive, EventKind::StreamEnded]);
        }
        assert!(events.try_recv().is_err(), "once each");
        assert!(scene.recorder.started.lock().unwrap().is_empty(), "live never records");
    })
    .await;
}

#[tokio::test]
async fn whoever_goes_live_finds_a_connection_however_much_is_read() {
    on_each_database(async |db| {
        let scene = Scene::new(db, FakeRecorder::default()).await;
        let mut readers = Vec::new();
        while let Ok(reader) = timeout(Duration::from_millis(500), scene.db.read()).await {
            readers.push(reader.unwrap());
            assert!(readers.len() < 100, "there is an end to it");
        }
        let grant = timeout(Duration::from_secs(5), scene.admit(Mode::Live)).await.expect("it waits for nobody").unwrap();
        drop(readers);
        grant.end(EndReason::Unpublished);
        scene.settled().await;
    })
    .await;
}

#[tokio::test]
async fn an_encoder_that_is_cut_off_is_waited_for_until_it_is_back_and_one_that_leaves_is_not() {
    let sent = encode(1, true, false);
    on_each_database(async |db| {
        let mut scene = Scene::new(db, FakeRecorder::default()).await;
        scene.gate = scene.gate.with_reconnect_window(Duration::from_secs(30));
        let awaited = async |sent: &[Message], reason: EndReason| {
            let mut grant = scene.admit(Mode::Live).await.unwrap();
            send(grant.publisher(), sent);
            assert!(sent.is_empty() || scene.hub.awaited(scene.stream.id).is_none(), "it is there");
            grant.end(reason);
            scene.settled().await;
            scene.hub.awaited(scene.stream.id)
        };
        for reason in [EndReason::Disconnected, EndReason::Idle] {
            let left = awaited(&sent, reason).await;
            assert!(
                left.is_some_and(|left| left > Duration::from_secs(20) && left <= Duration::from_secs(30)),
                "{reason:?} {left:?}"
            );
            assert!(awaited(&[], reason).await.is_some_and(|now| now <= left.unwrap()), "one that shows nothing is not back");
            assert_eq!(awaited(&[], EndReason::Unpublished).await, None, "but it can say good-bye");
            assert_eq!(awaited(&[], reason).await, None, "nobody misses what has shown nothing");
        }
        for reason in [EndReason::Unpublished, EndReason::Stopped, EndReason::Withdrawn, EndReason::ProtocolError] {
            assert_eq!(awaited(&sent, reason).await, None, "{reason:?}");
        }

        assert!(awaited(&sent, EndReason::Disconnected).await.is_some());
        assert!(!scene.hub.stop(scene.stream.id));
        assert_eq!(scene.hub.awaited(scene.stream.id), None, "an operator wants no more of it");

        let own = RecordingSettings { reconnect_window_s: Some(0), ..RecordingSettings::default() };
        let mut tx = scene.db.write().await.unwrap();
        assert!(organisations::set_recording(&mut tx, scene.organisation.id, &own, NOW).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(awaited(&sent, EndReason::Disconnected).await, None, "its organisation waits for nobody");
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_is_dropped_ends_the_publish_too() {
    on_each_database(async |db| {
        let scene = Scene::new(db, FakeRecorder::default()).await;
        drop(scene.admit(Mode::Live).await.unwrap());
        assert!(scene.hub.live_streams().is_empty());
        scene.settled().await;
        assert_eq!(scene.state().await, StreamState::Ended);
    })
    .await;
}

#[tokio::test]
async fn an_encoder_that_is_back_at_once_is_let_in() {
    on_each_database(async |db| {
        let scene = Scene::new(db, FakeRecorder::default()).await;
        for _ in 0..5 {
            // Nothing waits for the end to be written.
            drop(scene.admit(Mode::Live).await.unwrap());
        }
        scene.settled().await;
        assert_eq!(scene.state().await, StreamState::Ended);
    })
    .await;
}

#[tokio::test]
async fn a_second_encoder_is_refused_and_the_first_goes_on() {
    on_each_database(async |db| {
        let scene = Scene::new(db, FakeRecorder::default()).await;
        let grant = scene.admit(Mode::Rec).await.unwrap();
        assert_eq!(refusal(scene.admit(Mode::Rec).await), Refusal::AlreadyLive);
        scene.settled().await;
        assert_eq!(scene.state().await, StreamState::Live);
        assert_eq!(scene.hub.live_streams(), [scene.stream.id]);
        assert_eq!(scene.recorder.started.lock().unwrap().len(), 1);
        drop(grant);
        scene.settled().await;
    })
    .await;
}

#[tokio::test]
async fn of_two_that_come_at_once_one_is_let_in() {
    on_each_database(async |db| {
        let scene = Scene::new(db, FakeRecorder::default()).await;
        let (one, other) = tokio::join!(scene.admit(Mode::Live), scene.admit(Mode::Live));
        assert_eq!(u8::from(one.is_ok()) + u8::from(other.is_ok()), 1);
        drop((one, other));
        scene.settled().await;
    })
    .await;
}

#[tokio::test]
async fn a_silent_publish_gives_way_to_who_has_the_key_and_to_nobody_else() {
    on_each_database(async |db| {
        let scene = Scene::new(db, FakeRecorder::default()).await;
        let secret = PublishSecret::draw();
        let mut tx = scene.db.write().await.unwrap();
        organisations::require_publish_key(&mut tx, scene.organisation.id, true, false, &secret, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let named = secret.key(scene.stream.id, 0).behind(&scene.stream.streamname);
        let right = named.split_once('?').map(|(_, query)| query.to_owned());
        let admit = async |query: Option<String>| scene.gate.admit(PublishRequest { query, ..scene.request(Mode::Live) }).await;

        let mut grant = admit(right.clone()).await.unwrap();
        let gives_way = grant.publisher().gives_way(Box::new(|| true));
        let mut gives_way = std::pin::pin!(gives_way);
        for (query, why) in [(None, BadKey::Missing), (Some("key=a".to_owned()), BadKey::Wrong)] {
            assert_eq!(refusal(admit(query).await), Refusal::PublishKey(why));
        }
        assert!(gives_way.as_mut().now_or_never().is_none(), "nobody was asked to go");
        let leave = async {
            gives_way.await;
            drop(grant);
        };
        let (next, ()) = tokio::join!(admit(right), leave);
        assert!(next.is_ok());
        drop(next);
        scene.settled().await;
    })
    .await;
}

#[tokio::test]
async fn names_that_mean_nothing_and_locked_and_deleted_streams_are_refused() {
    on_each_database(async |db| {
        let scene = Scene::new(db, FakeRecorder::default()).await;
        for name in ["", "nonsense", "AAAAA-AAAAA", "../../etc/passwd", &"x".repeat(10_000)] {
            let mut request = scene.request(Mode::Rec);
            request.streamname = name.to_owned();
            assert_eq!(refusal(scene.gate.admit(request).await), Refusal::UnknownStream, "{name}");
        }
        let (organisation, stream) = (scene.organisation.id, scene.stream.id);
        let mut tx = scene.db.write().await.unwrap();
        streams::lock(&mut tx, organisation, stream, NOW.plus_ms(6)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(refusal(scene.admit(Mode::Live).await), Refusal::Locked);
        let mut tx = scene.db.write().await.unwrap();
        streams::delete(&mut tx, organisation, stream, NOW.plus_ms(7)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(refusal(scene.admit(Mode::Live).await), Refusal::UnknownStream);
        assert!(scene.hub.live_streams().is_empty());
        scene.settled().await;
        assert_eq!(scene.state().await, StreamState::Deleted);
    })
    .await;
}

#[tokio::test]
async fn the_recorder_listens_before_the_first_frame_and_hears_the_end() {
    on_each_database(async |db| {
        let scene = Scene::new(db, FakeRecorder::default()).await;
        let mut request = scene.request(Mode::Rec);
        request.host = Some("Ingest-US.example.com".to_owned());
        let grant = scene.gate.admit(request).await.unwrap();
        assert_eq!((grant.mode(), grant.region().as_str()), (Mode::Rec, "us"));
        let (recording, mut frames) = scene.recorder.started.lock().unwrap().pop().expect("a recording");
        assert_eq!(recording.stream, scene.stream.id);
        assert_eq!(recording.organisation, scene.organisation.id);
        assert_eq!((recording.region.as_str(), recording.started_at), ("us", NOW.plus_ms(5)));
        drop(grant);
        assert_eq!(frames.next().await, Ok(Message::Ended));
        scene.settled().await;
    })
    .await;
}

#[tokio::test]
async fn rec_of_an_organisation_with_recording_off_is_live_only() {
    on_each_database(async |db| {
        let scene = Scene::new(db, FakeRecorder::default()).await;
        let mut settings = scene.organisation.settings;
        settings.recording_enabled = false;
        let mut tx = scene.db.write().await.unwrap();
        organisations::update(&mut tx, scene.organisation.id, "Chapel", settings, NOW.plus_ms(6)).await.unwrap();
        tx.commit().await.unwrap();
        let grant = scene.admit(Mode::Rec).await.unwrap();
        assert_eq!(grant.mode(), Mode::Live);
        assert!(scene.recorder.started.lock().unwrap().is_empty());
        drop(grant);
        scene.settled().await;
    })
    .await;
}

#[tokio::test]
async fn who_cannot_be_recorded_is_refused_and_the_stream_is_free_again() {
    on_each_database(async |db| {
        let scene = Scene::new(db, FakeRecorder { refuses: true, ..FakeRecorder::default() }).await;
        let refused = refusal(scene.admit(Mode::Rec).await);
        assert_eq!(refused.to_string(), "recording is not possible: the disk is full");
        scene.settled().await;
        assert_eq!(scene.state().await, StreamState::Ended);
        assert!(scene.admit(Mode::Live).await.is_ok());
        scene.settled().await;
    })
    .await;
}
