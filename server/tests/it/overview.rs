//! What the dashboard reads of streams and organisations, and who may read it, on each database.

use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::organisation::Settings;
use afterlive_domain::{AssetId, Error as Refusal, Mode, Role, StreamId, StreamState, UserId};
use afterlive_server::clock::Clock;
use afterlive_server::config::Config;
use afterlive_server::db::Db;
use afterlive_server::db::assets::{self, Asset, Facts};
use afterlive_server::db::counts::DAY_MS;
use afterlive_server::db::organisations::Organisation;
use afterlive_server::db::sessions::{EndReason, end_session};
use afterlive_server::db::stream_search::Search;
use afterlive_server::db::streams::Stream;
use afterlive_server::hub::Hub;
use afterlive_server::record::Growing;
use afterlive_server::service::{Caller, Error, Identity, RecordingSlice, Service, Viewer};
use afterlive_server::storage::Regions;
use uuid::Uuid;

use crate::assets::a_recording;
use crate::fixture::database::{NOW, a_stream, an_organisation, on_each_database};
use crate::fixture::encoder::{encode, send};

/// Now in the service is so much later than the recordings.
const LATER_MS: i64 = 2 * DAY_MS;

struct Scene {
    db: Db,
    hub: Hub,
    service: Service,
    organisation: Organisation,
    stream: Stream,
}

impl Scene {
    async fn new(db: Db) -> Self {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let config = Arc::new(Config::from_sources(None, []).unwrap());
        let hub = Hub::new();
        let clock = Clock::simulated(NOW.plus_ms(LATER_MS));
        let service = Service::new(db.clone(), clock, config, Regions::open([]).unwrap(), hub.clone(), Growing::default());
        Self { db, hub, service, organisation, stream }
    }

