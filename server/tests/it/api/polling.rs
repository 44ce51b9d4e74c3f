//! What programs ask for again and again.

use afterlive_domain::organisation::Settings;
use serde_json::json;

use super::streams::a_stream;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{Answer, on_each_server};

#[tokio::test]
async fn who_has_the_answer_already_is_told_so_and_nothing_else() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server, &tenant, &["a"]).await;
        let asset = a_finished_recording(server.service.db(), stream).await.id;
        let calls = [
            "/stream".to_owned(),
            format!("/stream/{stream}"),
            format!("/stream/{stream}/group"),
            "/stream/public?tags[]=a".to_owned(),
            "/asset".to_owned(),
            format!("/asset/{asset}"),
            "/tag".to_owned(),
            "/organisation".to_owned(),
            "/openapi.json".to_owned(),
        ];
        for path in &calls {
            let get = async |etag: Option<&str>| {
                let mut headers = vec![("X-BINTU-APIKEY", tenant.reader_key.as_str()), ("Origin", "https://example.com")];
                headers.extend(etag.map(|etag| ("If-None-Match", etag)));
                server.send_with(&format!("GET {path}"), &headers, "").await
            };
            let first = get(None).await;
            first.ok();
            let etag = first.header("etag").to_owned();
            for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
                let again = get(Some(&known)).await;
                assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{path} {known}");
                for name in ["etag", "cache-control", "vary", "access-control-allow-origin", "access-control-expose-headers"] {
                    assert_eq!(values(&again, name), values(&first, name), "{path} {name}");
                }
                assert!(!again.headers.contains_key("content-type"), "{path}");
            }
            assert_eq!(get(Some("\"other\"")).await.text, first.text, "{path}");
            assert_eq!(first.header("cache-control"), "no-store", "{path}: it can have keys in it");
            let varies = values(&first, "vary").join(",");
            for name in ["accept", "authorization", "cookie", "x-bintu-apikey", "x-bintu-playerkey", "x-bintu-token"] {
                assert!(varies.contains(name), "{path}: {varies}");
            }
            let exposed = first.header("access-control-expose-headers").to_lowercase();
            assert!(exposed.contains("etag") && exposed.contains("link"), "{exposed}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_everybody_sees_a_browser_keeps_and_asks_again() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let public = Settings { recording_enabled: true, vod_public: true, live_public: true };
        server.service.save_organisation(&tenant.admin, "Chapel", public).await.unwrap();
        let stream = a_stream(&server, &tenant, &["a"]).await;
        let path = format!("GET /stream/{stream}");
        let readers = server.send(&path, Some(&tenant.reader_key), "").await;
        for path in [path.as_str(), "GET /openapi.json"] {
            let first = server.send(path, None, "").await;
            first.ok();
            assert_eq!(first.header("cache-control"), "private, no-cache", "{path}");
            let again = server.send_with(path, &[("If-None-Match", first.header("etag"))], "").await;
            assert_eq!((again.status.as_u16(), again.header("cache-control")), (304, "private, no-cache"), "{path}");
            let of_a_reader = server.send_with(path, &[("If-None-Match", readers.header("etag"))], "").await;
            assert_eq!(of_a_reader.status, 200, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_has_changed_and_what_another_may_see_is_answered() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let stream = a_stream(&server, &ours, &["a"]).await;
        let path = format!("GET /stream/{stream}");
        let ask =
            async |key: &str, etag: &str| server.send_with(&path, &[("X-BINTU-APIKEY", key), ("If-None-Match", etag)], "").await;
        let url = json!({ "url": "rtmp://live.example.com/app/key" }).to_string();
        server.send(&format!("PUT /stream/{stream}/push_url"), Some(&ours.admin_key), &url).await.ok();
        let seen_by_admin = server.send(&path, Some(&ours.admin_key), "").await.header("etag").to_owned();
        assert_eq!(ask(&ours.admin_key, &seen_by_admin).await.status, 304);
        // A reader is not shown where it is pushed to.
        let seen_by_reader = ask(&ours.reader_key, &seen_by_admin).await;
        seen_by_reader.ok();
        assert_eq!(ask(&theirs.admin_key, &seen_by_admin).await.error(), (404, 3001));
        assert_eq!(ask(&theirs.admin_key, "*").await.error(), (404, 3001));
        assert_eq!(ask("none", "*").await.error(), (401, 4002));

        server.send(&format!("PUT /stream/{stream}/tag"), Some(&ours.admin_key), r#"{"tags":["b"]}"#).await.ok();
        assert_eq!(ask(&ours.admin_key, &seen_by_admin).await.ok()["tags"], json!(["b"]));
    })
    .await;
}

#[tokio::test]
async fn a_page_that_is_known_still_says_where_the_next_one_is() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        for _ in 0..2 {
            a_stream(&server, &tenant, &[]).await;
        }
        let call = "GET /stream?quantity=1";
        let first = server.send(call, Some(&tenant.reader_key), "").await;
        let known = [("X-BINTU-APIKEY", tenant.reader_key.as_str()), ("If-None-Match", first.header("etag"))];
        let again = server.send_with(call, &known, "").await;
        assert_eq!(again.status, 304);
        assert_eq!(again.header("link"), first.header("link"));
        let head = server.send_with("HEAD /stream?quantity=1", &known[..1], "").await;
        assert_eq!((head.status.as_u16(), head.header("etag")), (200, first.header("etag")));
    })
    .await;
}

#[tokio::test]
async fn what_is_asked_for_seldom_is_kept_by_nobody() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        for call in ["GET /organisation/apikey", "GET /user", "POST /stream"] {
            let answer = server.send(call, Some(&tenant.admin_key), "").await;
            answer.ok();
            assert_eq!(answer.header("cache-control"), "no-store", "{call}");
        }
        let refused = server.send("GET /stream", None, "").await;
        assert_eq!((refused.error(), refused.header("cache-control")), ((401, 4002), "no-store"));
    })
    .await;
}

fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    answer.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}
