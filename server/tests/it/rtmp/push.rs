//! Live streams pushed on to another RTMP server: ours, and FFmpeg's.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use afterlive_domain::{Mode, SessionId, StreamId};
use afterlive_media::frame::{Frame, TrackKind};
use afterlive_server::db::sessions::{EndReason, NewSession, end_session, go_live};
use afterlive_server::hub::{Message, Publisher};
use afterlive_server::push::{PushStatus, Pusher, Settings};
use afterlive_server::sound::Interpreter;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{LOCKED, NAME, Scene, recorded, within};
use crate::api::streams::a_stream;
use crate::fixture::database::NOW;
use crate::fixture::encoder::{encode, ffprobe, send};
use crate::fixture::program::interpreter;
use crate::fixture::server::{Server, Tenant, on_each_server};

/// The server whose stream is pushed.
pub(super) struct Source<'a> {
    pub(super) server: &'a Server,
    tenant: Tenant,
    pub(super) stream: StreamId,
    pusher: JoinHandle<()>,
}

impl<'a> Source<'a> {
    pub(super) async fn new(server: &'a Server, settings: Settings) -> Self {
        Self::with(server, settings, interpreter(&server.hub)).await
    }

    pub(super) async fn with(server: &'a Server, settings: Settings, interpreter: Interpreter) -> Self {
        let tenant = server.an_organisation().await;
        let stream = a_stream(server, &tenant, &[]).await;
        let hub = (server.hub.clone(), interpreter);
        let pusher = Pusher::new(server.pushes.clone(), server.db.clone(), hub, server.clock.clone(), settings);
        let pusher = tokio::spawn(pusher.run(server.stop.clone()));
        Self { server, tenant, stream, pusher }
    }

    pub(super) async fn set(&self, url: Option<&str>) -> Value {
        let call = format!("PUT /stream/{}/push_url", self.stream);
        self.server.send(&call, Some(&self.tenant.user_key), &json!({ "url": url }).to_string()).await.ok()
    }

