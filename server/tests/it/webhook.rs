//! The organisation's webhook between an encoder and the air: what it is asked, and that nothing but its 200 lets an encoder in, by RTMP and WHIP alike.

mod documented;
pub mod hook;
mod https;
mod leaving;
mod on_air;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::StreamState;
use afterlive_server::db::streams::{self, Stream};
use afterlive_server::dial::Reach;
use afterlive_server::hub::{CannotRecord, Recorder, RecorderSubscription, Recording};
use afterlive_server::ingest::gate::{Gate, IngestRegions};
use afterlive_server::ingest::rtmp;
use afterlive_server::ingest::webhook::{MAX_ASKED_PER_STREAM, Settings};
use afterlive_server::ingest::whip::Whip;
use afterlive_server::live::whep::Whep;
use afterlive_server::rtc::{self, Transport};
use async_trait::async_trait;
use str0m::media::Direction;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use self::hook::{Call, Hook, PATIENCE, point_to};
use crate::fixture::database::a_stream;
use crate::fixture::program::interpreter;
use crate::fixture::server::{Answer, Server, Tenant, on_a_server, on_each_server};
use crate::rtmp::client::Client;
use crate::webrtc::client::Client as Peer;

pub const ALLOWED: &str = "NetStream.Publish.Start";

struct NoRecorder;

#[async_trait]
impl Recorder for NoRecorder {
    async fn start(&self, _: Recording, _: RecorderSubscription) -> Result<(), CannotRecord> {
        Err(CannotRecord("nothing is recorded here".to_owned()))
    }
}

fn settings() -> Settings {
    Settings { reach: Reach::Anywhere, answer_timeout: PATIENCE, update_every: None }
}

/// A server with RTMP and WHIP, and an organisation with a webhook.
pub struct Scene {
    pub server: Server,
    pub tenant: Tenant,
    pub stream: Stream,
    pub hook: Hook,
    pub rtmp: SocketAddr,
    tasks: TaskTracker,
}

impl Scene {
    pub async fn new(server: Server) -> Self {
        Self::with(server, settings()).await
    }

    async fn with(mut server: Server, settings: Settings) -> Self {
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server.db, &tenant.organisation).await;
        let (hook, tasks) = (Hook::new().await, TaskTracker::new());
        let (db, clock, stop) = (server.db.clone(), server.clock.clone(), server.stop.clone());
        let regions = IngestRegions { node: "eu".parse().unwrap(), by_host: BTreeMap::new() };
        let gate = Gate::new(server.hub.clone(), db, clock, regions, Arc::new(NoRecorder), tasks.clone(), settings);
        let gate = Arc::new(gate);

