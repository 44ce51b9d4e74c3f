//! Events told to an organisation's programs: what they are told, in which order, signed by what, and when again.

mod bursts;
mod documented;
mod hostile;
mod limits;
pub mod receiver;
mod retries;
mod unreadable;

use std::time::Duration;

use afterlive_domain::{DeliveryState, EndpointId, Error as Refusal, EventKind, StreamId, ToldKinds};
use afterlive_server::db::delivery_log::Delivery;
use afterlive_server::db::event_endpoints::{self, Endpoint};
use afterlive_server::db::{Db, Raw};
use afterlive_server::dial::Reach;
use afterlive_server::events::{self, Deliverer, Secret, Settings};
use afterlive_server::run;
use afterlive_server::service::{self, EndpointChange};
use serde_json::json;
use sqlx::AssertSqlSafe;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::receiver::Receiver;
use crate::api::streams::a_stream;
use crate::fixture::database::NOW;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{Server, Tenant, on_each_server};
use crate::webhook::hook::PATIENCE;

fn settings() -> Settings {
    Settings { reach: Reach::Anywhere, answer_timeout: PATIENCE }
}

/// An endpoint at that URL, as no setting forbids it.
async fn an_endpoint(server: &Server, tenant: &Tenant, url: &str) -> Endpoint {
    let endpoint = Endpoint {
        id: EndpointId(Uuid::new_v4()),
        organisation: tenant.organisation.id,
        url: url.parse().unwrap(),
        kinds: ToldKinds::all(),
        enabled: true,
        gone_at: None,
        failing_since: None,
        secret: Secret::draw(),
        old_secret: None,
        created_at: NOW,
        updated_at: NOW,
    };
    let mut tx = server.db.write().await.unwrap();
    event_endpoints::insert(&mut tx, &endpoint).await.unwrap();
    tx.commit().await.unwrap();
    endpoint
}

/// It happens, all at once.
async fn emit(server: &Server, tenant: &Tenant, stream: StreamId, kinds: &[EventKind]) {
    let mut tx = server.db.write().await.unwrap();
    for kind in kinds {
        tx.emit_stream(*kind, tenant.organisation.id, stream, server.clock.now());
    }
    tx.commit().await.unwrap();
}

/// Does to the tables what nobody does but a later version, a crash, or somebody with a client of the database.
async fn tamper(db: &Db, statement: &str) {
    let (mut tx, statement) = (db.write().await.unwrap(), AssertSqlSafe(statement.to_owned()));
    match tx.raw() {
        Raw::Sqlite(c) => sqlx::query(statement).execute(c).await.map(drop).unwrap(),
        Raw::Postgres(c) => sqlx::query(statement).execute(c).await.map(drop).unwrap(),
    }
    tx.commit().await.unwrap();
}

async fn count(db: &Db, statement: &'static str) -> i64 {
    match db.read().await.unwrap().raw() {
        Raw::Sqlite(c) => sqlx::query_scalar(statement).fetch_one(c).await.unwrap(),
        Raw::Postgres(c) => sqlx::query_scalar(statement).fetch_one(c).await.unwrap(),
    }
}

/// Sends until stopped.
struct RunningDeliverer {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl RunningDeliverer {
    /// When it returns nothing is sent any more.
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// A server with an organisation, a stream of it, and a program that is told.
struct Scene {
    server: Server,
    tenant: Tenant,
    stream: StreamId,
    receiver: Receiver,
    endpoint: Endpoint,
    deliverer: Deliverer,
}

impl Scene {
    async fn new(server: Server) -> Self {
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server, &tenant, &["title:Sunday service"]).await;
        let receiver = Receiver::new().await;
        let endpoint = an_endpoint(&server, &tenant, &receiver.url).await;
        let deliverer = run::deliverer(settings(), &server.service, server.bell.clone());
        Self { server, tenant, stream, receiver, endpoint, deliverer }
    }

    /// Another node.
    fn deliverer(&self) -> Deliverer {
        run::deliverer(settings(), &self.server.service, self.server.bell.clone())
    }

    async fn emit(&self, stream: StreamId, kinds: &[EventKind]) {
        emit(&self.server, &self.tenant, stream, kinds).await;
    }

