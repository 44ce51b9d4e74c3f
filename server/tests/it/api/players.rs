//! What is open without a key: one stream as players see it, its events where the organisation says so, and pages for browsers.

use afterlive_domain::EventKind;
use afterlive_domain::organisation::Settings;
use afterlive_server::service::Opens;
use axum::body::Body;
use futures::StreamExt as _;
use http::Request;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::streams::a_stream;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{PAGE, Server, on_each_server};
use crate::playback::go_live;
use crate::webhook::hook::PATIENCE;

#[tokio::test]
async fn recordings_are_listed_newest_first_up_to_the_limit() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &[]).await;
        for _ in 0..3 {
            a_finished_recording(&server.db, id).await;
        }
        let stream =
            async |query: &str| server.send(&format!("GET /stream/{id}{query}"), Some(&tenant.reader_key), "").await.ok();
        let name = stream("").await["ingest"]["rtmp"]["streamname"].as_str().unwrap().to_owned();
        let urls = async |query: &str| {
            let web = stream(query).await["playout"]["web"].as_array().unwrap().clone();
            assert_eq!(web[0]["type"], "live");
            web[1..].iter().map(|entry| entry["url"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let url = |file: String| format!("http://localhost:3000/vod-eu/{}/{file}.mp4", tenant.organisation.hash);
        let all = [url(format!("{name}-3")), url(format!("{name}-2")), url(name.clone())];
        assert_eq!(urls("").await, all);
        assert_eq!(urls("?asset_limit=10").await, all);
        assert_eq!(urls("?asset_limit=2").await, all[..2]);
        assert_eq!(urls("?asset_limit=0").await, [""; 0]);
        assert_eq!(urls("?asset_limit=99999999999").await, all);

        let newest = &stream("?asset_limit=1").await["playout"]["web"][1];
        let mut keys: Vec<&String> = newest.as_object().unwrap().keys().collect();
        keys.sort();
        let expected = [
            "audio_codec",
            "createdAt",
            "duration_ms",
            "height",
            "id",
            "index",
            "region",
            "size_bytes",
            "state",
            "storyboard",
            "streamId",
            "thumbnail",
            "type",
            "url",
            "video_codec",
            "width",
        ];
        assert_eq!(keys, expected);
        assert_eq!((&newest["type"], &newest["index"], &newest["state"]), (&json!("vod"), &json!(3), &json!("ready")));
        assert_eq!(server.send("GET /stream", Some(&tenant.reader_key), "").await.ok()[0], stream("").await);
    })
    .await;
}

#[tokio::test]
async fn without_a_key_there_is_no_way_to_publish_and_recordings_only_where_they_are_public() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &["a"]).await;
        a_finished_recording(&server.db, id).await;
        let keyless = async || server.send(&format!("GET /stream/{id}"), None, "").await;
        assert_eq!(keyless().await.error(), (403, 2001));
        let live = Settings { recording_enabled: true, vod_public: false, live_public: true };
        server.service.save_organisation(&tenant.admin, "Chapel", live).await.unwrap();
        let private = keyless().await.ok();
        assert_eq!(private.get("ingest"), None);
        assert_eq!(private["playout"]["web"].as_array().unwrap().len(), 1);
        assert_eq!(private["playout"]["web"][0].get("pushUrl"), None);
        assert_eq!(private["playout"]["thumbnails"], json!([]));
        assert_eq!(private["playout"]["rtmp"][0]["url"], "rtmp://localhost:1935/play");

        let settings = Settings { recording_enabled: true, vod_public: true, live_public: true };
        server.service.save_organisation(&tenant.admin, "Chapel", settings).await.unwrap();
        let public = keyless().await;
        assert_eq!(public.ok()["playout"]["web"][1]["type"], "vod");
        assert!(!public.text.contains("ingest") && !public.text.contains("pushUrl"));

        server.service.delete_stream(&tenant.admin, id).await.unwrap();
        assert_eq!(keyless().await.error(), (404, 3001));
    })
    .await;
}