        let rtc = rtc::Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), host_candidates: Vec::new(), max_sessions: 100 };
        let transport = Transport::bind(&rtc).await.unwrap();
        let whip = Whip::new(transport.clone(), Arc::<Gate>::clone(&gate), stop.clone());
        let whep = Whep::new(transport.clone(), server.hub.clone(), interpreter(&server.hub), stop.clone());
        server.router = server.router_with(Some((whip, whep)));
        tokio::spawn(transport.run(stop.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rtmp = listener.local_addr().unwrap();
        let usher = Arc::clone(&server.service);
        let ingest = rtmp::Server::new(crate::rtmp::settings(), server.hub.clone(), gate, usher, interpreter(&server.hub));
        tokio::spawn(ingest.serve(listener, stop));

        let scene = Self { server, tenant, stream, hook, rtmp, tasks };
        scene.set(&scene.hook.url()).await;
        scene
    }

    async fn set(&self, url: &str) {
        point_to(&self.server.db, self.tenant.organisation.id, url).await;
    }

    /// Tries to publish by RTMP; with the answer's code and description.
    pub fn publish(&self, query: &str) -> JoinHandle<(Client, String, String)> {
        let (rtmp, name) = (self.rtmp, format!("{}{query}", self.stream.streamname));
        tokio::spawn(async move { Client::publish(rtmp, "live", &name).await })
    }

    /// The same by WHIP.
    pub async fn whip(&self, query: &str) -> Answer {
        let offer = Peer::new(Direction::SendOnly).await.offer;
        let name: String =
            url::form_urlencoded::byte_serialize(format!("{}{query}", self.stream.streamname).as_bytes()).collect();
        let call = format!("POST /p/webrtc?stream_name={name}&stream_url=rtmp://localhost/live");
        self.server.send_with(&call, &[("content-type", "application/sdp")], &offer).await
    }

    pub async fn state(&self) -> StreamState {
        streams::by_id(&mut self.server.db.read().await.unwrap(), self.stream.id).await.unwrap().unwrap().state
    }

    pub async fn until(&self, state: StreamState) {
        let reached = async {
            while self.state().await != state {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, reached).await.expect("the stream comes to that");
    }

    /// Until a keyframe is there.
    pub async fn has_pictures(&self) {
        let come = async {
            while self.server.hub.newest_keyframe(self.stream.id).is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, come).await.expect("pictures come");
    }

    /// Until all that was begun is told.
    async fn settled(&self) {
        self.tasks.close();
        timeout(PATIENCE, self.tasks.wait()).await.expect("all is told");
        self.tasks.reopen();
    }
}

/// What a publish came to.
pub async fn came_to(publish: JoinHandle<(Client, String, String)>) -> (Client, String, String) {
    timeout(PATIENCE, publish).await.expect("an answer").unwrap()
}

#[tokio::test]
async fn who_is_allowed_is_live_only_then_and_its_end_is_told() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let publish = scene.publish("?passcode=a%26b&call=evil&name[]=evil");
        let mut call = scene.hook.call().await;
        assert!(call.head.starts_with("POST /publish?secret=1 HTTP/1.1\r\n"), "{}", call.head);
        let head = call.head.to_ascii_lowercase();
        assert!(head.contains("content-type: application/x-www-form-urlencoded\r\n"), "{head}");
        assert!(head.contains(&format!("host: {}\r\n", scene.hook.address)), "{head}");
        let (name, id) = (&scene.stream.streamname, call.field("clientid"));
        assert_eq!(call.form, format!("passcode=a%26b&call=publish&name={name}&app=live&addr=127.0.0.1&clientid={id}"));
        assert!(id.parse::<i32>().unwrap() >= 0);
        assert_eq!(scene.state().await, StreamState::Created);
        assert!(!publish.is_finished());
        call.answer("200 OK", "").await;
        let (mut client, code, _) = came_to(publish).await;
        assert_eq!((code.as_str(), scene.state().await), (ALLOWED, StreamState::Live));
        client.video_config().await;
        client.keyframe(0).await;
        drop(client);

        let done = scene.hook.allow().await;
        assert_eq!((done.field("call").as_str(), done.field("clientid")), ("publish_done", id.clone()));
        let start = format!("passcode=a%26b&call=publish_done&name={name}&app=live&addr=127.0.0.1&clientid={id}&bytes_in=");
        assert!(done.form.starts_with(&start), "{}", done.form);
        assert!(
            done.field("bytes_in").parse::<u64>().unwrap() > 0 && done.field("bytes_out").parse::<u64>().unwrap() > 3_000,
            "{}",
            done.form
        );
        scene.settled().await;
        assert_eq!(scene.state().await, StreamState::Ended);
        assert!(scene.hook.is_left_alone().await);
    })
    .await;
}

#[tokio::test]
async fn by_whip_the_same_is_asked() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let (answer, call) = tokio::join!(scene.whip("?passcode=1&x=2"), scene.hook.allow());
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
        let (name, id) = (&scene.stream.streamname, call.field("clientid"));
        assert_eq!(call.form, format!("passcode=1&x=2&call=publish&name={name}&app=live&addr=0.0.0.0&clientid={id}"));
        let ended = scene.server.send(&format!("DELETE {}", answer.header("location")), None, "").await;
        assert_eq!(ended.status.as_u16(), 200);
        let done = scene.hook.allow().await;
        assert_eq!((done.field("call").as_str(), done.field("clientid")), ("publish_done", id));

        // Who is allowed, and then turns out to offer nothing of use, is over too.
        let call = format!("POST /p/webrtc?stream_name={name}&stream_url=rtmp://localhost/live");
        let sdp = [("content-type", "application/sdp")];
        let (answer, _) = tokio::join!(scene.server.send_with(&call, &sdp, "nonsense"), scene.hook.allow());
        assert_eq!(answer.error(), (400, 1004));
        assert_eq!(scene.hook.allow().await.field("call"), "publish_done");
    })
    .await;
}

/// What a webhook does, what an encoder by RTMP is told then, and status and code by WHIP.
type Refusal = (&'static str, &'static str, u16, u64);

