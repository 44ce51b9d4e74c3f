//! How much of something there may be, how a browser asks first, and pages that stand while streams come and go.

use afterlive_domain::stream::{MAX_TAG_CHARS, MAX_TAGS};
use afterlive_server::http::listen::{MAX_HEADER_BYTES, MAX_HEADERS, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::streams::a_stream;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{Answer, Server, Tenant, on_a_server, on_each_server};
use crate::listen::room_for;

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
async fn a_head_may_have_so_many_bytes_and_headers_and_no_more() {
    const BEGIN: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    const LONG: &str = "X-Long: ";
    // What docs and the API's document say.
    assert_eq!((MAX_HEADER_BYTES, MAX_HEADERS), (65_536, 100));
    on_a_server(&[], async |server| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, server.router.clone(), room_for(10), server.stop.clone()));
        let ask = async |head: String| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let headers = |count: usize| format!("{BEGIN}{}\r\n", "X-Many: a\r\n".repeat(count - 2));
        let bytes = |count: usize, end: &str| {
            let rest = count - BEGIN.len() - LONG.len() - end.len();
            format!("{BEGIN}{LONG}{}{end}", "a".repeat(rest))
        };
        for most in [headers(MAX_HEADERS), bytes(MAX_HEADER_BYTES, "\r\n\r\n")] {
            let answer = ask(most).await;
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok\n"), "{answer}");
        }
        // Of the long one so much has come, and its end has not.
        for more in [headers(MAX_HEADERS + 1), bytes(MAX_HEADER_BYTES, "")] {
            let answer = ask(more).await;
            assert!(answer.starts_with("HTTP/1.1 431 ") && answer.ends_with("\r\n\r\n"), "without a body: {answer}");
        }
        server.stop.cancel();
        serving.await.unwrap();
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
        next = next_page(&answer);
        a_stream(server, tenant, &["a"]).await;
        server.clock.advance_ms(1_000);
    }
    seen
}

fn next_page(answer: &Answer) -> Option<String> {
    let link = answer.headers.get("link").map(|link| link.to_str().unwrap().to_owned());
    link.map(|link| link.split_once("http://localhost:3000").unwrap().1.split_once('>').unwrap().0.to_owned())
}

/// Twelve streams, of which three each were made at once, and four each were changed at once: those that were made last are those that were changed first.
async fn a_dozen(server: &Server, tenant: &Tenant) {
    let mut streams = Vec::new();
    for number in 0..12 {
        if number % 3 == 0 {
            server.clock.advance_ms(1_000);
        }
        streams.push(a_stream(server, tenant, &["a"]).await);
    }
    for at_once in streams.chunks(4).rev() {
        server.clock.advance_ms(1_000);
        for id in at_once {
            server.send(&format!("PUT /stream/{id}/tag"), Some(&tenant.user_key), r#"{"tags":["a","b"]}"#).await.ok();
        }
    }
}

/// By what they are sorted, and how many of these there are: whether they are in that order.
fn assert_in_order(sort: &str, streams: &Value, different: usize) {
    let key = |stream: &Value| {
        let key = match sort {
            "created" => &stream["created_at"],
            "updated" => &stream["updated_at"],
            _ => &stream["ingest"]["rtmp"]["streamname"],
        };
        key.as_str().unwrap().to_owned()
    };
    let keys: Vec<String> = streams.as_array().unwrap().iter().map(key).collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    if sort != "name" {
        sorted.reverse();
    }
    assert_eq!(keys, sorted, "{sort}");
    sorted.dedup();
    assert_eq!(sorted.len(), different, "{sort}");
}

#[tokio::test]
async fn pages_of_each_order_have_each_stream_once_whatever_is_made_and_deleted_and_however_alike_they_are() {
    on_each_server(async |server| {
        for path in ["/stream?", "/stream?tags[]=a&", "/stream/public?tags[]=a&"] {
            for (sort, different) in [("created", 4), ("updated", 3), ("name", 12)] {
                let tenant = server.an_organisation().await;
                a_dozen(&server, &tenant).await;
                let case = format!("{path}sort={sort}");
                let ask = async |path: &str| server.send(&format!("GET {path}"), Some(&tenant.reader_key), "").await;
                let delete =
                    async |id: &str| server.send(&format!("DELETE /stream/{id}"), Some(&tenant.admin_key), "").await.ok();
                let whole = ask(&format!("{case}&quantity=50")).await.ok();
                // Players are told of no ingest.
                if !path.starts_with("/stream/public") {
                    assert_in_order(sort, &whole, different);
                }
                let mut expected = ids(&whole);
                let before = expected.clone();
                let (mut seen, mut next) = (Vec::new(), Some(format!("{case}&quantity=2")));
                while let Some(page) = next {
                    let page = ask(&page).await;
                    next = next_page(&page);
                    seen.extend(ids(&page.ok()));
                    // Before the next one: another stream is there, and gone are that behind which it begins and that with which it would.
                    server.clock.advance_ms(1_000);
                    a_stream(&server, &tenant, &["a"]).await;
                    let gone = expected.iter().find(|id| !seen.contains(id)).cloned();
                    if let (Some(last), Some(gone)) = (seen.last(), gone) {
                        delete(last).await;
                        delete(&gone).await;
                        expected.retain(|id| *id != gone);
                    }
                }
                assert!(expected.len() < before.len(), "{case}: some were gone before they were reached");
                if sort == "name" {
                    // What is made may be anywhere.
                    let mut once = seen.clone();
                    once.sort_unstable();
                    once.dedup();
                    assert_eq!(once.len(), seen.len(), "{case}: each once");
                    seen.retain(|id| before.contains(id));
                }
                assert_eq!(seen, expected, "{case}");
            }
        }
    })
    .await;
}

fn ids(page: &Value) -> Vec<String> {
    page.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}
