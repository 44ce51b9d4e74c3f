//! TLS as the listener for HTTP speaks it, and as the real binary does.

mod acme;
mod program;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use afterlive_server::clock::Clock;
use afterlive_server::config::Config;
use afterlive_server::http::listen::{Places, Settings, serve_in};
use afterlive_server::http::secure::{Policy, Way, secured};
use afterlive_server::tls::{Acceptor, Certificate, Files};
use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::version;
use tokio_util::sync::CancellationToken;

use crate::fixture::certificate::{Pair, PairFiles, Secure};
use crate::listen::room_for;

/// What one address may have of handshakes.
const HANDSHAKES_OF_ONE: usize = 64;

struct Listening {
    address: SocketAddr,
    pair: Pair,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
    _files: PairFiles,
}

/// A listener that answers `done`, for handshakes of such patience.
async fn listening(settings: &Settings, patience: Duration) -> Listening {
    let pair = Pair::new(&["localhost"]);
    let files = PairFiles::new(&pair);
    let named = Files { certificate: files.certificate(), key: files.key() };
    let certificate = Certificate::open(named, Vec::new(), Clock::system()).unwrap();
    let acceptor = Acceptor::new(&certificate, &["http/1.1"])
        .unwrap()
        .with_patience(patience)
        .with_room(4 * HANDSHAKES_OF_ONE, HANDSHAKES_OF_ONE);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let router = Router::new().route("/", get(async || "done"));
    let server = tokio::spawn(serve_in(Places::new(settings), listener, Some(acceptor), router, stop.clone()));
    Listening { address, pair, stop, server, _files: files }
}

const LONG: Duration = Duration::from_hours(1);

/// To the end, which may be a reset.
async fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    rest
}

