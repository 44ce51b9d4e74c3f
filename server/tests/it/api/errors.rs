//! What is wrong is said in the promised shape, and nothing of ours leaks.

use std::convert::Infallible;
use std::time::Duration;

use afterlive_server::http::api::openapi::DOCUMENT;
use afterlive_server::http::arrival;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use futures::{StreamExt as _, stream};
use serde_json::json;
use tower::ServiceExt as _;

use super::streams::a_stream;
use crate::fixture::contract;
use crate::fixture::server::{on_a_server, on_each_server};

#[tokio::test]
async fn each_mistake_has_its_status_code_and_userinfo() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &[]).await.to_string();
        let wrong = |parameter: &str, r#type: &str| json!({ "parameter": parameter, "type": r#type });
        let cases = [
            ("PUT /stream/ID/tag", "", 400, 1002, json!({ "required_parameter": "tags" })),
            ("PUT /stream/ID/tag", r#"{"tags":"a"}"#, 400, 1004, wrong("tags", "array of strings")),
            ("POST /stream", "[1]", 400, 1004, wrong("body", "a JSON object")),
            ("POST /stream", r#"{"type":7}"#, 400, 1004, wrong("type", "string")),
            ("POST /stream", r#"{"type":"cinema"}"#, 400, 3002, json!({ "stream_type": "cinema" })),
            ("GET /stream/ID?asset_limit=ten", "", 400, 1004, wrong("asset_limit", "integer")),
            ("GET /stream/ID?asset_limit=-1", "", 400, 1004, wrong("asset_limit", "integer")),
            ("GET /stream?quantity=1.5", "", 400, 1004, wrong("quantity", "integer")),
            ("GET /stream?state=asleep", "", 400, 1004, wrong("state", "all, created, live, ended, locked or deleted")),
            ("GET /stream?sort=size", "", 400, 1004, wrong("sort", "created, updated or name")),
            ("GET /stream?cursor=c.1.x", "", 400, 1004, wrong("cursor", "cursor from a Link header")),
            ("GET /stream?from=yesterday", "", 400, 1004, wrong("from", "RFC 3339 date and time")),
            ("GET /stream/nothing", "", 404, 3001, json!({ "stream": "nothing" })),
            (
                "DELETE /stream/5f86a12f-3801-415a-b450-6b6a46842349",
                "",
                404,
                3001,
                json!({ "stream": "5f86a12f-3801-415a-b450-6b6a46842349" }),
            ),
        ];
        for (call, body, status, code, userinfo) in cases {
            let answer = server.send(&call.replace("ID", &id), Some(&tenant.admin_key), body).await;
            assert_eq!(answer.error(), (status, code), "{call}");
            assert_eq!(answer.json()["error"]["userinfo"], userinfo, "{call}");
        }
        // Of a credential nothing is told back, however wrong it is.
        let [wrong, long] = ["0".repeat(64), "a".repeat(10_000)];
        for key in [None, Some(""), Some("nonsense"), Some(wrong.as_str()), Some(long.as_str())] {
            let answer = server.send("GET /stream", key, "").await;
            assert_eq!(answer.error(), (401, 4002), "{key:?}");
            assert_eq!(answer.json()["error"]["userinfo"], json!({ "user": null }), "{key:?}");
        }
    })
    .await;
}

/// As the router waits for 30 s, here for less.
#[tokio::test]
async fn a_body_that_does_not_come_is_an_error_of_each_call_that_takes_one_and_of_no_other() {
    on_a_server(&[], async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &[]).await.to_string();
        let mut calls = 0;
        for (template, methods) in DOCUMENT["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let takes_one = operation.get("requestBody").is_some();
                assert_eq!(operation["responses"].get("408").is_some(), takes_one, "{method} {template}");
                if !takes_one {
                    continue;
                }
                let (method, path) = (method.to_uppercase(), template.replace("{id}", &id));
                let begun = stream::iter([Ok::<_, Infallible>("{")]).chain(stream::pending());
                let request = http::Request::builder().method(method.as_str()).uri(path.as_str());
                let request = request.header("X-BINTU-APIKEY", tenant.admin_key.as_str());
                let request = request.body(Body::from_stream(begun)).unwrap();
                let answer = async |request: Request| server.router.clone().oneshot(request).await.unwrap();
                let (told, body) = arrival::in_time(Duration::from_millis(10), request, answer).await.into_parts();
                let text = String::from_utf8(to_bytes(body, 4_096).await.unwrap().to_vec()).unwrap();
                assert_eq!(told.status, 408, "{method} {path}: {text}");
                contract::hold_to(&method, &path, "", told.status, &told.headers, &text);
                calls += 1;
            }
        }
        assert!(calls > 10, "{calls}");
    })
    .await;
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_an_error_like_others() {
    on_a_server(&[], async |server| {
        for (call, other) in [("PATCH /stream", "POST"), ("DELETE /tag", "GET"), ("GET /stream/x/tag", "PUT")] {
            let answer = server.send_with(call, &[("Origin", "https://player.example.com")], "").await;
            assert_eq!(answer.error(), (405, 3014), "{call}");
            let error = &answer.json()["error"];
            assert_eq!(error["userinfo"], json!({ "method": call.split(' ').next() }), "{call}");
            assert!(error["message"].as_str().unwrap().ends_with("All calls are at /docs"), "{error}");
            assert!(answer.header("allow").contains(other), "{call}");
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{call}: errors are readable too");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_the_limit() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let body = format!("{{\"x\":\"{}\"}}", "a".repeat(64 * 1024));
        let answer = server.send("POST /stream", Some(&tenant.admin_key), &body).await;
        assert_eq!(answer.error(), (413, 1005));
        assert_eq!(answer.json()["error"]["userinfo"], json!({ "limit_bytes": 65_536 }));
    })
    .await;
}

#[tokio::test]
async fn a_failure_of_ours_names_the_request_and_nothing_else() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        server.db.close().await;
        let answer = server.send("GET /stream", Some(&tenant.admin_key), "").await;
        assert_eq!(answer.error(), (500, 9000));
        let error = answer.json();
        assert_eq!(error["error"]["userinfo"], json!({ "request_id": answer.header("x-request-id") }));
        assert_eq!(error["error"]["message"], "Internal error");
    })
    .await;
}

