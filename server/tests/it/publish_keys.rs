//! Publish keys between an encoder and the air: by RTMP in both places where encoders put them, and by WHIP, the right one is let in and no other.

use std::process::Stdio;

use afterlive_domain::organisation::Settings;
use afterlive_domain::{StreamId, StreamState};
use afterlive_server::db::Raw;
use str0m::media::Direction;
use tokio::process::Command;
use tokio::time::timeout;

use crate::fixture::database::a_stream;
use crate::fixture::server::{Server, on_each_server};
use crate::rtmp::client::Client;
use crate::webhook::hook::PATIENCE;
use crate::webhook::{ALLOWED, Scene, came_to};
use crate::webrtc::client::Client as Peer;

pub const MISSING: &str =
    "a publish key is missing: copy the stream key as the stream's page shows it, with ?key= and what follows";
const LOST: &str = "the publish keys are lost: an administrator saves them anew on the organisation's page, then copy the stream key from the stream's page";
pub const WRONG: &str = "the publish key is wrong: copy the stream key anew from the stream's page";

/// A way to publish, with what stands behind the stream's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// Behind the name, as OBS sends its stream key and FFmpeg the end of its URL.
    RtmpName,
    /// Behind the application, as encoders send it that split a URL elsewhere.
    RtmpApp,
    Whip,
}

const WAYS: [Way; 3] = [Way::RtmpName, Way::RtmpApp, Way::Whip];

/// An organisation that requires keys, and asks nobody else.
async fn scene(server: Server) -> Scene {
    let scene = Scene::new(server).await;
    scene.server.service.set_webhook(&scene.tenant.admin, None).await.unwrap();
    scene.server.service.require_publish_key(&scene.tenant.admin, true, false).await.unwrap();
    scene
}

/// The pair that lets in, as the API has it.
async fn pair(scene: &Scene, stream: StreamId) -> String {
    let answer = scene.server.send(&format!("GET /stream/{stream}"), Some(&scene.tenant.user_key), "").await.ok();
    let name = answer["ingest"]["rtmp"]["streamname"].as_str().unwrap();
    name.split_once('?').expect("a key").1.to_owned()
}

async fn renew(scene: &Scene) {
    scene.server.service.renew_publish_key(&scene.tenant.admin, scene.stream.id).await.unwrap();
}

/// Tries to publish, and ends it again. Why not, in words.
async fn publish(scene: &Scene, way: Way, query: &str) -> Result<(), String> {
    let name = scene.stream.streamname.as_str();
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    if way == Way::Whip {
        let answer = scene.whip(&query).await;
        if answer.status.as_u16() != 201 {
            assert_eq!(answer.error(), (403, 2001), "{}", answer.text);
            let said = &answer.json()["error"];
            let kind = if said["message"] == MISSING { "missing" } else { "wrong" };
            assert_eq!(said["userinfo"]["publish_key"], kind);
            return Err(said["message"].as_str().unwrap().to_owned());
        }
        scene.server.send(&format!("DELETE {}", answer.header("location")), None, "").await;
    } else {
        let (app, name) = if way == Way::RtmpApp {
            (format!("live{query}"), name.to_owned())
        } else {
            ("live".into(), format!("{name}{query}"))
        };
        let (client, code, description) = timeout(PATIENCE, Client::publish(scene.rtmp, &app, &name)).await.unwrap();
        if code != ALLOWED {
            assert_eq!(code, "NetStream.Publish.BadName");
            return Err(description);
        }
        drop(client);
    }
    scene.until(StreamState::Ended).await;
    Ok(())
}