#[tokio::test]
async fn figures_of_what_is_live_are_for_who_may_watch_it() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &["a"]).await;
        let stream = server.service.stream(&tenant.admin, id).await.unwrap();
        let (_publisher, _feed) = go_live(&server, &stream).await;
        let key = server.service.create_api_key(&tenant.admin, "Website", Opens::Playout, None).await.unwrap().secret;
        let made = server.send("POST /token/playback", Some(&tenant.admin_key), r#"{"expires_in_s":600}"#).await.ok();
        let with_token = format!("?token={}", made["token"].as_str().unwrap());
        let info = |stream: &Value| stream["playout"]["h5live"][0]["info"].clone();
        let ask = async |call: &str| server.send_with(call, &[("X-BINTU-PLAYERKEY", &key)], "").await.ok();
        let one = async |query: &str| info(&ask(&format!("GET /stream/{id}{query}")).await);
        let listed = async || info(&ask("GET /stream/public?tags[]=a").await[0]);

        let figures = json!({ "width": 320, "height": 180, "bitrate": 1_120, "fps": 20.0 });
        assert_eq!((one("").await, listed().await), (json!({}), json!({})));
        assert_eq!(one(&with_token).await, figures);
        let own = server.send(&format!("GET /stream/{id}"), Some(&tenant.reader_key), "").await.ok();
        assert_eq!(info(&own), figures);
        let public = Settings { recording_enabled: true, vod_public: false, live_public: true };
        server.service.save_organisation(&tenant.admin, "Chapel", public).await.unwrap();
        assert_eq!((one("").await, listed().await), (figures.clone(), figures));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_stream_takes_its_recordings_with_it() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &[]).await;
        a_finished_recording(&server.db, id).await;
        server.send(&format!("DELETE /stream/{id}"), Some(&tenant.admin_key), "").await.ok();
        let stream = server.send(&format!("GET /stream/{id}"), Some(&tenant.admin_key), "").await.ok();
        assert_eq!((&stream["state"], stream["playout"]["web"].as_array().unwrap().len()), (&json!("deleted"), 1));
    })
    .await;
}

#[tokio::test]
async fn a_browser_gets_pages_where_a_program_gets_the_api() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &[]).await;
        let html = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        for path in ["/stream", "/stream/create", &format!("/stream/{id}"), "/organisation"] {
            let call = format!("GET {path}");
            assert_eq!(server.send_with(&call, &[html], "").await.text, PAGE, "{path}");
            let program = server.send_with(&call, &[html, ("X-BINTU-APIKEY", &tenant.reader_key)], "").await;
            assert_ne!(program.text, PAGE, "{path}");
        }
        assert_eq!(server.send_with("GET /auth", &[html], "").await.text, PAGE);
        assert_eq!(server.send("GET /healthz", None, "").await.text, "ok\n");
        assert_eq!(
            server.send("GET /readyz", None, "").await.ok(),
            json!({ "ready": true, "problems": [], "recordings_to_finish": 0 })
        );
        // A region's folder is gone, as an unmounted disk's.
        std::fs::remove_dir_all(server.folder.path().join("vod/us")).unwrap();
        // An answer is shared for a second; what comes after it is new.
        let answer = loop {
            let answer = server.send("GET /readyz", None, "").await;
            if answer.status != 200 {
                break answer;
            }
        };
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["problems"]),
            (503, &json!(["the storage of region us cannot be used"]))
        );
    })
    .await;
}

/// The event stream's lines as they come, from the point at which it is open.
async fn listen(server: &Server, path: &str, cookie: &str) -> Result<impl futures::Stream<Item = String> + Unpin + use<>, u16> {
    let request = Request::get(path).header("cookie", cookie).body(Body::empty()).unwrap();
    let response = server.router.clone().oneshot(request).await.unwrap();
    if response.status() != 200 {
        return Err(response.status().as_u16());
    }
    let mut chunks = response.into_body().into_data_stream().map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap());
    assert_eq!(chunks.next().await.unwrap(), "event: resync\ndata: {}\n\n");
    Ok(chunks)
}