const REFUSALS: &[Refusal] = &[
    ("403 Forbidden", "the organisation's webhook refuses it: it answered 403, and only 200 allows it", 403, 2001),
    ("404 Not Found", "the organisation's webhook refuses it: it answered 404, and only 200 allows it", 403, 2001),
    ("204 No Content", "the organisation's webhook refuses it: it answered 204, and only 200 allows it", 403, 2001),
    ("302 Found", "the organisation's webhook refuses it: it answered 302, and only 200 allows it", 403, 2001),
    // Who comes back in a moment may be let in.
    ("408 Request Timeout", "the organisation's webhook refuses it: it answered 408, and only 200 allows it", 503, 3005),
    ("429 Too Many Requests", "the organisation's webhook refuses it: it answered 429, and only 200 allows it", 503, 3005),
    ("500 Internal Server Error", "the organisation's webhook refuses it: it answered 500, and only 200 allows it", 503, 3005),
    ("502 Bad Gateway", "the organisation's webhook refuses it: it answered 502, and only 200 allows it", 503, 3005),
    (NO_HTTP, "the organisation's webhook cannot be asked: it does not speak HTTP", 503, 3005),
    (ENDLESS_HEAD, "the organisation's webhook cannot be asked: it does not speak HTTP", 503, 3005),
];
const SILENCES: &[Refusal] = &[
    (NO_ANSWER, "the organisation's webhook does not answer in time", 503, 3005),
    (HALF_AN_ANSWER, "the organisation's webhook does not answer in time", 503, 3005),
];
const NO_HTTP: &str = "no HTTP";
const ENDLESS_HEAD: &str = "endless head";
const NO_ANSWER: &str = "no answer";
const HALF_AN_ANSWER: &str = "half an answer";

/// Takes the next call, does that, and waits until the server has left. Where no answer was heard, the end is told of what may have been allowed: that is taken too.
async fn refuse(hook: &Hook, what: &str, elsewhere: &Hook) {
    let mut call = hook.call().await;
    let id = call.field("clientid");
    match what {
        NO_HTTP => call.say(b"SSH-2.0-OpenSSH_9.2\r\n").await,
        ENDLESS_HEAD => call.say(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(100_000)).as_bytes()).await,
        NO_ANSWER => {}
        HALF_AN_ANSWER => call.say(b"HTTP/1.1 200 OK\r\nContent-").await,
        status => call.answer(status, &format!("Location: http://{}/\r\n", elsewhere.address)).await,
    }
    call.left().await;
    if [NO_HTTP, ENDLESS_HEAD, NO_ANSWER, HALF_AN_ANSWER].contains(&what) {
        let done = hook.allow().await;
        assert_eq!((done.field("call"), done.field("clientid"), done.field("bytes_in")), ("publish_done".into(), id, "0".into()));
    }
}

async fn refuses(scene: &Scene, refusals: &[Refusal]) {
    let elsewhere = Hook::new().await;
    for (what, words, status, code) in refusals {
        let publish = scene.publish("?passcode=1");
        refuse(&scene.hook, what, &elsewhere).await;
        let (_, answer, description) = came_to(publish).await;
        assert_eq!((answer.as_str(), description.as_str()), ("NetStream.Publish.BadName", *words), "{what}");
        let (answer, ()) = tokio::join!(scene.whip("?passcode=1"), refuse(&scene.hook, what, &elsewhere));
        assert_eq!(answer.error(), (*status, *code), "{what}");
        assert_eq!(answer.json()["error"]["message"], *words, "{what}");
        assert_eq!(answer.headers.contains_key("retry-after"), *status == 503, "{what}");
    }
    scene.settled().await;
    assert!(scene.hook.is_left_alone().await, "of what never began no end is told");
    assert!(elsewhere.is_left_alone().await, "redirects are not followed");
    assert_eq!(scene.state().await, StreamState::Created);
}

#[tokio::test]
async fn nothing_but_200_lets_an_encoder_in_and_it_is_told_why() {
    on_each_server(async |server| refuses(&Scene::new(server).await, REFUSALS).await).await;
}