#[tokio::test]
async fn on_every_protocol_the_right_key_is_let_in_and_no_other() {
    on_each_server(async |server| {
        let scene = scene(server).await;
        let old = pair(&scene, scene.stream.id).await;
        for way in WAYS {
            assert_eq!(publish(&scene, way, &old).await, Ok(()), "{way:?}: until it is renewed");
        }
        renew(&scene).await;
        let right = pair(&scene, scene.stream.id).await;
        let beside = a_stream(&scene.server.db, &scene.tenant.organisation).await;
        let others = pair(&scene, beside.id).await;
        let missing = Err(MISSING.to_owned());
        let wrong = Err(WRONG.to_owned());
        for (query, expected) in [
            ("", &missing),
            ("passcode=7", &missing),
            (&right.replace("key=", "KEY="), &missing),
            ("key", &wrong),
            ("key=", &wrong),
            ("key=0123456789abcdef0123456789abcdef", &wrong),
            (&old, &wrong),
            (&others, &wrong),
            (&format!("key=a&{right}"), &wrong),
            (&right, &Ok(())),
            (&format!("passcode=7&{right}&key=a"), &Ok(())),
        ] {
            for way in WAYS {
                assert_eq!(publish(&scene, way, query).await, *expected, "{query} by {way:?}");
            }
        }

        scene.server.service.require_publish_key(&scene.tenant.admin, false, false).await.unwrap();
        for query in ["", "key=a", &old, &right] {
            for way in WAYS {
                assert_eq!(publish(&scene, way, query).await, Ok(()), "{query} by {way:?}, where none is required");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn who_knows_no_key_hears_nothing_of_a_stream_but_that_it_is_there() {
    on_each_server(async |server| {
        let scene = scene(server).await;
        let right = pair(&scene, scene.stream.id).await;
        let admin = &scene.tenant.admin;
        scene.server.service.lock_stream(admin, scene.stream.id).await.unwrap();
        assert_eq!(came_to(scene.publish("")).await.2, MISSING);
        assert_eq!(came_to(scene.publish("?key=a")).await.2, WRONG);
        assert_eq!(came_to(scene.publish(&format!("?{right}"))).await.2, "stream is locked");
        scene.server.service.delete_stream(admin, scene.stream.id).await.unwrap();
        assert_eq!(came_to(scene.publish(&format!("?{right}"))).await.2, "stream name unknown");
    })
    .await;
}

#[tokio::test]
async fn what_is_on_air_goes_on_whoever_tries_and_also_when_its_key_is_renewed_and_is_watched_without_one() {
    on_each_server(async |server| {
        let scene = scene(server).await;
        let public = Settings { live_public: true, ..scene.tenant.organisation.settings };
        scene.server.service.save_organisation(&scene.tenant.admin, "Chapel", public).await.unwrap();
        let right = pair(&scene, scene.stream.id).await;
        let (mut client, code, _) = came_to(scene.publish(&format!("?{right}"))).await;
        assert_eq!(code, ALLOWED);
        client.video_config().await;
        client.keyframe(0).await;
        scene.has_pictures().await;
        renew(&scene).await;
        for query in ["", "?key=a", &format!("?{right}")] {
            let expected = if query.is_empty() { MISSING } else { WRONG };
            assert_eq!(came_to(scene.publish(query)).await.2, expected);
            assert_eq!(scene.whip(query).await.json()["error"]["message"], expected);
        }
        let renewed = pair(&scene, scene.stream.id).await;
        assert_eq!(came_to(scene.publish(&format!("?{renewed}"))).await.2, "already live from another encoder");
        assert_eq!(scene.state().await, StreamState::Live);

        let name = scene.stream.streamname.as_str();
        for name in [name.to_owned(), format!("{name}?key=a")] {
            let (_viewer, code, description) = Client::play(scene.rtmp, &name, "").await;
            assert_eq!(code, "NetStream.Play.Reset", "{description}");
        }
        let offer = Peer::new(Direction::RecvOnly).await.offer;
        let sdp = [("content-type", "application/sdp")];
        let answer = scene.server.send_with(&format!("POST /live/{name}/whep"), &sdp, &offer).await;
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);

        client.keyframe(40).await;
        drop(client);
        scene.until(StreamState::Ended).await;
    })
    .await;
}

#[tokio::test]
async fn the_webhook_is_asked_of_who_has_the_key_and_is_not_told_it() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let admin = &scene.tenant.admin;
        scene.server.service.require_publish_key(admin, true, false).await.unwrap();
        let right = pair(&scene, scene.stream.id).await;
        for query in ["", "?key=a", "?passcode=7"] {
            let refused = if query == "?key=a" { WRONG } else { MISSING };
            assert_eq!(came_to(scene.publish(query)).await.2, refused);
            assert_eq!(scene.whip(query).await.json()["error"]["message"], refused);
        }
        assert!(scene.hook.is_left_alone().await, "of who is refused in any case nobody is asked");

        let publish = scene.publish(&format!("?a=1&{right}&passcode=b%26c&%6bey=x"));
        let call = scene.hook.allow().await;
        assert!(call.form.starts_with("a=1&passcode=b%26c&call=publish&name="), "{}", call.form);
        drop(came_to(publish).await.0);
        let done = scene.hook.allow().await;
        assert!(done.form.starts_with("a=1&passcode=b%26c&call=publish_done&"), "{}", done.form);
        scene.until(StreamState::Ended).await;

        // What an encoder has behind the application is handed on beside what is behind the name, in which the key may be in either.
        let name = scene.stream.streamname.as_str();
        let (named, app) = (format!("{name}?{right}"), format!("live?{right}&passcode=8"));
        for (app, name, pairs) in [
            ("live?passcode=7", named.as_str(), "passcode=7&"),
            (app.as_str(), &format!("{name}?passcode=7"), "passcode=7&passcode=8&"),
        ] {
            let publish = Client::publish(scene.rtmp, app, name);
            let (call, published) = tokio::join!(scene.hook.allow(), timeout(PATIENCE, publish));
            let (client, code, words) = published.unwrap();
            assert_eq!(code, ALLOWED, "{words}");
            assert!(call.form.starts_with(&format!("{pairs}call=publish&")), "{}", call.form);
            drop(client);
            assert_eq!(scene.hook.allow().await.field("call"), "publish_done");
            scene.until(StreamState::Ended).await;
        }

        // By the time that it is allowed another key is right.
        let publish = scene.publish(&format!("?{right}"));
        let mut call = scene.hook.call().await;
        renew(&scene).await;
        call.answer("200 OK", "").await;
        assert_eq!(came_to(publish).await.2, WRONG);
        assert_eq!(scene.hook.allow().await.field("call"), "publish_done");

        // Where none is required the name of the pair is everybody's. The stream's own, which an encoder may still have, is told to nobody.
        let right = pair(&scene, scene.stream.id).await;
        scene.server.service.require_publish_key(admin, false, false).await.unwrap();
        let publish = scene.publish(&format!("?key=theirs&{right}&passcode=7"));
        let call = scene.hook.allow().await;
        assert!(call.form.starts_with("key=theirs&passcode=7&call=publish&"), "{}", call.form);
        assert_eq!(came_to(publish).await.1, ALLOWED);
    })
    .await;
}

#[tokio::test]
async fn who_guesses_is_told_to_wait_and_keeps_nobody_out() {
    on_each_server(async |server| {
        let scene = scene(server).await;
        let right = pair(&scene, scene.stream.id).await;
        for _ in 0..30 {
            assert_eq!(came_to(scene.publish("?key=a")).await.2, WRONG);
            assert_eq!(publish(&scene, Way::Whip, "key=a").await, Err(WRONG.to_owned()));
        }
        let words = came_to(scene.publish("?key=a")).await.2;
        assert!(words.starts_with("too many wrong publish keys") && words.ends_with("try again in 6 s"), "{words}");
        let answer = scene.whip("?key=a").await;
        assert_eq!(answer.error(), (429, 1006), "{}", answer.text);
        assert_eq!((answer.header("retry-after"), answer.json()["error"]["message"].as_str()), ("6", Some(words.as_str())));
        for way in WAYS {
            assert_eq!(publish(&scene, way, &right).await, Ok(()), "from the same address by {way:?}");
        }
        scene.server.clock.advance_ms(5_000);
        assert_eq!(came_to(scene.publish("?key=a")).await.2, WRONG);
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_is_gone_lets_nobody_in_and_takes_nothing_else_down() {
    on_each_server(async |server| {
        let scene = scene(server).await;
        let right = pair(&scene, scene.stream.id).await;
        let mut tx = scene.server.db.write().await.unwrap();
        let forget = "UPDATE organisations SET publish_secret = NULL";
        match tx.raw() {
            Raw::Sqlite(c) => sqlx::query(forget).execute(c).await.map(drop).unwrap(),
            Raw::Postgres(c) => sqlx::query(forget).execute(c).await.map(drop).unwrap(),
        }
        tx.commit().await.unwrap();
        for query in ["", "?key=", &format!("?{right}")] {
            assert_eq!(came_to(scene.publish(query)).await.2, LOST);
        }
        let answer = scene.whip(&format!("?{right}")).await;
        assert_eq!((answer.error(), answer.json()["error"]["message"].as_str()), ((503, 3005), Some(LOST)));

        let admin = Some(scene.tenant.admin_key.as_str());
        let organisation = scene.server.send("GET /organisation", admin, "").await.ok();
        assert_eq!(organisation["publish_key"]["required"], true);
        let shown = scene.server.send(&format!("GET /stream/{}", scene.stream.id), admin, "").await.ok();
        assert_eq!(shown["ingest"]["rtmp"]["streamname"], scene.stream.streamname.as_str());

        scene.server.send("PUT /organisation/publish_key", admin, r#"{"required":true}"#).await.ok();
        assert_eq!(came_to(scene.publish(&format!("?{right}"))).await.2, WRONG);
        let right = pair(&scene, scene.stream.id).await;
        assert_eq!(publish(&scene, Way::RtmpName, &right).await, Ok(()));
    })
    .await;
}

#[tokio::test]
async fn ffmpeg_publishes_with_what_is_copied_and_shows_why_it_was_refused() {
    on_each_server(async |server| {
        let scene = scene(server).await;
        let server = format!("rtmp://{}/live/{}", scene.rtmp, scene.stream.streamname);
        let right = format!("?{}", pair(&scene, scene.stream.id).await);
        for (query, why_not) in [(right.as_str(), None), ("", Some(MISSING)), ("?key=a", Some(WRONG))] {
            let mut encoder = Command::new("ffmpeg");
            encoder.args(["-hide_banner", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-t", "1"]);
            encoder.args(["-c:v", "libx264", "-preset", "ultrafast", "-f", "flv"]).arg(format!("{server}{query}"));
            let output = timeout(PATIENCE, encoder.stdin(Stdio::null()).kill_on_drop(true).output()).await.unwrap().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.success(), why_not.is_none(), "{said}");
            assert!(why_not.is_none_or(|why_not| said.contains(why_not)), "{said}");
        }
    })
    .await;
}
