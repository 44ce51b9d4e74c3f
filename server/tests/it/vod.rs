//! VOD over a real router and a real socket.

mod repeats;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use afterlive_server::http::listen;
use afterlive_server::http::vod::{self, Guard, Vod};
use afterlive_server::record::Growing;
use afterlive_server::storage::{Key, RegionSettings, Regions};
use axum::Router;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::fixture::guard::Everybody;
use crate::listen::room_for;

const FILE: &str = "8sKpm/8sKpm-x49nB.mp4";

struct Server {
    address: SocketAddr,
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
}

impl Server {
    /// Serves regions `eu` at `/vod-eu`, `us` on a host of its own and `au` below a path of its own; one recording lies in each.
    async fn start() -> Self {
        Self::with(room_for(100)).await
    }

    async fn with(connections: listen::Settings) -> Self {
        Self::guarded(connections, Arc::new(Everybody)).await
    }

    async fn guarded(connections: listen::Settings, guard: Arc<dyn Guard>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            [("eu", "http://localhost:3000/vod-eu"), ("us", "https://vod-us.example.com"), ("au", "http://localhost/files/au")]
                .map(|(name, vod_url)| RegionSettings {
                    name: name.parse().unwrap(),
                    storage: folder.path().join(name),
                    vod_url: Url::parse(vod_url).unwrap(),
                });
        let regions = Regions::open(settings).unwrap();
        let bytes: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
        let key = Key::parse(FILE).unwrap();
        for region in regions.iter() {
            let path = region.path(&key);
            std::fs::create_dir_all(path.parent().unwrap().join("thumbnails")).unwrap();
            std::fs::write(&path, &bytes).unwrap();
            let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
            std::fs::write(region.path(&key.to_thumbnail()), b"jpeg").unwrap();
        }
        std::fs::write(folder.path().join("secret"), b"secret").unwrap();

        let vod = Arc::new(Vod::new(regions, &Url::parse("http://localhost:3000").unwrap(), Growing::default(), guard));
        let routes = Router::new().fallback(|| async { "dashboard" });
        let router = Router::new().fallback(async move |request| vod::before(&routes, &vod, request).await);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // Our own listener, which sends long parts of files itself.
        tokio::spawn(listen::serve(listener, router, connections, CancellationToken::new()));
        Self { address, folder, bytes }
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&'static str, &str)]) -> Response {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        Client::new().request(method, format!("http://{}{path}", self.address)).headers(map).send().await.unwrap()
    }