#[tokio::test]
async fn programs_in_browsers_may_ask_from_anywhere() {
    on_each_server(async |server| {
        let headers = [
            ("Origin", "https://player.example.com"),
            ("Access-Control-Request-Method", "PUT"),
            ("Access-Control-Request-Headers", "accept,content-type,x-bintu-apikey"),
        ];
        for path in ["/stream", "/stream/x", "/stream/x/tag", "/tag"] {
            let answer = server.send_with(&format!("OPTIONS {path}"), &headers, "").await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), "*");
            assert!(answer.header("access-control-allow-methods").contains("PUT"));
            let allowed = answer.header("access-control-allow-headers");
            assert!(["accept", "content-type", "x-bintu-apikey"].iter().all(|name| allowed.contains(name)), "{allowed}");
        }
        let headers = [("Origin", "https://player.example.com"), ("Access-Control-Request-Method", "GET")];
        for path in ["/stream/x", "/live/8sKpm-x49nB/index.m3u8", "/vod-eu/8sKpm/8sKpm-x49nB.mp4"] {
            let answer = server.send_with(&format!("OPTIONS {path}"), &headers, "").await;
            let allowed = answer.header("access-control-allow-headers").to_lowercase();
            for credential in ["x-bintu-apikey", "x-bintu-token", "authorization"] {
                assert!(allowed.contains(credential), "{path}: {allowed}");
            }
        }
        let refused = server.send_with("GET /stream", &headers[..1], "").await;
        assert_eq!(refused.header("access-control-allow-origin"), "*", "errors are readable too");
    })
    .await;
}

#[tokio::test]
async fn every_answer_says_nosniff_and_what_is_no_page_that_it_loads_nothing() {
    on_a_server(&[], async |server| {
        for call in [
            "GET /healthz",
            "GET /readyz",
            "POST /healthz",
            "GET /stream",
            "GET /live/x/ws",
            "GET /live/x/y",
            "GET /events",
            "PUT /docs",
        ] {
            let answer = server.send(call, None, "").await;
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{call}");
            assert_eq!(answer.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'", "{call}");
            assert_eq!(answer.header("referrer-policy"), "no-referrer", "{call}");
        }
        let page = server.send("GET /docs", None, "").await;
        assert!(page.header("content-security-policy").contains("style-src 'self'"), "its own");
        assert_eq!(page.header("referrer-policy"), "same-origin");
    })
    .await;
}

#[tokio::test]
async fn every_page_says_how_much_of_its_address_a_browser_may_tell() {
    on_a_server(&[], async |server| {
        let tenant = server.an_organisation().await;
        let embed = format!("/embed/{}", a_stream(&server, &tenant, &[]).await);
        let server = server.with_dashboard();
        for (path, policy) in [
            // The address has a secret in it, which is to stand in no log of a proxy for being where a request came from.
            ("/invitation/x", "strict-origin"),
            ("/password/x", "strict-origin"),
            ("/auth", "same-origin"),
            ("/no/such/page", "same-origin"),
            ("/docs", "same-origin"),
            (embed.as_str(), "same-origin"),
        ] {
            let page = server.send_with(&format!("GET {path}"), &[("Accept", "text/html")], "").await;
            assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{path}");
            assert_eq!(page.header("referrer-policy"), policy, "{path}");
        }
    })
    .await;
}