#[tokio::test]
async fn who_is_signed_in_hears_what_happens_in_the_organisation_and_nowhere_else() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let email = format!("{}@example.com", ours.organisation.hash);
        let user = server
            .service
            .add_user(&ours.admin, &email, "correct horse battery", afterlive_domain::Role::ReadOnly)
            .await
            .unwrap();
        let signed_in = server.send(&format!("GET /sign-in/{}", user.id), None, "").await;
        let cookie = signed_in.header("set-cookie").to_owned();
        assert!(
            cookie.starts_with("afterlive_session=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
            "{cookie}"
        );

        let mut heard = listen(&server, "/events", cookie.split(';').next().unwrap()).await.unwrap();
        a_stream(&server, &theirs, &[]).await;
        let id = a_stream(&server, &ours, &[]).await;
        let message = heard.next().await.unwrap();
        assert!(message.contains("\"kind\":\"stream.created\"") && message.contains(&id.to_string()), "{message}");

        server.stop.cancel();
        assert_eq!(heard.next().await, None, "ends with the server");
    })
    .await;
}

#[tokio::test]
async fn from_outside_nothing_is_heard_of_recordings_that_are_guarded() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &[]).await;
        for vod_public in [false, true] {
            let settings = Settings { recording_enabled: true, vod_public, live_public: true };
            server.service.save_organisation(&tenant.admin, "Chapel", settings).await.unwrap();
            let mut heard = listen(&server, &format!("/events?stream={id}"), "").await.unwrap();
            let asset = a_finished_recording(&server.db, id).await.id;
            server.service.delete_asset(&tenant.admin, asset).await.unwrap();
            // Of a stream of which nothing is being recorded, though it should be.
            let mut tx = server.db.write().await.unwrap();
            tx.emit_stream(EventKind::AssetStalled, tenant.organisation.id, id, server.clock.now());
            tx.commit().await.unwrap();
            server.service.lock_stream(&tenant.admin, id).await.unwrap();
            server.service.unlock_stream(&tenant.admin, id).await.unwrap();
            let mut told = Vec::new();
            while told.last().is_none_or(|message: &String| !message.contains("stream.changed")) {
                told.push(heard.next().await.unwrap());
            }
            let of_recordings = told.iter().filter(|message| message.contains("\"kind\":\"asset.")).count();
            assert_eq!(of_recordings, if vod_public { 4 } else { 0 }, "{told:?}");
            assert_eq!(told.iter().any(|message| message.contains(&asset.to_string())), vod_public, "{told:?}");
            assert!(told.iter().any(|message| message.contains("stream.live")), "{told:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_hears_of_a_stream_asks_anew_when_its_recordings_are_guarded() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &[]).await;
        let settings = |vod_public| Settings { recording_enabled: true, vod_public, live_public: true };
        server.service.save_organisation(&tenant.admin, "Chapel", settings(true)).await.unwrap();
        let mut heard = listen(&server, &format!("/events?stream={id}"), "").await.unwrap();
        server.service.save_organisation(&tenant.admin, "Chapel", settings(false)).await.unwrap();
        assert_eq!(timeout(PATIENCE, heard.next()).await.expect("it ends"), None);
    })
    .await;
}

#[tokio::test]
async fn from_outside_only_a_public_streams_events_are_heard() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (id, other) = (a_stream(&server, &tenant, &[]).await, a_stream(&server, &tenant, &[]).await);
        assert_eq!(listen(&server, "/events", "").await.err(), Some(401));
        assert_eq!(listen(&server, &format!("/events?stream={id}"), "").await.err(), Some(404));
        assert_eq!(listen(&server, "/events?stream=x", "").await.err(), Some(404));

        let settings = Settings { recording_enabled: true, vod_public: true, live_public: true };
        server.service.save_organisation(&tenant.admin, "Chapel", settings).await.unwrap();
        let mut heard = listen(&server, &format!("/events?stream={id}"), "").await.unwrap();
        for stream in [other, id] {
            server.service.lock_stream(&tenant.admin, stream).await.unwrap();
        }
        let message = heard.next().await.unwrap();
        assert!(message.contains(&id.to_string()) && !message.contains(&other.to_string()), "{message}");
    })
    .await;
}