    async fn ends(&self, recording: &Asset, bytes_in: u64) {
        let mut tx = self.db.write().await.unwrap();
        let facts = Facts { duration_ms: 1_000, size_bytes: bytes_in, ..Facts::default() };
        assets::finish(&mut tx, recording, &facts, None, None, NOW.plus_ms(1_000), NOW.plus_ms(1_000)).await.unwrap();
        end_session(&mut tx, recording.session, EndReason::Unpublished, bytes_in, NOW.plus_ms(1_000)).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn make_public(&self) {
        let settings = Settings { vod_public: true, live_public: true, ..self.organisation.settings };
        let admin = Caller { identity: Identity::Operator, role: Role::Admin, ..reader_of(&self.organisation) };
        self.service.save_organisation(&admin, "Chapel", settings).await.unwrap();
    }

    async fn refusal(&self, caller: Option<&Caller>, stream: StreamId) -> Option<Refusal> {
        match self.service.overview(&viewer(caller), stream, RecordingSlice::ALL).await {
            Ok(_) => None,
            Err(Error::Refused(refusal)) => Some(refusal),
            Err(failure) => panic!("{failure}"),
        }
    }
}

fn viewer(caller: Option<&Caller>) -> Viewer {
    Viewer { caller: caller.copied(), token: None, address: "192.0.2.7".parse().unwrap(), site: None }
}

fn reader_of(organisation: &Organisation) -> Caller {
    let identity = Identity::User(UserId(Uuid::new_v4()));
    Caller { organisation: organisation.id, role: Role::ReadOnly, identity, from: None, let_in_by: None }
}

#[tokio::test]
async fn a_stream_is_hidden_from_outsiders_unless_it_is_public_and_then_they_have_no_role() {
    on_each_database(async |db| {
        let scene = Scene::new(db).await;
        let insider = reader_of(&scene.organisation);
        let outsider = reader_of(&an_organisation(&scene.db).await);
        let (id, unknown) = (scene.stream.id, StreamId(Uuid::new_v4()));
        assert_eq!(scene.refusal(Some(&insider), id).await, None);
        // Nobody learns from the answer whether there is such a stream.
        for stream in [id, unknown] {
            assert_eq!(scene.refusal(Some(&outsider), stream).await, Some(Refusal::no_such_stream(stream)));
            assert_eq!(scene.refusal(None, stream).await, Some(Refusal::BadCredentials));
        }
        scene.make_public().await;
        for (caller, role) in [(Some(&insider), Some(Role::ReadOnly)), (Some(&outsider), None), (None, None)] {
            let overview = scene.service.overview(&viewer(caller), id, RecordingSlice::ALL).await.unwrap();
            assert_eq!((overview.role, overview.stream.id), (role, id));
        }
        assert_eq!(scene.refusal(None, unknown).await, Some(Refusal::BadCredentials));
    })
    .await;
}

#[tokio::test]
async fn a_streams_recordings_come_in_slices_with_the_total_and_the_newest_that_plays() {
    on_each_database(async |db| {
        let scene = Scene::new(db).await;
        let insider = reader_of(&scene.organisation);
        let first = a_recording(&scene.db, scene.stream.id).await;
        scene.ends(&first, 7_000).await;
        let second = a_recording(&scene.db, scene.stream.id).await;
        let ids = async |limit, offset| {
            let slice = RecordingSlice { limit, offset };
            let overview = scene.service.overview(&viewer(Some(&insider)), scene.stream.id, slice).await.unwrap();
            assert_eq!(overview.recordings_total, 2);
            assert_eq!(overview.newest_finished.map(|asset| asset.id), Some(first.id));
            overview.recordings.iter().map(|asset| asset.id).collect::<Vec<AssetId>>()
        };
        assert_eq!(ids(10, 0).await, [second.id, first.id]);
        assert_eq!(ids(1, 1).await, [first.id]);
        assert_eq!(ids(10, 2).await, []);
    })
    .await;
}

#[tokio::test]
async fn what_is_on_air_is_told_while_it_is() {
    on_each_database(async |db| {
        let scene = Scene::new(db).await;
        let insider = reader_of(&scene.organisation);
        let recording = a_recording(&scene.db, scene.stream.id).await;
        let on_air = async || {
            let overview = scene.service.overview(&viewer(Some(&insider)), scene.stream.id, RecordingSlice::ALL).await.unwrap();
            overview.on_air.map(|on_air| (on_air.mode, on_air.protocol))
        };
        let publisher = scene.hub.publish(scene.stream.id, NOW).unwrap();
        assert_eq!(on_air().await, Some((Mode::Rec, "rtmp".to_owned())));
        drop(publisher);
        scene.ends(&recording, 7_000).await;
        assert_eq!(on_air().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_stream_whose_encoder_was_cut_off_is_waited_for_unless_it_takes_none() {
    let sent = encode(1, true, false);
    on_each_database(async |db| {
        let scene = Scene::new(db).await;
        let insider = reader_of(&scene.organisation);
        let admin = Caller { identity: Identity::Operator, role: Role::Admin, ..insider };
        let recording = a_recording(&scene.db, scene.stream.id).await;
        let awaited = async || {
            let overview = scene.service.overview(&viewer(Some(&insider)), scene.stream.id, RecordingSlice::ALL).await.unwrap();
            overview.awaited
        };
        let mut publisher = scene.hub.publish(scene.stream.id, NOW).unwrap();
        send(&mut publisher, &sent);
        assert_eq!(awaited().await, None);
        publisher.wait_for_return(Duration::from_secs(3_600));
        drop(publisher);
        assert!(awaited().await.is_some(), "before its end is written");
        scene.ends(&recording, 7_000).await;
        assert!(awaited().await.is_some_and(|left| left > Duration::from_secs(3_000)));
        let embedded = scene.service.embedded(&viewer(Some(&insider)), scene.stream.id, None).await.unwrap();
        assert!(embedded.is_awaited && !embedded.is_live);

        scene.service.lock_stream(&admin, scene.stream.id).await.unwrap();
        assert_eq!(awaited().await, None);
        scene.service.unlock_stream(&admin, scene.stream.id).await.unwrap();
        assert_eq!(awaited().await, None);
    })
    .await;
}

#[tokio::test]
async fn the_start_page_sums_up_one_organisation_only() {
    on_each_database(async |db| {
        let scene = Scene::new(db).await;
        let recording = a_recording(&scene.db, scene.stream.id).await;
        scene.ends(&recording, 7_000).await;
        a_recording(&scene.db, a_stream(&scene.db, &an_organisation(&scene.db).await).await.id).await;

        let glance = scene.service.glance(&reader_of(&scene.organisation)).await.unwrap();
        assert_eq!(glance.by_state, [(StreamState::Ended, 1)]);
        assert_eq!(glance.stored.iter().map(|stored| (stored.recordings, stored.bytes)).collect::<Vec<_>>(), [(1, 7_000)]);
        assert_eq!(glance.days.len(), 14);
        assert_eq!(glance.days[11].bytes, 7_000);
        assert_eq!(glance.days.iter().map(|day| day.bytes).sum::<u64>(), 7_000);
        assert_eq!(glance.recordings.iter().map(|asset| asset.id).collect::<Vec<_>>(), [recording.id]);
        assert_eq!(glance.tags.into_iter().collect::<Vec<_>>(), [(scene.stream.id, scene.stream.tags.clone())]);
        let [row] = glance.streams.as_slice() else { panic!("{:?}", glance.streams) };
        assert_eq!((row.stream.id, row.recordings), (scene.stream.id, 1));
    })
    .await;
}

#[tokio::test]
async fn a_table_of_streams_has_its_totals_and_suggestions() {
    on_each_database(async |db| {
        let scene = Scene::new(db).await;
        a_stream(&scene.db, &scene.organisation).await;
        let insider = reader_of(&scene.organisation);
        let search = Search { text: Some(scene.stream.streamname.to_string()), ..Search::default() };
        let table = scene.service.stream_table(&insider, &search, 25, 0).await.unwrap();
        assert_eq!((table.rows.len(), table.total), (1, 1));
        assert_eq!(table.by_state, [(StreamState::Created, 2)]);
        assert_eq!(table.tags, ["b", "title:Sunday service"]);
    })
    .await;
}