    async fn another_stream(&self) -> StreamId {
        a_stream(&self.server, &self.tenant, &[]).await
    }

    /// Sends until stopped.
    fn run(&self) -> RunningDeliverer {
        let (deliverer, stop) = (self.deliverer.clone(), self.server.stop.child_token());
        let stopped = stop.clone();
        RunningDeliverer { stop, task: tokio::spawn(async move { deliverer.run(stopped).await }) }
    }

    async fn run_due(&self) -> usize {
        self.deliverer.run_due().await.unwrap()
    }

    /// Newest first.
    async fn log(&self) -> Vec<Delivery> {
        self.server.service.deliveries(&self.tenant.admin, self.endpoint.id, None, 100).await.unwrap().deliveries
    }

    /// Oldest first.
    async fn states(&self) -> Vec<DeliveryState> {
        self.log().await.iter().rev().map(|delivery| delivery.state).collect()
    }

    async fn switch(&self, enabled: bool) {
        let change = EndpointChange { enabled: Some(enabled), ..EndpointChange::default() };
        self.server.service.change_endpoint(&self.tenant.admin, self.endpoint.id, change).await.unwrap();
    }

    /// As no setting forbids it.
    async fn move_to(&self, url: &str) {
        let mut tx = self.server.db.write().await.unwrap();
        event_endpoints::update(&mut tx, &Endpoint { url: url.parse().unwrap(), ..self.endpoint().await }).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn endpoint(&self) -> Endpoint {
        self.server.service.endpoint(&self.tenant.admin, self.endpoint.id).await.unwrap()
    }

    async fn until_over(&self, count: usize) {
        let over = async {
            while self.states().await.iter().filter(|state| **state == DeliveryState::Delivered).count() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, over).await.expect("it is delivered");
    }
}

#[tokio::test]
async fn what_happens_is_told_at_once_in_order_signed_and_as_the_api_writes_it() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let running = scene.run();
        let asset = a_finished_recording(&scene.server.db, scene.stream).await;
        let told = scene.receiver.until(3).await;
        assert_eq!(scene.receiver.kinds(), ["stream.live", "stream.ended", "asset.ready"]);
        for message in &told {
            assert!(message.is_signed_by(&scene.endpoint.secret) && !message.is_signed_by(&Secret::draw()));
            assert!(message.head.starts_with("POST /publish?secret=1 HTTP/1.1"), "{}", message.head);
            assert_eq!(message.header("content-type"), "application/json");
            assert_eq!(message.header("webhook-timestamp"), (NOW.0 / 1_000).to_string());
            assert_eq!(message.signatures(), 1);
        }
        let shown = scene.server.send(&format!("GET /asset/{}", asset.id), Some(&scene.tenant.reader_key), "").await.ok();
        let stream = scene.server.send(&format!("GET /stream/{}", scene.stream), Some(&scene.tenant.reader_key), "").await.ok();
        let name = stream["playout"]["rtmp"][0]["streamname"].as_str().unwrap();
        let of_stream = json!({ "id": scene.stream, "streamname": name, "tags": ["title:Sunday service"] });
        let organisation = scene.tenant.organisation.id;
        assert_eq!(
            told[2].json(),
            json!({
                "type": "asset.ready",
                "timestamp": NOW,
                "data": { "organisation": organisation, "stream": of_stream, "asset": shown },
            })
        );
        assert!(shown["url"].as_str().unwrap().ends_with(".mp4"));
        let data = json!({ "organisation": organisation, "stream": of_stream });
        assert_eq!(told[0].json(), json!({ "type": "stream.live", "timestamp": NOW, "data": data }));
        scene.until_over(3).await;
        assert!(scene.log().await.iter().all(|delivery| (delivery.attempts, delivery.last_status) == (1, Some(200))));
        running.end().await;
    })
    .await;
}