#[tokio::test]
async fn http_is_spoken_over_both_versions_and_a_connection_is_kept() {
    let running = listening(&room_for(10), LONG).await;
    for version in [&version::TLS12, &version::TLS13] {
        let mut client = Secure::connect_with(running.address, &running.pair.certificate, &[version]).await.unwrap();
        for _ in 0..2 {
            let answer = client.send("GET /", &[], "").await;
            assert_eq!((answer.status, answer.body.as_slice()), (200, &b"done"[..]));
        }
        assert_eq!(client.0.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

#[tokio::test]
async fn an_older_version_is_refused_in_the_protocols_own_words() {
    let running = listening(&room_for(10), LONG).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    // A hello of TLS 1.1: a version, a random number, no session, two suites, no compression, and how it could be signed.
    let hello =
        [&[3, 2][..], &[7; 32], &[0], &[0, 4, 0xc0, 0x13, 0x00, 0x2f], &[1, 0], &[0, 8, 0, 13, 0, 4, 0, 2, 4, 3]].concat();
    let length = u8::try_from(hello.len()).unwrap();
    stream.write_all(&[&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat()).await.unwrap();
    let alert = rest_of(&mut stream).await;
    // A fatal alert: protocol_version, or that there is nothing in common.
    assert!(matches!(alert[..], [0x15, _, _, _, _, 2, 70 | 40]), "{alert:?}");
}

#[tokio::test]
async fn who_speaks_http_without_tls_is_told_in_a_sentence() {
    let running = listening(&room_for(10), LONG).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    assert!(
        told.starts_with("HTTP/1.1 400 Bad Request\r\n")
            && told.ends_with("This port speaks HTTPS: the address begins with https://\n"),
        "{told}"
    );
}

#[tokio::test]
async fn who_comes_without_tls_is_led_to_it_and_browsers_are_told_to_come_by_it() {
    let settings = [
        ("AFTERLIVE__TLS__CERTIFICATE", "a"),
        ("AFTERLIVE__TLS__KEY", "b"),
        ("AFTERLIVE__HTTP__PUBLIC_URL", "https://live.example.com"),
    ];
    let config = Config::from_sources(None, settings.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let policy = Arc::new(Policy::from(&config));
    let serving = async |way| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/a", get(async || "done")).route("/healthz", get(async || "well"));
        let service = secured(router, &policy, way);
        tokio::spawn(serve_in(Places::new(&room_for(10)), listener, None, service, CancellationToken::new()));
        format!("http://{address}")
    };
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let header =
        |answer: &reqwest::Response, name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());

    let plain = serving(Way::Plain).await;
    let led = client.post(format!("{plain}/a?x=1")).body("x").send().await.unwrap();
    assert_eq!(led.status(), 308);
    assert_eq!(header(&led, "location").as_deref(), Some("https://live.example.com/a?x=1"));
    assert_eq!(header(&led, "strict-transport-security"), None, "nobody may say so without TLS");
    assert_eq!(client.get(format!("{plain}/healthz")).send().await.unwrap().status(), 200);

    let secure = serving(Way::Tls).await;
    let answered = client.get(format!("{secure}/a")).send().await.unwrap();
    assert_eq!(
        (answered.status().as_u16(), header(&answered, "strict-transport-security").as_deref()),
        (200, Some("max-age=31536000"))
    );
}

#[tokio::test]
async fn those_who_only_begin_a_handshake_keep_nobody_out() {
    let running = listening(&room_for(4 * HANDSHAKES_OF_ONE), LONG).await;
    let mut silent = Vec::new();
    for _ in 0..2 * HANDSHAKES_OF_ONE {
        silent.push(TcpStream::connect(running.address).await.unwrap());
    }
    // The first of them have made room for the last.
    for stream in &mut silent[..HANDSHAKES_OF_ONE] {
        assert!(rest_of(stream).await.is_empty());
    }
    let mut client = Secure::connect(running.address, &running.pair.certificate).await.unwrap();
    assert_eq!(client.send("GET /", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_given_up_and_its_place_is_free() {
    let running = listening(&room_for(1), Duration::from_millis(200)).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut slow = TcpStream::connect(running.address).await.unwrap();
    slow.write_all(&[0x16, 3, 1]).await.unwrap();
    // On a busy machine a good one may be too slow as well.
    let mut client = loop {
        if let Ok(client) = Secure::connect(running.address, &running.pair.certificate).await {
            break client;
        }
    };
    assert!(rest_of(&mut silent).await.is_empty() && rest_of(&mut slow).await.is_empty());
    assert_eq!(client.send("GET /", &[], "").await.status, 200);
}

#[tokio::test]
async fn who_takes_nothing_of_a_response_is_cut_over_tls_too() {
    let pair = Pair::new(&["localhost"]);
    let files = PairFiles::new(&pair);
    let certificate =
        Certificate::open(Files { certificate: files.certificate(), key: files.key() }, Vec::new(), Clock::system()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let places = Places::new(&Settings { stalled_after: Duration::from_millis(50), ..room_for(1) });
    let acceptor = Acceptor::new(&certificate, &["http/1.1"]).unwrap();
    tokio::spawn(serve_in(places, listener, Some(acceptor), crate::listen::an_endless_one(), CancellationToken::new()));
    let mut stalled = Secure::connect(address, &pair.certificate).await.unwrap();
    stalled.0.write_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut other = Secure::connect(address, &pair.certificate).await.unwrap();
    other.0.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_ne!(other.0.read(&mut [0]).await.unwrap(), 0, "has the one place there is");
}

#[tokio::test]
async fn a_head_that_does_not_come_is_waited_for_no_longer_over_tls() {
    let running = listening(&Settings { header_timeout: Duration::from_millis(200), ..room_for(10) }, LONG).await;
    let mut client = Secure::connect(running.address, &running.pair.certificate).await.unwrap();
    client.0.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: lo").await.unwrap();
    let mut told = Vec::new();
    // To its end, or a reset.
    let _ = tokio::time::timeout(Duration::from_secs(20), client.0.read_to_end(&mut told)).await.expect("it is cut off");
    assert!(told.is_empty(), "{}", String::from_utf8_lossy(&told));
}

#[tokio::test]
async fn a_stop_closes_what_idles_and_what_has_not_begun() {
    let running = listening(&room_for(10), LONG).await;
    let mut idle = Secure::connect(running.address, &running.pair.certificate).await.unwrap();
    idle.send("GET /", &[], "").await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    running.stop.cancel();
    running.server.await.unwrap();
    assert_eq!(idle.0.read(&mut [0]).await.unwrap(), 0, "with the good-bye of TLS");
    assert!(rest_of(&mut silent).await.is_empty());
}
