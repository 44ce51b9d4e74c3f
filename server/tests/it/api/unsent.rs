//! Answers that nobody takes: how many there may be before others are told to come again.

use afterlive_app::backend::BackendError;
use afterlive_domain::organisation::Settings;
use afterlive_domain::stream::{MAX_TAG_CHARS, MAX_TAGS};
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::{Request, StatusCode};
use tower::ServiceExt as _;

use super::streams::a_stream;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{Server, Tenant, on_each_server};

/// What those of one organisation at one address may leave untaken.
const OF_ADDRESS: usize = 64 << 20;
/// What those without a credential may at one address.
const OF_GUESTS_ADDRESS: usize = 16 << 20;
const STREAMS: usize = 30;
const RECORDINGS: usize = 300;

async fn ask(server: &Server, path: &str, headers: &[(&str, &str)], from: [u8; 4]) -> Response {
    let mut request = Request::get(path).extension(ConnectInfo(std::net::SocketAddr::from((from, 50_000))));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

/// As one of our own pages asks for what an overview of a stream shows, with no credential.
async fn ask_function(server: &Server, body: &str, from: [u8; 4]) -> Response {
    let request = Request::post("/ui/overview").extension(ConnectInfo(std::net::SocketAddr::from((from, 50_000))));
    let request = request.header("content-type", "application/json").header("accept", "application/json");
    server.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()
}

/// Streams with as many and as long tags as there may be: each is a long answer.
async fn with_long_streams(server: &Server) -> Tenant {
    let tenant = server.an_organisation().await;
    let long = |n: usize| format!("{n}{}", "𝄞".repeat(MAX_TAG_CHARS - 2));
    let mut tags: Vec<String> = (0..MAX_TAGS - 1).map(long).collect();
    tags.push("a".to_owned());
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    for _ in 0..STREAMS {
        a_stream(server, &tenant, &tags).await;
    }
    tenant
}

/// All answers that are given before the first that is not; they are left unread.
async fn leave_unread(answer: impl AsyncFn() -> Response) -> (Vec<Response>, Response) {
    let mut unread = Vec::new();
    loop {
        let next = answer().await;
        if next.status() != StatusCode::OK {
            return (unread, next);
        }
        unread.push(next);
        assert!(unread.len() < 500, "there is an end to it");
    }
}

#[tokio::test]
async fn who_leaves_answers_unread_is_told_to_come_again_and_keeps_nobody_else_from_theirs() {
    on_each_server(async |server| {
        let tenant = with_long_streams(&server).await;
        let path = format!("/stream?tags[]=a&quantity={STREAMS}");
        let by_key = [("x-bintu-apikey", tenant.reader_key.as_str())];
        let (mut unread, refused) = leave_unread(async || ask(&server, &path, &by_key, [192, 0, 2, 1]).await).await;
        let lengths: Vec<u64> = unread.iter().map(|answer| HttpBody::size_hint(answer.body()).exact().unwrap()).collect();
        let (all, one) = (lengths.iter().sum::<u64>(), lengths[0]);
        assert!(one > 1 << 20 && all <= OF_ADDRESS as u64 && all + one > OF_ADDRESS as u64, "{all} bytes, {one} each");
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()["retry-after"], "5");
        assert!(refused.headers().contains_key("access-control-allow-origin") && !refused.headers().contains_key("etag"));
        let told = axum::body::to_bytes(refused.into_body(), 4_096).await.unwrap();
        let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(told["error"]["code"], 3005, "{told}");

        let status = async |path: &str, from: [u8; 4]| ask(&server, path, &by_key, from).await.status();
        assert_eq!(status("/organisation", [192, 0, 2, 1]).await, StatusCode::OK, "what is short is no matter");
        assert_eq!(status(&path, [192, 0, 2, 2]).await, StatusCode::OK, "another address");
        let etag = unread[0].headers()["etag"].to_str().unwrap().to_owned();
        let known = [by_key[0], ("if-none-match", etag.as_str())];
        assert_eq!(ask(&server, &path, &known, [192, 0, 2, 1]).await.status(), StatusCode::NOT_MODIFIED, "nothing is sent");
        unread.pop();
        assert_eq!(status(&path, [192, 0, 2, 1]).await, StatusCode::OK);
        drop(unread);
        assert_eq!(status(&path, [192, 0, 2, 1]).await, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn what_the_dashboards_own_questions_are_answered_is_counted_too_though_they_are_posted() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &[]).await;
        let settings = Settings { recording_enabled: true, vod_public: true, live_public: true };
        server.service.save_organisation(&tenant.admin, "Chapel", settings).await.unwrap();
        for _ in 0..RECORDINGS {
            a_finished_recording(&server.db, id).await;
        }
        let body = format!(r#"{{"stream":"{id}","recordings":"All","token":null}}"#);
        let ask = async |from: [u8; 4]| ask_function(&server, &body, from).await;
        let (unread, refused) = leave_unread(async || ask([192, 0, 2, 1]).await).await;
        let all: u64 = unread.iter().map(|answer| HttpBody::size_hint(answer.body()).exact().unwrap()).sum();
        assert!(all > OF_GUESTS_ADDRESS as u64 / 2 && all <= OF_GUESTS_ADDRESS as u64, "{all} bytes");
        assert_eq!(
            (refused.status(), &refused.headers()["retry-after"]),
            (StatusCode::SERVICE_UNAVAILABLE, &"5".parse().unwrap())
        );
        let told = axum::body::to_bytes(refused.into_body(), 4_096).await.unwrap();
        let told: BackendError = serde_json::from_slice(&told).unwrap();
        assert_eq!(told, BackendError::NotNow { retry_after_s: 5 }, "as pages read it");
        assert_eq!(ask([192, 0, 2, 2]).await.status(), StatusCode::OK, "another address");
        drop(unread);
        assert_eq!(ask([192, 0, 2, 1]).await.status(), StatusCode::OK);
    })
    .await;
}