#[tokio::test]
async fn only_what_is_asked_for_is_told_and_nothing_while_it_is_switched_off() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let (service, admin, id) = (&scene.server.service, &scene.tenant.admin, scene.endpoint.id);
        let kinds = Some(ToldKinds::new(["asset.deleted", "stream.live"]).unwrap());
        service.change_endpoint(admin, id, EndpointChange { kinds, ..EndpointChange::default() }).await.unwrap();
        let asset = a_finished_recording(&scene.server.db, scene.stream).await;
        service.delete_asset(admin, asset.id).await.unwrap();
        scene.run_due().await;
        assert_eq!(scene.receiver.kinds(), ["stream.live", "asset.deleted"]);
        assert_eq!(scene.receiver.seen()[1].json()["data"]["asset"]["state"], "deleted");

        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        scene.switch(false).await;
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        scene.switch(true).await;
        assert_eq!(scene.run_due().await, 0);
        let log = scene.log().await;
        assert_eq!((log.len(), log[0].state), (3, DeliveryState::Failed), "what waited is given up, what came then is not there");
        assert_eq!(log[0].last_reason.as_deref(), Some("the endpoint was switched off"));
        service.resend_delivery(admin, log[0].message).await.unwrap();
        assert_eq!(scene.run_due().await, 1, "it had no body yet");
        assert_eq!(scene.receiver.seen()[2].id(), log[0].message.to_string());
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        assert_eq!(scene.run_due().await, 1);

        let (theirs, stranger) = (scene.server.an_organisation().await, Receiver::new().await);
        an_endpoint(&scene.server, &theirs, &stranger.url).await;
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        assert_eq!((scene.run_due().await, stranger.seen().len()), (1, 0), "nobody else's");
    })
    .await;
}

#[tokio::test]
async fn what_was_committed_is_told_after_a_crash_by_whoever_is_there() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        scene.emit(scene.stream, &[EventKind::StreamLive, EventKind::StreamEnded]).await;
        // Nobody has looked yet: all there is is what the commit has left. Then one dies while it sends.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        scene.move_to(&format!("http://{}/", silent.local_addr().unwrap())).await;
        let dies = {
            let deliverer = scene.deliverer();
            tokio::spawn(async move { deliverer.run_due().await })
        };
        let held = async {
            while scene.states().await[0] != DeliveryState::Sending {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, held).await.unwrap();
        dies.abort();
        scene.move_to(&scene.receiver.url).await;

        let other = scene.deliverer();
        assert_eq!(other.run_due().await.unwrap(), 0, "its lease");
        scene.server.clock.advance_ms(60_000);
        assert_eq!(other.run_due().await.unwrap(), 2);
        assert_eq!(scene.receiver.kinds(), ["stream.live", "stream.ended"]);
        assert_eq!(scene.log().await[1].attempts, 2);
    })
    .await;
}

/// Dropped before its commit, or failed in it when all of its rows are written already: by one that refers to what there is not, which is looked at last.
#[tokio::test]
async fn what_is_rolled_back_leaves_nothing_to_be_told() {
    const DANGLING: &str = "INSERT INTO looked_at_last (stream_id) VALUES ('of nothing')";
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let db = &scene.server.db;
        tamper(db, "CREATE TABLE looked_at_last (stream_id TEXT REFERENCES streams (id) DEFERRABLE INITIALLY DEFERRED)").await;
        let mut heard = db.subscribe();
        let begun = async || {
            let mut tx = db.write().await.unwrap();
            tx.emit_stream(EventKind::StreamLive, scene.tenant.organisation.id, scene.stream, scene.server.clock.now());
            tx
        };
        drop(begun().await);
        let mut fails = begun().await;
        match fails.raw() {
            Raw::Sqlite(c) => sqlx::query(DANGLING).execute(c).await.map(drop).unwrap(),
            Raw::Postgres(c) => sqlx::query(DANGLING).execute(c).await.map(drop).unwrap(),
        }
        fails.commit().await.unwrap_err();

        let deliveries = async || count(db, "SELECT COUNT(*) FROM event_deliveries").await;
        let events = async || count(db, "SELECT COUNT(*) FROM events WHERE kind = 'stream.live'").await;
        assert_eq!((deliveries().await, events().await, scene.log().await.len()), (0, 0, 0));
        assert!(heard.try_recv().is_err(), "nobody is told");
        assert_eq!((scene.run_due().await, scene.receiver.seen().len()), (0, 0));
        // As what is committed does.
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        assert_eq!((deliveries().await, events().await, scene.log().await.len()), (1, 1, 1));
        assert_eq!((scene.run_due().await, scene.receiver.kinds()), (1, vec!["stream.live".to_owned()]));
    })
    .await;
}

