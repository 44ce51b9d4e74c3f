//! How much of something there may be, how a browser asks first, and pages that stand while streams come and go.

use afterlive_domain::stream::{MAX_TAG_CHARS, MAX_TAGS};
use serde_json::{Value, json};

use super::streams::a_stream;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{Server, Tenant, on_each_server};

#[tokio::test]
async fn more_or_longer_tags_than_a_stream_may_have_are_refused_and_as_many_are_not() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &[]).await;
        let many = |count: usize| json!({ "tags": (0..count).map(|n| n.to_string()).collect::<Vec<_>>() }).to_string();
        let long = |chars: usize| json!({ "tags": ["ä".repeat(chars)] }).to_string();
        for call in ["POST /stream".to_owned(), format!("PUT /stream/{id}/tag")] {
            let send = async |body: String| server.send(&call, Some(&tenant.user_key), &body).await;
            assert_eq!(send(many(MAX_TAGS)).await.ok()["tags"].as_array().unwrap().len(), MAX_TAGS);
            send(long(MAX_TAG_CHARS)).await.ok();
            for bad in [many(MAX_TAGS + 1), long(MAX_TAG_CHARS + 1), json!({ "tags": ["a\u{7}"] }).to_string()] {
                let refused = send(bad).await;
                assert_eq!(refused.error(), (400, 1004), "{call}");
                assert_eq!(refused.json()["error"]["userinfo"]["parameter"], "tags", "{call}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_query_has_its_limits() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        a_stream(&server, &tenant, &["a"]).await;
        let ask = async |call: String| server.send(&call, Some(&tenant.reader_key), "").await;
        for path in ["/stream", "/stream/public", "/asset"] {
            ask(format!("GET {path}?{}", "tags[]=a&".repeat(10))).await.ok();
            let refused = ask(format!("GET {path}?{}", "tags[]=a&".repeat(11))).await;
            assert_eq!(refused.error(), (400, 1004), "{path}");
            assert_eq!(refused.json()["error"]["userinfo"]["parameter"], "tags", "{path}");
            // More than a page can have is as good as the most, and a long text to search for finds nothing.
            ask(format!("GET {path}?quantity=99999999999999999999")).await.ok();
            assert_eq!(ask(format!("GET {path}?q={}", "a".repeat(10_000))).await.ok(), json!([]), "{path}");
            let cursor = ask(format!("GET {path}?cursor={}", "c".repeat(10_000))).await;
            assert_eq!(cursor.error(), (400, 1004), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_of_a_call_may_be_so_long_and_no_longer() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &[]).await;
        let body = |bytes: usize| format!("{{\"x\":\"{}\"}}", "a".repeat(bytes - 8));
        for call in [
            "POST /stream".to_owned(),
            format!("PUT /stream/{id}/tag"),
            "POST /token/verify".to_owned(),
            "POST /organisation/apikey".to_owned(),
            "POST /apikey".to_owned(),
            "POST /user/validate".to_owned(),
        ] {
            let refused = server.send(&call, Some(&tenant.admin_key), &body(64 * 1024 + 1)).await;
            assert_eq!(refused.error(), (413, 1005), "{call}");
            assert_eq!(refused.json()["error"]["userinfo"], json!({ "limit_bytes": 65_536 }), "{call}");
            assert_ne!(server.send(&call, Some(&tenant.admin_key), &body(64 * 1024)).await.status, 413, "{call}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_browser_may_send_what_the_original_sdk_sends() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &["title:Sunday service", "b"]).await;
        // Its headers stand on each request, on GET too.
        let sent = [
            ("Origin", "https://player.example.com"),
            ("Accept", "application/json"),
            ("Content-Type", "application/json"),
            ("X-BINTU-APIKEY", tenant.admin_key.as_str()),
        ];
        for (method, path) in [
            ("GET", "/stream?tags[]=title:Sunday%20service&tags[]=b&state=created".to_owned()),
            ("GET", "/stream?tags[0]=title:Sunday%20service&tags[1]=b".to_owned()),
            ("GET", format!("/stream/{id}")),
            ("POST", "/stream".to_owned()),
            ("PUT", format!("/stream/{id}/tag")),
            ("DELETE", format!("/stream/{id}")),
        ] {
            let preflight = [
                ("Origin", "https://player.example.com"),
                ("Access-Control-Request-Method", method),
                ("Access-Control-Request-Headers", "content-type,if-none-match,x-bintu-apikey"),
            ];
            let allowed = server.send_with(&format!("OPTIONS {path}"), &preflight, "").await;
            assert_eq!(allowed.status, 200, "{path}");
            assert!(allowed.header("access-control-allow-methods").contains(method), "{path}");
            let headers = allowed.header("access-control-allow-headers").to_lowercase();
            for name in ["content-type", "if-none-match", "x-bintu-apikey"] {
                assert!(headers.contains(name), "{path}: {headers}");
            }
            let body = if method == "PUT" { r#"{"tags":["b"]}"# } else { "" };
            let answer = server.send_with(&format!("{method} {path}"), &sent, body).await;
            answer.ok();
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
            if path.contains("tags[") {
                assert_eq!(answer.json()[0]["id"], id.to_string(), "{path}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn pages_stand_still_while_streams_come_and_go() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let mut streams = Vec::new();
        for _ in 0..6 {
            streams.insert(0, a_stream(&server, &tenant, &["a"]).await);
            server.clock.advance_ms(1_000);
        }
        let mut assets = Vec::new();
        for stream in &streams {
            assets.push(a_finished_recording(server.service.db(), *stream).await.id.to_string());
        }
        assets.sort_unstable();
        let streams: Vec<String> = streams.iter().map(ToString::to_string).collect();
        for path in ["/stream?tags[]=a&quantity=2", "/stream/public?tags[]=a&quantity=2"] {
            let before = ids(&server
                .send(&format!("GET {}", path.replace("quantity=2", "quantity=50")), Some(&tenant.reader_key), "")
                .await
                .ok());
            assert!(before.ends_with(&streams), "{path}");
            // One more is made before each page is turned.
            assert_eq!(turn_pages(&server, &tenant, path).await, before, "{path}");
        }
        let mut seen = turn_pages(&server, &tenant, "/asset?quantity=2").await;
        seen.sort_unstable();
        assert_eq!(seen, assets);
    })
    .await;
}

async fn turn_pages(server: &Server, tenant: &Tenant, path: &str) -> Vec<String> {
    let mut seen = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let answer = server.send(&format!("GET {path}"), Some(&tenant.reader_key), "").await;
        seen.extend(ids(&answer.ok()));
        let link = answer.headers.get("link").map(|link| link.to_str().unwrap().to_owned());
        next = link.map(|link| link.split_once("http://localhost:3000").unwrap().1.split_once('>').unwrap().0.to_owned());
        a_stream(server, tenant, &["a"]).await;
        server.clock.advance_ms(1_000);
    }
    seen
}

fn ids(page: &Value) -> Vec<String> {
    page.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}