    async fn get(&self, path: &str, headers: &[(&'static str, &str)]) -> Response {
        self.send(Method::GET, path, headers).await
    }

    /// The whole answer to a request target that no client library would send.
    async fn raw(&self, target: &str, host: &str) -> String {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_recording_is_served_whole_with_all_that_players_and_caches_ask_for() {
    let server = Server::start().await;
    let response = server.get(&format!("/vod-eu/{FILE}"), &[("origin", "https://elsewhere.example")]).await;
    assert_eq!(response.status(), StatusCode::OK);
    for (name, value) in [
        ("content-type", "video/mp4"),
        ("content-length", "1600000"),
        ("accept-ranges", "bytes"),
        ("last-modified", "Sun, 09 Sep 2001 01:46:40 GMT"),
        ("etag", "\"3b9aca00.0-186a00\""),
        ("cache-control", "public, max-age=300"),
        ("access-control-allow-origin", "*"),
        ("content-disposition", ""),
    ] {
        assert_eq!(header(&response, name), value, "{name}");
    }
    let exposed = header(&response, "access-control-expose-headers");
    assert!(exposed.contains("Content-Range") && exposed.contains("Content-Length"), "{exposed}");
    assert_eq!(response.bytes().await.unwrap(), server.bytes);

    let poster = server.get("/vod-eu/8sKpm/thumbnails/8sKpm-x49nB.jpg", &[]).await;
    assert_eq!((poster.status(), header(&poster, "content-type")), (StatusCode::OK, "image/jpeg"));
}

#[tokio::test]
async fn a_young_recording_is_asked_for_each_time_as_its_encoder_may_come_back_and_go_on_in_it() {
    let server = Server::start().await;
    let write_at = |region, time| {
        let path = server.folder.path().join(region).join(FILE);
        std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    write_at("eu", SystemTime::now());
    let young = server.get(&format!("/vod-eu/{FILE}"), &[]).await;
    assert_eq!(header(&young, "cache-control"), "public, no-cache");
    let asked = server.get(&format!("/vod-eu/{FILE}"), &[("if-none-match", header(&young, "etag"))]).await;
    assert_eq!((asked.status(), header(&asked, "cache-control")), (StatusCode::NOT_MODIFIED, "public, no-cache"));

    // After the longest reconnect window it can only be deleted.
    write_at("au", SystemTime::now() - Duration::from_secs(2 * 3_600));
    let range = server.get(&format!("/files/au/{FILE}"), &[("range", "bytes=0-9")]).await;
    assert_eq!((range.status(), header(&range, "cache-control")), (StatusCode::PARTIAL_CONTENT, "public, max-age=300"));
}

#[tokio::test]
async fn ranges_are_answered_with_the_bytes_they_name() {
    let server = Server::start().await;
    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=100-299999", 100..300_000),
        ("bytes=1599999-", 1_599_999..1_600_000),
        ("bytes=-1000", 1_599_000..1_600_000),
        ("bytes=1000-9999999", 1_000..1_600_000),
    ] {
        let response = server.get(&format!("/vod-eu/{FILE}"), &[("range", range)]).await;
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(header(&response, "content-range"), format!("bytes {}-{}/1600000", part.start, part.end - 1));
        assert_eq!(header(&response, "content-length"), part.len().to_string());
        assert_eq!(response.bytes().await.unwrap(), server.bytes[part]);
    }
    let response = server.get(&format!("/vod-eu/{FILE}"), &[("range", "bytes=1600000-")]).await;
    assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header(&response, "content-range"), "bytes */1600000");
    // Several ranges: the whole file, which RFC 9110 §14.2 allows.
    let response = server.get(&format!("/vod-eu/{FILE}"), &[("range", "bytes=0-0,5-6")]).await;
    assert_eq!((response.status(), header(&response, "content-length")), (StatusCode::OK, "1600000"));
}

/// Long parts go by another way than short ones: neither may overtake the other, however slowly the client reads.
#[tokio::test]
async fn answers_asked_for_at_once_come_one_after_the_other() {
    let server = Server::start().await;
    let size = server.bytes.len();
    let ranges = [0..size, 7..1_007, 3..size - 5, size - 20..size, 0..size, 1..200_001];
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    for range in &ranges {
        let (first, last) = (range.start, range.end - 1);
        let request = format!("GET /vod-eu/{FILE} HTTP/1.1\r\nHost: x\r\nRange: bytes={first}-{last}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
    }
    let mut socket = tokio::io::BufReader::with_capacity(1_000, socket);
    for range in ranges {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            assert_ne!(socket.read_line(&mut line).await.unwrap(), 0, "closed early");
        }
        let mut part = vec![0; range.len()];
        socket.read_exact(&mut part).await.unwrap();
        assert!(part == server.bytes[range.clone()], "{range:?}");
    }
}

#[tokio::test]
async fn a_file_that_ends_too_early_breaks_the_connection_off() {
    // More than sockets hold: most of it is still to be sent when its first bytes are there.
    const BYTES: u64 = 64 << 20;
    let server = Server::start().await;
    let path = server.folder.path().join("eu").join(FILE);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_len(BYTES).unwrap();
    let mut answer = server.get(&format!("/vod-eu/{FILE}"), &[]).await;
    assert_eq!((answer.status(), answer.content_length()), (StatusCode::OK, Some(BYTES)));
    assert!(!answer.chunk().await.unwrap().unwrap().is_empty());
    file.set_len(1_200_000).unwrap();
    assert!(answer.bytes().await.is_err());
}

#[tokio::test]
async fn conditions_decide_between_nothing_a_part_and_the_whole() {
    let server = Server::start().await;
    let path = format!("/vod-eu/{FILE}");
    let etag = "\"3b9aca00.0-186a00\"";
    let date = "Sun, 09 Sep 2001 01:46:40 GMT";
    for (headers, status) in [
        (vec![("if-none-match", etag)], StatusCode::NOT_MODIFIED),
        (vec![("if-modified-since", date)], StatusCode::NOT_MODIFIED),
        (vec![("if-match", "\"other\"")], StatusCode::PRECONDITION_FAILED),
        (vec![("range", "bytes=0-9"), ("if-range", etag)], StatusCode::PARTIAL_CONTENT),
        (vec![("range", "bytes=0-9"), ("if-range", date)], StatusCode::PARTIAL_CONTENT),
        (vec![("range", "bytes=0-9"), ("if-range", "\"other\"")], StatusCode::OK),
        (vec![("range", "bytes=9999999-"), ("if-range", "\"other\"")], StatusCode::OK),
    ] {
        let response = server.get(&path, &headers).await;
        assert_eq!(response.status(), status, "{headers:?}");
        if status == StatusCode::NOT_MODIFIED {
            assert_eq!(header(&response, "etag"), etag);
            assert!(response.bytes().await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn head_preflight_download_and_other_methods() {
    let server = Server::start().await;
    let path = format!("/vod-eu/{FILE}");
    let response = server.send(Method::HEAD, &path, &[]).await;
    assert_eq!((response.status(), header(&response, "content-length")), (StatusCode::OK, "1600000"));
    assert!(response.bytes().await.unwrap().is_empty());
    let response = server.send(Method::HEAD, &path, &[("range", "bytes=0-9")]).await;
    assert_eq!((response.status(), header(&response, "content-length")), (StatusCode::OK, "1600000"), "ranges are GET's alone");

    for query in ["?download", "?a=b&download=1"] {
        let response = server.get(&format!("{path}{query}"), &[]).await;
        assert_eq!(header(&response, "content-disposition"), "attachment; filename=\"8sKpm-x49nB.mp4\"");
    }
    let preflight = [("origin", "https://elsewhere.example"), ("access-control-request-headers", "range")];
    let response = server.send(Method::OPTIONS, &path, &preflight).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert!(header(&response, "access-control-allow-headers").contains("Range"));
    let response = server.send(Method::DELETE, &path, &[]).await;
    assert_eq!((response.status(), header(&response, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn regions_are_reached_by_path_and_by_host() {
    let server = Server::start().await;
    for (target, host, found) in [
        (format!("/vod-eu/{FILE}"), "localhost:3000", true),
        (format!("/vod-us/{FILE}"), "localhost:3000", true),
        (format!("/{FILE}"), "vod-us.example.com", true),
        (format!("/{FILE}"), "VOD-US.example.com:443", true),
        (format!("/files/au/{FILE}"), "localhost", true),
        (format!("/vod-au/{FILE}"), "localhost", true),
        ("/8sKpm/8sKpm-00000.mp4".into(), "vod-us.example.com", false),
        ("/stream".into(), "vod-us.example.com", false),
        ("/vod-eu".into(), "localhost", false),
        ("/vod-eu/".into(), "localhost", false),
    ] {
        let answer = server.raw(&target, host).await;
        let status = if found { "HTTP/1.1 200" } else { "HTTP/1.1 404" };
        assert!(answer.starts_with(status), "{host} {target}: {}", answer.lines().next().unwrap_or_default());
    }
    for (target, host) in [(format!("/{FILE}"), "localhost"), ("/vod-zz/x".into(), "localhost"), ("/vod-eux".into(), "localhost")]
    {
        assert!(server.raw(&target, host).await.ends_with("dashboard"), "{host} {target}");
    }
}

#[tokio::test]
async fn nothing_outside_the_keys_is_reached_in_any_encoding() {
    let server = Server::start().await;
    std::fs::create_dir_all(server.folder.path().join("eu/.bin/8sKpm")).unwrap();
    std::fs::write(server.folder.path().join("eu/.bin").join(FILE), b"secret").unwrap();
    for path in [
        "../secret",
        "..%2fsecret",
        "%2e%2e/secret",
        "%2e%2e%2fsecret",
        "%252e%252e%252fsecret",
        "..%5csecret",
        "..\\secret",
        "..%c0%afsecret",
        "..;/secret",
        "8sKpm/../../secret",
        "8sKpm/%2e%2e/%2e%2e/secret",
        "8sKpm/..%2f..%2fsecret",
        "8sKpm/8sKpm-x49nB.mp4/../../../secret",
        "8sKpm/8sKpm-x49nB.mp4%00",
        "8sKpm/8sKpm-x49nB.mp4/",
        "8sKpm//8sKpm-x49nB.mp4",
        "/8sKpm/8sKpm-x49nB.mp4",
        "./8sKpm/8sKpm-x49nB.mp4",
        ".bin/8sKpm/8sKpm-x49nB.mp4",
        "%2ebin/8sKpm/8sKpm-x49nB.mp4",
        ".spool/lock",
        "8sKpm",
        "8sKpm/thumbnails",
    ] {
        let answer = server.raw(&format!("/vod-eu/{path}"), "localhost").await;
        assert!(answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
        assert!(!answer.contains("secret"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_viewer_that_takes_nothing_of_a_long_answer_is_cut_and_its_place_is_anothers() {
    const REQUESTS: usize = 8;
    let server = Server::with(listen::Settings { stalled_after: Duration::from_millis(50), ..room_for(1) }).await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stalled = socket.connect(server.address).await.unwrap();
    let request = format!("GET /vod-eu/{FILE} HTTP/1.1\r\nHost: x\r\n\r\n");
    stalled.write_all(request.repeat(REQUESTS).as_bytes()).await.unwrap();
    // There is one place.
    assert_eq!(server.get(&format!("/vod-eu/{FILE}"), &[]).await.bytes().await.unwrap(), server.bytes);
    let mut taken = Vec::new();
    // The end may be a reset.
    let _ = stalled.read_to_end(&mut taken).await;
    assert!(taken.len() < REQUESTS * server.bytes.len(), "{}", taken.len());
}
