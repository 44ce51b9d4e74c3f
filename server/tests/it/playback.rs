//! Who may watch what, on every protocol: one table of ways to watch and one of credentials, and each way answers each credential alike.

mod lasting;
pub mod publishing;
mod revoking;
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::organisation::Settings;
use afterlive_domain::{Role, Streamname, Tags};
use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use afterlive_server::db::streams::Stream;
use afterlive_server::http::listen;
use afterlive_server::hub::{Publisher, Still};
use afterlive_server::ingest::rtmp;
use afterlive_server::ingest::whip::Whip;
use afterlive_server::live::Use;
use afterlive_server::live::whep::Whep;
use afterlive_server::rtc::{self, Transport};
use afterlive_server::service::Opens;
use afterlive_server::service::playback::{Expiry, Secret, TokenOf, TokenWish};
use afterlive_server::sound::Interpreter;
use afterlive_server::storage::Key;
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::{Value, json};
use str0m::media::Direction;
use tokio::net::TcpListener;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest as _};

use crate::fixture::database::{NOW, a_stream};
use crate::fixture::program::interpreter;
use crate::fixture::server::{Answer, Server, Tenant, on_each_server};
use crate::listen::room_for;
use crate::rtmp::client::Client;
use crate::webrtc::client::Client as Peer;

/// Where the players stand.
const SITE: &str = "player.example.com";
/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An organisation that shows nothing to strangers, with a stream that is live and was recorded.
struct Scene {
    server: Server,
    ours: Tenant,
    theirs: Tenant,
    stream: Stream,
    /// The number of the first segment that HLS players are told of.
    segment: u64,
    /// What a viewer and a publisher by WebRTC offer.
    offers: [String; 2],
    rtmp: SocketAddr,
    http: SocketAddr,
    publisher: Publisher,
    /// Who is refused uses no feed, and one that nobody has used for a while ends, its segments with it.
    _feed: Use,
}