#[tokio::test]
async fn no_answer_in_time_lets_nobody_in() {
    on_a_server(&[], async |server| {
        let settings = Settings { answer_timeout: Duration::from_millis(1_500), ..settings() };
        refuses(&Scene::with(server, settings).await, SILENCES).await;
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_cannot_be_reached_refuses_and_private_addresses_are_not_tried() {
    on_each_server(async |server| {
        let scene = Scene::with(server, Settings { reach: Reach::Public, ..settings() }).await;
        let port = scene.hook.address.port();
        let private =
            "the organisation's webhook cannot be asked: its host is in a private network, which is only allowed with webhook.allow_private = true";
        for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0"] {
            scene.set(&format!("http://{host}:{port}/")).await;
            assert_eq!(came_to(scene.publish("")).await.2, private, "{host}");
            assert_eq!(scene.whip("").await.json()["error"]["message"], private, "{host}");
        }
        scene.set("https://no-such-host.invalid/").await;
        let nobody = "the organisation's webhook cannot be asked: its host cannot be found";
        assert_eq!(came_to(scene.publish("")).await.2, nobody);
        let long = came_to(scene.publish(&format!("?{}", "x".repeat(5_000)))).await.2;
        assert_eq!(long, "more than 4096 bytes stand behind the ? of the stream name");
        assert!(scene.hook.is_left_alone().await);
    })
    .await;
}

#[tokio::test]
async fn of_two_at_once_both_are_asked_about_and_one_is_let_in() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let publishes = [scene.publish("?n=0"), scene.publish("?n=1")];
        let mut calls = [scene.hook.call().await, scene.hook.call().await];
        for call in &mut calls {
            call.answer("200 OK", "").await;
        }
        let [one, other] = publishes.map(came_to);
        let (one, other) = tokio::join!(one, other);
        let loser = usize::from(one.1 == ALLOWED);
        assert_ne!(one.1 == ALLOWED, other.1 == ALLOWED);
        assert_eq!([&one, &other][loser].2, "already live from another encoder");
        let done = scene.hook.allow().await;
        assert_eq!((done.field("call"), done.field("n")), ("publish_done".to_owned(), loser.to_string()));

        // While it is live nobody is asked about others.
        assert_eq!(came_to(scene.publish("")).await.2, "already live from another encoder");
        assert_eq!(scene.whip("").await.error(), (409, 3003));
        assert!(scene.hook.is_left_alone().await);
    })
    .await;
}

#[tokio::test]
async fn who_has_no_turn_waits_for_one_and_nobody_of_another_stream_or_organisation_does() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let mut waiting: Vec<_> = (0..=MAX_ASKED_PER_STREAM).map(|_| scene.publish("")).collect();
        let mut calls = Vec::new();
        for _ in 0..MAX_ASKED_PER_STREAM {
            calls.push(scene.hook.call().await);
        }
        assert!(scene.hook.is_left_alone().await, "one waits for its turn");
        assert_eq!(came_to(tokio::spawn(Client::publish(scene.rtmp, "live", "8sKpm-00000"))).await.2, "stream name unknown");

        // Another stream of the same webhook.
        let beside = a_stream(&scene.server.db, &scene.tenant.organisation).await;
        let (_beside, call) = allowed(&scene, &scene.hook, &beside).await;
        assert_eq!(call.field("name"), beside.streamname.as_str());

        // An organisation that has none, and then another one's webhook.
        let theirs = scene.server.an_organisation().await;
        let stream = a_stream(&scene.server.db, &theirs.organisation).await;
        let (_client, code, _) = Client::publish(scene.rtmp, "live", stream.streamname.as_str()).await;
        assert_eq!(code, ALLOWED);
        assert!(scene.hook.is_left_alone().await, "about others it is not asked");
        let their_hook = Hook::new().await;
        point_to(&scene.server.db, theirs.organisation.id, &their_hook.url()).await;
        let stream = a_stream(&scene.server.db, &theirs.organisation).await;
        let (_theirs, call) = allowed(&scene, &their_hook, &stream).await;
        assert_eq!(call.field("name"), stream.streamname.as_str());

        // It has its turn when another has been told.
        calls.remove(0).answer("403 Forbidden", "").await;
        let (refused, _, rest) = timeout(PATIENCE, futures::future::select_all(waiting)).await.unwrap();
        waiting = rest;
        let words = refused.unwrap().2;
        assert!(words.contains("403"), "{words}");
        scene.hook.allow().await;
        let (allowed, ..) = timeout(PATIENCE, futures::future::select_all(waiting)).await.unwrap();
        assert_eq!(allowed.unwrap().1, ALLOWED);
    })
    .await;
}

/// Publishes by RTMP, allowed by that webhook.
async fn allowed(scene: &Scene, hook: &Hook, stream: &Stream) -> (Client, Call) {
    let (rtmp, name) = (scene.rtmp, stream.streamname.to_string());
    let publish = tokio::spawn(async move { Client::publish(rtmp, "live", &name).await });
    let call = hook.allow().await;
    let (client, code, _) = came_to(publish).await;
    assert_eq!(code, ALLOWED);
    (client, call)
}

#[tokio::test]
async fn a_stream_that_is_locked_meanwhile_stays_so() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let publish = scene.publish("");
        let mut call = scene.hook.call().await;
        scene.server.service.lock_stream(&scene.tenant.admin, scene.stream.id).await.unwrap();
        call.answer("200 OK", "").await;
        assert_eq!(came_to(publish).await.2, "stream is locked");
        let done = scene.hook.allow().await;
        assert_eq!((done.field("call").as_str(), done.field("bytes_in").as_str()), ("publish_done", "0"));
        assert_eq!(came_to(scene.publish("")).await.2, "stream is locked");
        assert!(scene.hook.is_left_alone().await, "of what is refused in any case nobody is asked");
    })
    .await;
}