#[tokio::test]
async fn several_nodes_tell_each_once_and_in_order() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let streams = [scene.stream, a_stream(&scene.server, &scene.tenant, &[]).await];
        let running = scene.run();
        for deliverer in [scene.deliverer(), scene.deliverer()] {
            let stop = running.stop.clone();
            tokio::spawn(async move { deliverer.run(stop).await });
        }
        for _ in 0..10 {
            for stream in streams {
                scene.emit(stream, &[EventKind::StreamLive, EventKind::StreamEnded]).await;
            }
        }
        scene.receiver.until(40).await;
        scene.until_over(40).await;
        let told = scene.receiver.seen();
        assert_eq!(told.len(), 40, "each once");
        for stream in streams {
            let of_stream = told.iter().filter(|message| message.json()["data"]["stream"]["id"] == json!(stream));
            let kinds: Vec<String> = of_stream.map(receiver::Message::kind).collect();
            assert_eq!(kinds, ["stream.live", "stream.ended"].repeat(10));
        }
        running.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_rotated_secret_signs_and_the_one_before_too_for_a_day() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let service = &scene.server.service;
        let new = service.rotate_endpoint_secret(&scene.tenant.admin, scene.endpoint.id).await.unwrap().secret;
        for (advance_ms, signatures) in [(0, 2), (86_399_999, 2), (1, 1)] {
            scene.server.clock.advance_ms(advance_ms);
            scene.emit(scene.stream, &[EventKind::StreamLive]).await;
            scene.run_due().await;
            let message = scene.receiver.seen().pop().unwrap();
            assert_eq!((message.signatures(), message.is_signed_by(&new)), (signatures, true));
            assert_eq!(message.is_signed_by(&scene.endpoint.secret), signatures == 2);
        }
        assert!(scene.endpoint().await.old_secret.is_some());
        events::sweep(&scene.server.db, scene.server.clock.now()).await.unwrap();
        assert!(scene.endpoint().await.old_secret.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_test_is_sent_at_once_and_once() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let running = scene.run();
        let (service, admin) = (&scene.server.service, &scene.tenant.admin);
        let id = service.test_endpoint(admin, scene.endpoint.id).await.unwrap();
        let told = scene.receiver.until(1).await;
        assert_eq!((told[0].id(), told[0].kind().as_str()), (id.to_string().as_str(), "test"));
        assert!(told[0].is_signed_by(&scene.endpoint.secret));
        scene.until_over(1).await;
        running.end().await;
        scene.receiver.answers(|_| "500 Internal Server Error");
        service.test_endpoint(admin, scene.endpoint.id).await.unwrap();
        let refused = service.test_endpoint(admin, scene.endpoint.id).await;
        let expected = "its last test is under way still";
        assert!(matches!(refused, Err(service::Error::Refused(Refusal::WrongState { state })) if state == expected));
        let again = service.resend_delivery(admin, id).await;
        assert!(matches!(again, Err(service::Error::Refused(Refusal::WrongState { state })) if state == expected));
        scene.run_due().await;
        let log = scene.log().await;
        assert_eq!((log[0].state, log[0].last_status, log[0].next_at), (DeliveryState::Failed, Some(500), None));
        service.resend_delivery(admin, id).await.unwrap();
        assert!(service.resend_delivery(admin, log[0].message).await.is_err(), "one of the old ones at a time too");
        assert_eq!(scene.run_due().await, 1);
        scene.switch(false).await;
        assert!(service.test_endpoint(admin, scene.endpoint.id).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn the_log_says_which_of_its_streams_are_deleted() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let other = scene.another_stream().await;
        for stream in [scene.stream, other] {
            scene.emit(stream, &[EventKind::StreamLive]).await;
        }
        scene.server.service.delete_stream(&scene.tenant.admin, scene.stream).await.unwrap();
        let log = scene.log().await;
        let there: Vec<_> = log.iter().map(|delivery| (delivery.stream, delivery.has_stream)).collect();
        assert_eq!(there, [(Some(other), true), (Some(scene.stream), false)]);
    })
    .await;
}