/// A way to watch over HTTP: what is asked for, in which `NAME`, `HASH` and `ID` are the stream's and `SEG` is a segment's number, and the status for who may.
/// A `POST` has an offer for WebRTC as its body.
struct Way(&'static str, u16);

/// Every route that gives away what is live or recorded. A new protocol is a new row.
const WAYS: &[Way] = &[
    Way("GET /vod-eu/HASH/NAME.mp4", 200),
    Way("HEAD /vod-eu/HASH/NAME.mp4", 200),
    Way("GET /vod-eu/HASH/NAME.mp4?download", 200),
    // There is none yet; who may not know hears nothing of that.
    Way("GET /vod-eu/HASH/NAME-2.mp4", 404),
    Way("GET /vod-eu/HASH/thumbnails/NAME.jpg", 200),
    Way("GET /vod-eu/HASH/thumbnails/NAME-storyboard.vtt", 404),
    Way("GET /live/NAME/thumbnail.jpg", 200),
    // Who may hears that this is no WebSocket; those are opened below.
    Way("GET /live/NAME/ws", 400),
    Way("GET /live/NAME/index.m3u8", 200),
    Way("HEAD /live/NAME/index.m3u8", 200),
    Way("GET /live/NAME/media.m3u8", 200),
    Way("GET /live/NAME/media.m3u8?_HLS_msn=SEG&_HLS_skip=YES", 200),
    Way("GET /live/NAME/init-SEG.mp4", 200),
    Way("GET /live/NAME/seg-SEG.m4s", 200),
    Way("GET /live/NAME/part-SEG-0.m4s", 200),
    Way("GET /live/NAME/seg-1.m4s", 404),
    Way("HEAD /live/NAME/progressive.mp4", 200),
    Way("GET /live/NAME/nothing", 404),
    Way("POST /live/NAME/whep", 201),
    Way("GET /stream/ID", 200),
    Way("GET /stream/ID/group", 200),
];

/// What stands before the answer to who may not: the reason, in words.
const WHY_NOT: &[(&str, Option<&str>)] = &[
    ("none", Some("no playback token was given")),
    ("nonsense", Some("is no playback token")),
    ("bad signature", Some("not of this organisation, or was changed")),
    ("other organisation", Some("not of this organisation, or was changed")),
    ("expired", Some("the token expired at 2026-11-04T17:10:19.000Z")),
    ("not yet", Some("good only from 2026-11-04T18:")),
    ("other stream", Some("for another stream")),
    ("other tags", Some("for streams with other tags")),
    ("other address", Some("for other addresses than")),
    ("other site", Some("for players on other sites than player.example.com")),
    ("revoked", Some("was revoked")),
    ("revoked by its id", Some("was revoked")),
    ("stream", None),
    ("stream until a certain time", None),
    ("tags", None),
    ("organisation", None),
    ("address and site", None),
];

fn wish() -> TokenWish {
    let (of, expiry) = (TokenOf::Organisation, Expiry::In(3_600));
    TokenWish { of, expiry, not_before: None, ips: Vec::new(), domains: Vec::new(), label: None }
}

impl Scene {
    async fn new(mut server: Server) -> Self {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let stream = a_stream(&server.db, &ours.organisation).await;
        let region = server.service.regions().iter().find(|store| store.name().to_string() == "eu").unwrap();
        for key in [Key::recording(&stream.streamname, 1), Key::thumbnail(&stream.streamname, 1)] {
            let path = region.path(&key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"media").unwrap();
        }
        let (publisher, feed) = go_live(&server, &stream).await;
        let gate = Arc::new(publishing::gate(&server));

        let settings =
            rtc::Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), host_candidates: Vec::new(), max_sessions: 10_000 };
        let transport = Transport::bind(&settings).await.unwrap();
        let whip = Whip::new(transport.clone(), Arc::<_>::clone(&gate) as _, server.stop.clone());
        // Nobody here gets as far as being sent sound.
        let whep =
            Whep::new(transport.clone(), server.hub.clone(), Interpreter::new(server.hub.clone(), "none"), server.stop.clone());
        server.router = server.router_with(Some((whip, whep)));
        tokio::spawn(transport.run(server.stop.clone()));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = listener.local_addr().unwrap();
        tokio::spawn(listen::serve(listener, server.router.clone(), room_for(1_000), server.stop.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rtmp = listener.local_addr().unwrap();
        let usher = Arc::clone(&server.service);
        let players = rtmp::Server::new(crate::rtmp::settings(), server.hub.clone(), gate, usher, interpreter(&server.hub));
        tokio::spawn(players.serve(listener, server.stop.clone()));

        let playlist = server.send(&format!("GET /live/{}/media.m3u8", stream.streamname), Some(&ours.reader_key), "").await.text;
        let segment = playlist.lines().find_map(|line| line.strip_prefix("seg-")?.strip_suffix(".m4s")?.parse().ok());
        let segment = segment.unwrap_or_else(|| panic!("no segment in {playlist}"));
        let offers = [Peer::new(Direction::RecvOnly).await.offer, Peer::new(Direction::SendOnly).await.offer];
        Self { server, ours, theirs, stream, segment, offers, rtmp, http, publisher, _feed: feed }
    }

    async fn make(&self, tenant: &Tenant, wish: &TokenWish) -> String {
        let Secret(token) = self.server.service.make_playback_token(&tenant.admin, wish).await.unwrap().token;
        token
    }

    /// The token that a row of the table speaks of; made before the clock is moved where it must have expired.
    async fn token(&self, credential: &str) -> Option<String> {
        let of_stream = TokenOf::Stream(self.stream.id);
        let tags = |tags: &[&str]| TokenOf::Tags(Tags::new(tags).unwrap());
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let own = self.stream.tags.as_slice();
        let wish = match credential {
            "none" => return None,
            "nonsense" => return Some("nonsense".to_owned()),
            "bad signature" => {
                let token = self.make(&self.ours, &wish()).await;
                // A letter of the signature that is not its last, which has bits to spare.
                let (at, other) = (token.len() - 10, |was: char| if was == 'A' { 'B' } else { 'A' });
                return Some(token.char_indices().map(|(place, was)| if place == at { other(was) } else { was }).collect());
            }
            "other organisation" => return Some(self.make(&self.theirs, &wish()).await),
            "expired" => TokenWish { expiry: Expiry::At(NOW.plus_ms(60_000)), ..wish() },
            "not yet" => {
                let expiry = Expiry::In(10_000);
                TokenWish { not_before: Some(NOW.plus_ms(5_400_000)), expiry, of: of_stream, ..wish() }
            }
            "other stream" => {
                TokenWish { of: TokenOf::Stream(a_stream(&self.server.db, &self.ours.organisation).await.id), ..wish() }
            }
            "other tags" => TokenWish { of: tags(&[own[0].as_str(), "other"]), ..wish() },
            "other address" => TokenWish { of: of_stream, ips: texts(&["203.0.113.7", "2001:db8::/32"]), ..wish() },
            "other site" => TokenWish { domains: texts(&["example.com", "*.example.org"]), ..wish() },
            "stream" => TokenWish { of: of_stream, ..wish() },
            "stream until a certain time" => TokenWish { of: of_stream, expiry: Expiry::At(NOW.plus_ms(400_000)), ..wish() },
            "tags" => TokenWish { of: tags(&[own[1].as_str(), own[0].as_str()]), ..wish() },
            "address and site" => {
                // The router is asked without a socket, and so from nowhere.
                TokenWish { ips: texts(&["0.0.0.0", "127.0.0.0/8"]), domains: texts(&["*.example.com"]), ..wish() }
            }
            _ => wish(),
        };
        let token = self.make(&self.ours, &wish).await;
        let key = Some(self.ours.user_key.as_str());
        match credential {
            "revoked" => drop(self.server.send("POST /token/revoke", key, &json!({ "token": token }).to_string()).await.ok()),
            "revoked by its id" => {
                let read = self.server.send("POST /token/verify", key, &json!({ "token": token }).to_string()).await.ok();
                let admin = Some(self.ours.admin_key.as_str());
                self.server.send("POST /token/revoke", admin, &json!({ "id": read["id"] }).to_string()).await.ok();
            }
            _ => {}
        }
        Some(token)
    }

    fn call(&self, way: &str) -> String {
        // Names last: they may have any letters in them.
        let way = way.replace("ID", &self.stream.id.to_string()).replace("SEG", &self.segment.to_string());
        way.replace("NAME", self.stream.streamname.as_str()).replace("HASH", self.ours.organisation.hash.as_str())
    }

    /// Sends it, with an offer where it takes one. A session that began by it ends at once.
    async fn send(&self, call: &str, headers: &[(&str, &str)]) -> Answer {
        if !call.starts_with("POST") {
            return self.server.send_with(call, headers, "").await;
        }
        let headers = [headers, &[("content-type", "application/sdp")]].concat();
        let answer = self.server.send_with(call, &headers, &self.offers[usize::from(call.starts_with("POST /p/"))]).await;
        if answer.status.as_u16() == 201 {
            let ended = self.server.send(&format!("DELETE {}", answer.header("location")), None, "").await;
            assert_eq!(ended.status.as_u16(), 200);
        }
        answer
    }

    /// Tries a way with a token in the query, and from the players' site.
    async fn over_http(&self, Way(way, fine): &Way, token: Option<&str>) -> Result<(), String> {
        let call = self.call(way);
        let joint = if call.contains('?') { '&' } else { '?' };
        let call = token.map_or(call.clone(), |token| format!("{call}{joint}token={token}"));
        let origin = format!("https://{SITE}");
        let answer = self.send(&call, &[("origin", &origin)]).await;
        if answer.status.as_u16() == *fine {
            return Ok(());
        }
        assert_eq!(answer.status.as_u16(), 403, "{call}: {}", answer.text);
        if way.starts_with("HEAD") {
            return Err(String::new());
        }
        assert_eq!(answer.error(), (403, 2001));
        Err(answer.json()["error"]["userinfo"]["reason"].as_str().unwrap().to_owned())
    }

    /// Opens a WebSocket and takes what it says first.
    async fn by_websocket(&self, token: Option<&str>) -> Result<(), String> {
        let query = token.map_or_else(String::new, |token| format!("?token={token}"));
        let url = format!("ws://{}/live/{}/ws{query}", self.http, self.stream.streamname);
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("origin", format!("https://{SITE}").parse().unwrap());
        let opened = tokio::time::timeout(PATIENCE, connect_async(request)).await.expect("an answer in time");
        match opened {
            Ok((mut socket, _)) => {
                let first = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a word in time");
                let tungstenite::Message::Text(words) = first.unwrap().unwrap() else { panic!("no words") };
                assert!(words.starts_with(r#"{"type":"info""#), "{words}");
                Ok(())
            }
            // The words are those of the row above; the body is not read.
            Err(tungstenite::Error::Http(answer)) => {
                assert_eq!(answer.status().as_u16(), 403);
                Err(String::new())
            }
            Err(failure) => panic!("{failure}"),
        }
    }

    async fn over_rtmp(&self, name: &str, token: Option<&str>) -> Result<(), String> {
        let name = token.map_or(name.to_owned(), |token| format!("{name}?token={token}"));
        let page = format!("https://{SITE}/watch");
        let (_, code, description) = Client::play(self.rtmp, &name, &page).await;
        if code == "NetStream.Play.StreamNotFound" { Err(description) } else { Ok(()) }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}

/// Three seconds with a keyframe each second, seen by the stream's feed from the first one on, and a still of the last.
pub async fn go_live(server: &Server, stream: &Stream) -> (Publisher, Use) {
    let feed = server.feeds.open(stream.id);
    // Since a while: its one track is all that it will have.
    let mut publisher = server.hub.publish(stream.id, NOW.plus_ms(-5_000)).unwrap();
    let codec = CodecConfig::H264 { avcc: Bytes::from_static(&[1, 0x64, 0, 0x1f]), width: 320, height: 180 };
    publisher.set_track(TrackConfig { codec, timescale: 1_000 });
    while !publisher.has_viewers() {
        tokio::task::yield_now().await;
    }
    for number in 0..=60 {
        let (dts, keyframe) = (number * 50, number % 20 == 0);
        let data = Bytes::from_static(b"picture");
        publisher.frame(&Frame { kind: TrackKind::Video, dts, pts_offset: 0, keyframe, data });
    }
    server.hub.newest_keyframe(stream.id).unwrap().show(Still { jpeg: Bytes::from_static(b"jpeg"), taken_at: NOW });
    (publisher, feed)
}

#[track_caller]
fn expect(outcome: Result<(), String>, why_not: Option<&str>, what: &str) {
    match (outcome, why_not) {
        (Ok(()), None) => {}
        // Where it is not said, or not read.
        (Err(reason), Some(expected)) => assert!(reason.is_empty() || reason.contains(expected), "{what}: {reason:?}"),
        (outcome, _) => panic!("{what}: {outcome:?}"),
    }
}

#[tokio::test]
async fn each_way_to_watch_answers_each_credential_as_the_table_says() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let server = &scene.server;
        let mut tokens = Vec::new();
        for (credential, _) in WHY_NOT {
            tokens.push(scene.token(credential).await);
        }
        server.clock.advance_ms(300_000);
        for ((credential, why_not), token) in WHY_NOT.iter().zip(&tokens) {
            for way in WAYS {
                expect(scene.over_http(way, token.as_deref()).await, *why_not, &format!("{} with {credential}", way.0));
            }
            let name = scene.stream.streamname.as_str();
            expect(scene.over_rtmp(name, token.as_deref()).await, *why_not, &format!("RTMP play with {credential}"));
            expect(scene.by_websocket(token.as_deref()).await, *why_not, &format!("WebSocket with {credential}"));
        }
        // Where the switches are on none of them is asked for.
        let open = Settings { recording_enabled: true, vod_public: true, live_public: true };
        server.service.save_organisation(&scene.ours.admin, "Chapel", open).await.unwrap();
        for ((credential, _), token) in WHY_NOT.iter().zip(&tokens) {
            for way in WAYS {
                expect(scene.over_http(way, token.as_deref()).await, None, &format!("{} with {credential}, all public", way.0));
            }
            let name = scene.stream.streamname.as_str();
            expect(scene.over_rtmp(name, token.as_deref()).await, None, &format!("RTMP play with {credential}, all public"));
            expect(scene.by_websocket(token.as_deref()).await, None, &format!("WebSocket with {credential}, all public"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_switch_guards_its_own_and_nothing_else() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let server = &scene.server;
        for (vod_public, live_public) in [(true, false), (false, true), (true, true), (false, false)] {
            let settings = Settings { recording_enabled: true, vod_public, live_public };
            server.service.save_organisation(&scene.ours.admin, "Chapel", settings).await.unwrap();
            let vod = scene.over_http(&WAYS[0], None).await.is_ok();
            let live = scene.over_rtmp(scene.stream.streamname.as_str(), None).await.is_ok();
            assert_eq!((vod, live), (vod_public, live_public));
            for way in WAYS.iter().filter(|Way(way, _)| way.contains(" /live/")) {
                assert_eq!(scene.over_http(way, None).await.is_ok(), live_public, "{}", way.0);
            }
            assert_eq!(scene.by_websocket(None).await.is_ok(), live_public);
        }
    })
    .await;
}

#[tokio::test]
async fn the_organisations_own_need_no_token_and_others_learn_nothing() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let server = &scene.server;
        let email = format!("{}@example.com", scene.ours.organisation.hash.as_str().to_lowercase());
        let user = server.service.add_user(&scene.ours.admin, &email, "correct horse battery", Role::ReadOnly).await.unwrap();
        let signed_in = server.send(&format!("GET /sign-in/{}", user.id), None, "").await;
        let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
        let (ours, theirs) = (scene.ours.reader_key.as_str(), scene.theirs.admin_key.as_str());
        let session =
            server.service.make_session_token(&email, "correct horse battery", None, [192, 0, 2, 7].into()).await.unwrap();
        let player = server.service.create_api_key(&scene.ours.admin, "Website", Opens::Playout, None).await.unwrap().secret;
        for Way(way, fine) in WAYS.iter().filter(|Way(way, _)| !way.contains("/stream/")) {
            let call = scene.call(way);
            let bearer = format!("Bearer {}", scene.token("stream").await.unwrap());
            for (header, status) in [
                (("x-bintu-apikey", ours), *fine),
                (("cookie", &cookie), *fine),
                (("x-bintu-token", &session), *fine),
                (("x-bintu-token", "wrong"), 401),
                (("x-bintu-apikey", &player), 401),
                // It shows streams, and lets nobody watch.
                (("x-bintu-playerkey", &player), 403),
                (("x-bintu-apikey", theirs), 404),
                (("x-bintu-apikey", "wrong"), 401),
                (("authorization", &bearer), *fine),
            ] {
                assert_eq!(scene.send(&call, &[header]).await.status.as_u16(), status, "{call} with {header:?}");
            }
        }
        // Whether there is such a stream is told to nobody who may not watch it.
        let unknown: Streamname = format!("{}-00000", scene.ours.organisation.hash).parse().unwrap();
        let call = format!("GET /live/{unknown}/thumbnail.jpg");
        assert_eq!(server.send(&call, None, "").await.error(), (403, 2001));
        let (none, token) = (scene.over_rtmp(unknown.as_str(), None).await, scene.token("organisation").await);
        expect(none, Some("no playback token was given"), "an unknown stream");
        assert_eq!(server.send(&format!("{call}?token={}", token.clone().unwrap()), None, "").await.error(), (404, 3001));
        expect(scene.over_rtmp(unknown.as_str(), token.as_deref()).await, Some("stream name unknown"), "an unknown stream");
        expect(scene.over_rtmp("AAAAA-AAAAA", None).await, Some("stream name unknown"), "no such organisation");
    })
    .await;
}

#[tokio::test]
async fn what_is_guarded_is_kept_by_no_shared_cache_and_redirects_keep_the_token() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let server = &scene.server;
        let token = scene.token("stream").await.unwrap();
        let call = scene.call("GET /vod-eu/HASH/NAME.mp4");
        let guarded = server.send(&format!("{call}?token={token}"), None, "").await;
        assert_eq!((guarded.header("cache-control"), guarded.header("access-control-allow-origin")), ("private, no-cache", "*"));
        let refused = server.send(&call, None, "").await;
        assert_eq!((refused.header("cache-control"), refused.header("access-control-allow-origin")), ("no-store", "*"));
        let elsewhere = server.send(&format!("{call}?token={token}&upto=7&download"), None, "").await;
        let location = format!("{}.mp4?token={token}&download", scene.stream.streamname);
        assert_eq!((elsewhere.status.as_u16(), elsewhere.header("location")), (307, location.as_str()));
        assert_eq!(server.send(&format!("OPTIONS {}", &call[4..]), None, "").await.status.as_u16(), 204);
    })
    .await;
}