    pub(super) async fn publish(&self) -> OnAir<'_> {
        let session = NewSession {
            id: SessionId(Uuid::new_v4()),
            stream: self.stream,
            mode: Mode::Live,
            region: "eu".parse().unwrap(),
            protocol: "rtmp",
            peer: "127.0.0.1:50000".to_owned(),
        };
        let publisher = self.server.hub.publish(self.stream, NOW).unwrap();
        let mut tx = self.server.db.write().await.unwrap();
        go_live(&mut tx, &session, NOW).await.unwrap();
        tx.commit().await.unwrap();
        OnAir { source: self, publisher, session: session.id }
    }

    /// Waits for a status that fits.
    pub(super) async fn status(&self, fits: impl Fn(Option<&PushStatus>) -> bool) -> Option<PushStatus> {
        within(async {
            loop {
                let status = self.server.pushes.status(self.stream);
                if fits(status.as_ref()) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    async fn failure(&self) -> String {
        let failed = |status: Option<&PushStatus>| matches!(status, Some(PushStatus::Failed { .. }));
        match self.status(failed).await {
            Some(PushStatus::Failed { reason, next_try_at }) => {
                assert!(next_try_at > NOW);
                reason
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn end(self) {
        self.server.stop.cancel();
        within(self.pusher).await.unwrap();
    }
}

/// The stream while it is published.
pub(super) struct OnAir<'a> {
    source: &'a Source<'a>,
    pub(super) publisher: Publisher,
    session: SessionId,
}

impl OnAir<'_> {
    pub(super) async fn end(self) {
        drop(self.publisher);
        let mut tx = self.source.server.db.write().await.unwrap();
        end_session(&mut tx, self.session, EndReason::Unpublished, 0, NOW).await.unwrap();
        tx.commit().await.unwrap();
    }
}

pub(super) fn anywhere() -> Settings {
    Settings { allow_private: true, own_port: 1 }
}

/// Where nobody listens. Each test has a host of its own, 127.0.0.`host`: at 127.0.0.1, where all others are, a free port may be
/// another's a moment later.
pub(super) fn nobodys_address(host: u8) -> SocketAddr {
    TcpListener::bind((Ipv4Addr::new(127, 0, 0, host), 0)).unwrap().local_addr().unwrap()
}

fn frames(messages: &[Message]) -> Vec<(TrackKind, bool, bytes::Bytes)> {
    let frame = |frame: &Frame| (frame.kind, frame.keyframe, frame.data.clone());
    messages.iter().filter_map(|message| if let Message::Frame(it) = message { Some(frame(it)) } else { None }).collect()
}

#[tokio::test]
async fn a_stream_is_pushed_from_when_its_url_is_set_until_it_ends_and_from_the_start_the_next_time() {
    on_each_server(async |server| {
        let mut target = Scene::new().await;
        let source = Source::new(&server, anywhere()).await;
        let media = encode(2, true, true);
        let mut on_air = source.publish().await;
        // The tracks, and the first frames of both.
        let (first, rest) = media.split_at(12);
        send(&mut on_air.publisher, first);
        assert_eq!(source.server.pushes.status(source.stream), None, "nobody has set a URL");

        source.set(Some(&target.url("rec", &format!("{NAME}?key=secret")))).await;
        let recorder = target.recorder().await;
        let pushing = |status: Option<&PushStatus>| matches!(status, Some(PushStatus::Pushing { .. }));
        source.status(pushing).await;
        send(&mut on_air.publisher, rest);
        on_air.end().await;
        let arrived = recorded(recorder).await;
        assert_eq!(target.end().await, EndReason::Unpublished);
        assert_eq!(frames(&arrived), frames(&media));
        source.status(|status| status.is_none()).await;

        let mut on_air = source.publish().await;
        let recorder = target.recorder().await;
        source.status(pushing).await;
        send(&mut on_air.publisher, &media);
        on_air.end().await;
        assert_eq!(frames(&recorded(recorder).await).len(), frames(&media).len());
        source.end().await;
    })
    .await;
}

#[tokio::test]
async fn the_api_tells_how_a_push_does_and_readers_no_key() {
    on_each_server(async |server| {
        let target = Scene::new().await;
        let source = Source::new(&server, anywhere()).await;
        let on_air = source.publish().await;
        let url = target.url("live", &format!("{NAME}?key=secret"));
        let answer = source.set(Some(&url)).await;
        assert_eq!(answer["playout"]["web"][0]["pushUrl"], json!(url));
        source.status(|status| matches!(status, Some(PushStatus::Pushing { .. }))).await;
        let live = async |key: Option<&str>| {
            server.send(&format!("GET /stream/{}", source.stream), key, "").await.ok()["playout"]["web"][0].clone()
        };
        let told = live(Some(&source.tenant.user_key)).await;
        assert_eq!((&told["pushState"]["state"], &told["pushState"]["since"]), (&json!("pushing"), &json!(NOW)));
        assert!(told["pushState"]["bytes"].is_u64());
        let told = live(Some(&source.tenant.reader_key)).await;
        assert_eq!(told["pushUrl"], json!(target.url("live", "…")));

        let none = source.set(None).await;
        assert_eq!((&none["playout"]["web"][0]["pushUrl"], none["playout"]["web"][0].get("pushState")), (&Value::Null, None));
        source.status(|status| status.is_none()).await;
        on_air.end().await;
        source.end().await;
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_pushed_says_why_and_is_tried_again() {
    on_each_server(async |server| {
        let mut target = Scene::new().await;
        let source = Source::new(&server, anywhere()).await;
        // Encoded before: it is not to take of the time within which the target must answer.
        let media = encode(1, true, false);
        let mut on_air = source.publish().await;
        source.set(Some(&target.url("live", LOCKED))).await;
        assert_eq!(source.failure().await, "the server refuses it: stream is locked");
        // Another URL is tried at once.
        source.set(Some(&target.url("other", NAME))).await;
        source
            .status(|status| matches!(status, Some(PushStatus::Failed { reason, .. }) if reason.contains("/live or /rec")))
            .await;
        source.set(Some(&format!("rtmp://{}/live/{NAME}", nobodys_address(2)))).await;
        source
            .status(|status| matches!(status, Some(PushStatus::Failed { reason, .. }) if reason.contains("no connection")))
            .await;

        // An encoder has the name; when it is gone the next try succeeds.
        let (encoder, ..) = super::client::Client::publish(target.address, "rec", NAME).await;
        let taken = target.recorder().await;
        source.set(Some(&target.url("rec", NAME))).await;
        source
            .status(|status| matches!(status, Some(PushStatus::Failed { reason, .. }) if reason.contains("already live")))
            .await;
        drop((encoder, taken));
        let recorder = target.recorder().await;
        source.status(|status| matches!(status, Some(PushStatus::Pushing { .. }))).await;
        send(&mut on_air.publisher, &media);
        on_air.end().await;
        assert_eq!(frames(&recorded(recorder).await), frames(&media));
        source.end().await;
    })
    .await;
}

#[tokio::test]
async fn neither_neighbours_nor_the_server_itself_are_pushed_to() {
    on_each_server(async |server| {
        let target = Scene::new().await;
        for (settings, why_not) in [
            (Settings { allow_private: false, own_port: 1 }, "in a private network"),
            (Settings { allow_private: true, own_port: target.address.port() }, "the target is this server itself"),
        ] {
            let source = Source::new(&server, settings).await;
            let on_air = source.publish().await;
            source.set(Some(&target.url("live", NAME))).await;
            let reason = source.failure().await;
            assert!(reason.contains(why_not), "{reason}");
            on_air.end().await;
            source.status(|status| status.is_none()).await;
            source.pusher.abort();
        }
        assert!(target.gate.requests.lock().unwrap().is_empty());
    })
    .await;
}

/// As behind a router that translates addresses one to one, and where a name leads back by a proxy: by no address is it known where the stream goes.
#[tokio::test]
async fn a_server_knows_its_own_pushes_by_whatever_way_they_come_back() {
    on_each_server(async |server| {
        let (itself, another) =
            (Scene::made(super::settings(), |rtmp| rtmp.turning_away(server.pushes.mark().clone())).await, Scene::new().await);
        let source = Source::new(&server, anywhere()).await;
        let on_air = source.publish().await;
        source.set(Some(&itself.url("live", NAME))).await;
        let reason = source.failure().await;
        assert!(reason.contains("it is the server itself that pushes the stream"), "{reason}");
        assert!(itself.gate.requests.lock().unwrap().is_empty());
        source.set(Some(&another.url("live", NAME))).await;
        source.status(|status| matches!(status, Some(PushStatus::Pushing { .. }))).await;
        on_air.end().await;
        source.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_url_that_cannot_be_is_refused_by_the_field() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server, &tenant, &[]).await;
        let call = format!("PUT /stream/{stream}/push_url");
        for (body, code) in [
            (json!({}), 1002),
            (json!({ "url": 7 }), 1004),
            (json!({ "url": "rtmps://live.example.com/app/key" }), 1004),
            (json!({ "url": "http://live.example.com/app/key" }), 1004),
            (json!({ "url": "rtmp://live.example.com/app" }), 1004),
            (json!({ "url": "rtmp://localhost:1935/rec/8sKpm-x49nB" }), 1004),
        ] {
            assert_eq!(server.send(&call, Some(&tenant.user_key), &body.to_string()).await.error(), (400, code), "{body}");
        }
        server.service.delete_stream(&tenant.admin, stream).await.unwrap();
        let body = json!({ "url": "rtmp://live.example.com/app/key" }).to_string();
        assert_eq!(server.send(&call, Some(&tenant.user_key), &body).await.error(), (409, 3003));
    })
    .await;
}

#[tokio::test]
async fn a_target_that_takes_nothing_delays_nobody() {
    on_each_server(async |server| {
        // It takes the connection, and never says a word.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = Source::new(&server, anywhere()).await;
        // Encoded before: it is not to take of the time after which the target would have failed.
        let media = encode(2, true, true);
        let mut on_air = source.publish().await;
        source.set(Some(&format!("rtmp://{}/live/{NAME}", listener.local_addr().unwrap()))).await;
        let (_held, _) = within(listener.accept()).await.unwrap();
        let mut viewer = server.hub.subscribe(source.stream).unwrap();
        send(&mut on_air.publisher, &media);
        let mut seen = Vec::new();
        while let Some(message) = viewer.try_next() {
            seen.push(message);
        }
        assert_eq!(frames(&seen), frames(&media));
        assert_eq!(server.pushes.status(source.stream), Some(PushStatus::Connecting));
        on_air.end().await;
        source.status(|status| status.is_none()).await;
        source.end().await;
    })
    .await;
}

#[tokio::test]
async fn ffmpeg_receives_what_is_pushed_and_it_plays() {
    on_each_server(async |server| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pushed.flv");
        let url = format!("rtmp://{}/app/key", nobodys_address(3));
        let receiver = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-listen", "1", "-i", &url, "-c", "copy"])
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("ffmpeg is installed");
        let source = Source::new(&server, anywhere()).await;
        let mut on_air = source.publish().await;
        source.set(Some(&url)).await;
        // Tries again until ffmpeg listens.
        source.status(|status| matches!(status, Some(PushStatus::Pushing { .. }))).await;
        send(&mut on_air.publisher, &encode(3, true, true));
        on_air.end().await;
        let output = within(receiver.wait_with_output()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let counted = ffprobe(&file, "stream=codec_name,width");
        assert_eq!(counted, ["h264,320", "aac"]);
        let seconds: f64 = ffprobe(&file, "format=duration")[0].parse().unwrap();
        assert!((2.8..3.3).contains(&seconds), "{seconds} s");
        source.end().await;
    })
    .await;
}
