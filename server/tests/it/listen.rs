//! The HTTP listener on real sockets: its limit, and how it comes to an end.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use afterlive_server::address::{Networks, network};
use afterlive_server::http::arrival;
use afterlive_server::http::listen::{MAX_HEADER_BYTES, Settings, serve};
use afterlive_server::http::unsent::{Pace, Unsent, in_memory};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

struct Running {
    address: std::net::SocketAddr,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

/// So many connections, of which one address may have all and wait for more, and nobody is cut.
pub fn room_for(max_connections: usize) -> Settings {
    Settings {
        max_connections,
        max_connections_per_address: usize::MAX,
        trusted_proxies: Networks::default(),
        stalled_after: Duration::from_hours(1),
        header_timeout: Duration::from_hours(1),
    }
}

async fn start(router: Router, settings: Settings) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let server = tokio::spawn(serve(listener, router, settings, stop.clone()));
    Running { address, stop, server }
}

async fn ask(stream: &mut TcpStream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
}

/// Reads up to the end of a body that is `done`.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"done") {
        assert_ne!(stream.read_buf(&mut text).await.unwrap(), 0, "closed early");
    }
    String::from_utf8(text).unwrap()
}

/// Sent a request of which the rest never comes.
async fn with_half(running: &Running, half: &str) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(half.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn who_comes_when_all_places_are_taken_has_that_of_who_was_waited_for_longest() {
    let in_time = tower::service_fn(|request: Request| async {
        let answer = async |request: Request| {
            let body = axum::body::to_bytes(request.into_body(), 1_024).await;
            body.map_or_else(|_| "cut".into_response(), |_| "done".into_response())
        };
        Ok::<_, Infallible>(arrival::in_time(Duration::from_hours(1), request, answer).await)
    });
    let running = start(Router::new().fallback_service(in_time), room_for(3)).await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    ask(&mut idle, "/").await;
    answer(&mut idle).await;
    let half_a_head = with_half(&running, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: lo").await;
    let half_a_body = with_half(&running, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf").await;
    // Each newcomer is answered, and then idle for less long than those before.
    let mut newcomers = Vec::new();
    for mut gone in [idle, half_a_head, half_a_body] {
        let mut newcomer = TcpStream::connect(running.address).await.unwrap();
        ask(&mut newcomer, "/").await;
        assert!(answer(&mut newcomer).await.starts_with("HTTP/1.1 200 "));
        newcomers.push(newcomer);
        let mut rest = String::new();
        gone.read_to_string(&mut rest).await.unwrap();
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408 "), "{rest}");
    }
    // They have their places still.
    for mut newcomer in newcomers {
        ask(&mut newcomer, "/").await;
        assert!(answer(&mut newcomer).await.starts_with("HTTP/1.1 200 "));
    }
}

#[tokio::test]
async fn who_comes_when_all_are_being_answered_waits_for_a_place() {
    let running = start(an_endless_one(), room_for(2)).await;
    let mut answered = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        ask(&mut stream, "/endless").await;
        stream.read_exact(&mut [0; 1_024]).await.unwrap();
        answered.push(stream);
    }
    let mut third = TcpStream::connect(running.address).await.unwrap();
    ask(&mut third, "/").await;
    let mut byte = [0];
    assert!(tokio::time::timeout(Duration::from_millis(250), third.read(&mut byte)).await.is_err(), "was served");
    for stream in &mut answered {
        stream.read_exact(&mut [0; 1_024]).await.expect("nobody who is being answered is sent away");
    }
    drop(answered.pop());
    answer(&mut third).await;
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_when_that_is_known() {
    let running = start(Router::new().route("/", get(async || "done")), room_for(1)).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let begin = "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ";
    let head = format!("{begin}{}", "a".repeat(MAX_HEADER_BYTES - begin.len()));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
}

/// What one end of a way takes for the rest of a request, and the other for the next one (RFC 9112, 11.2).
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn a_request_whose_end_can_be_read_in_two_ways_is_the_last_of_its_connection() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let handler = {
        let asked = Arc::clone(&asked);
        async move |request: Request| {
            asked.lock().unwrap().push(request.uri().path().to_owned());
            let body = axum::body::to_bytes(request.into_body(), 1_024).await.unwrap();
            format!("{} bytes, done", body.len())
        }
    };
    let running = start(Router::new().fallback(handler), room_for(10)).await;
    let length = format!("Content-Length: {}", 5 + SMUGGLED.len());
    let (refused, taken) = ("HTTP/1.1 400 ", "HTTP/1.1 200 ");
    for (headers, body, answer) in [
        // In pieces it is over at once; by the length all that follows would be its body.
        (format!("{length}\r\nTransfer-Encoding: chunked"), "0\r\n\r\n", taken),
        (format!("Transfer-Encoding: chunked\r\n{length}"), "0\r\n\r\n", taken),
        (format!("{length}\r\nTransfer-Encoding: xchunked"), "0\r\n\r\n", refused),
        (format!("{length}\r\nTransfer-Encoding: chunked, identity"), "0\r\n\r\n", refused),
        (format!("{length}\r\nTransfer-Encoding : chunked"), "0\r\n\r\n", refused),
        (format!("{length}\r\n Transfer-Encoding: chunked"), "0\r\n\r\n", refused),
        (format!("{length}\r\nContent-Length: 3"), "abc", refused),
        ("Content-Length: 3, 4".to_owned(), "abc", refused),
        ("Content-Length: +3".to_owned(), "abc", refused),
        ("Content-Length: 0x3".to_owned(), "abc", refused),
    ] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let both = format!("POST /first HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n{body}{SMUGGLED}");
        stream.write_all(both.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        // To the end, which may be a reset.
        let _ = stream.read_to_end(&mut text).await;
        let text = String::from_utf8_lossy(&text);
        assert!(text.starts_with(answer) && text.matches("HTTP/1.1 ").count() == 1, "{headers}: {text}");
    }
    assert_eq!(*asked.lock().unwrap(), ["/first", "/first"], "what is refused is not answered either");
}

/// How long the connection was left open on which the rest of a head comes a letter at a time, and whatever was answered.
async fn trickle(address: std::net::SocketAddr, begin: &str) -> (Duration, Vec<u8>) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(begin.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        match timeout(Duration::from_millis(10), stream.read_buf(&mut answer)).await {
            // That it has been closed is seen when there is something to read.
            Err(_) => drop(stream.write_all(b"a").await),
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) => return (begun.elapsed(), answer),
        }
        assert!(begun.elapsed() < LONG_ENOUGH, "each letter gains time: {}", String::from_utf8_lossy(&answer));
    }
}

/// Until what ends in some tenths of a second has ended on a busy machine too.
const LONG_ENOUGH: Duration = Duration::from_secs(20);

#[tokio::test]
async fn who_trickles_a_head_in_is_cut_off_when_its_time_is_over_and_not_before() {
    let header_timeout = Duration::from_millis(200);
    let router = Router::new().route("/", get(async || "done"));
    let running = start(router, Settings { header_timeout, ..room_for(10) }).await;
    // From its first letter on, within its headers, and the same on a thread that sends recordings.
    for begin in ["", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", "GET /a.mp4 HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let (left_open, answer) = trickle(running.address, begin).await;
        assert!(left_open >= header_timeout, "{begin:?}: {left_open:?}");
        assert!(answer.is_empty(), "{begin:?}: {}", String::from_utf8_lossy(&answer));
    }
    // The same goes for who says nothing, at first or after an answer.
    let silent = TcpStream::connect(running.address).await.unwrap();
    let mut answered = TcpStream::connect(running.address).await.unwrap();
    ask(&mut answered, "/").await;
    assert!(answer(&mut answered).await.starts_with("HTTP/1.1 200 "));
    for mut stream in [silent, answered] {
        let closed = timeout(LONG_ENOUGH, stream.read(&mut [0])).await.expect("it is closed");
        assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    }
}

#[tokio::test]
async fn who_trickles_a_body_in_is_told_so_and_gives_its_place_back() {
    let routes = Router::new().route("/", post(async |body: Bytes| format!("{} bytes, done", body.len())));
    let in_time = tower::service_fn(move |request: Request| {
        let answer = {
            let routes = routes.clone();
            async move |request| routes.oneshot(request).await.unwrap()
        };
        async move { Ok::<_, Infallible>(arrival::in_time(Duration::from_millis(50), request, answer).await) }
    });
    let running = start(Router::new().fallback_service(in_time), room_for(1)).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("\"code\":1004"), "{text}");
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").await.unwrap();
    assert!(answer(&mut stream).await.contains("3 bytes"));
}

#[tokio::test]
async fn a_stop_answers_what_runs_and_closes_what_idles() {
    let (entered, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let handler = {
        let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
        move || async move {
            entered.add_permits(1);
            leave.notified().await;
            "done"
        }
    };
    let running = start(Router::new().route("/slow", get(handler)).route("/", get(async || "done")), room_for(10)).await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    ask(&mut idle, "/").await;
    answer(&mut idle).await;
    let mut busy = TcpStream::connect(running.address).await.unwrap();
    ask(&mut busy, "/slow").await;
    entered.acquire().await.unwrap().forget();

    running.stop.cancel();
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0, "an idle connection is closed");
    leave.notify_one();
    assert!(answer(&mut busy).await.starts_with("HTTP/1.1 200"));
    running.server.await.unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

/// A response without end, and a router beside it that answers at once.
pub fn an_endless_one() -> Router {
    let endless = async || {
        let chunk = Ok::<_, Infallible>(Bytes::from_static(&[0; 64 * 1024]));
        Body::from_stream(futures::stream::repeat(chunk))
    };
    Router::new().route("/endless", get(endless)).route("/", get(async || "done"))
}

#[tokio::test]
async fn who_takes_nothing_of_a_response_does_not_keep_its_place() {
    let running = start(an_endless_one(), Settings { stalled_after: Duration::from_millis(50), ..room_for(2) }).await;
    let mut stalled = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        ask(&mut stream, "/endless").await;
        stalled.push(stream);
    }
    // Both have been cut when there are places for two more: one that still is read from would never end.
    let mut others = Vec::new();
    for _ in 0..2 {
        let mut other = TcpStream::connect(running.address).await.unwrap();
        ask(&mut other, "/").await;
        answer(&mut other).await;
        others.push(other);
    }
    let mut rest = Vec::new();
    for stream in &mut stalled {
        // To its end, which an endless response has only where it was cut.
        let _ = stream.read_to_end(&mut rest).await;
    }
}

#[tokio::test]
async fn a_stream_of_events_may_be_silent_for_as_long_as_it_likes() {
    let (send, events) = tokio::sync::mpsc::channel::<Result<Bytes, Infallible>>(1);
    let events = Arc::new(Mutex::new(Some(events)));
    let handler = async move || {
        let events = events.lock().unwrap().take().unwrap();
        Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(events))
    };
    let router = Router::new().route("/events", get(handler)).route("/", get(async || "done"));
    let running = start(router, Settings { stalled_after: Duration::ZERO, ..room_for(10) }).await;
    let mut listener = TcpStream::connect(running.address).await.unwrap();
    ask(&mut listener, "/events").await;
    for _ in 0..3 {
        send.send(Ok(Bytes::from_static(b"done"))).await.unwrap();
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).contains("done") {
            assert_ne!(listener.read_buf(&mut text).await.unwrap(), 0, "was cut");
        }
        let mut other = TcpStream::connect(running.address).await.unwrap();
        ask(&mut other, "/").await;
        answer(&mut other).await;
    }
}

/// Whether a new connection is answered rather than closed.
async fn is_served(running: &Running) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    // Closed by then, or reset, or answered.
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut text = Vec::new();
    while !text.ends_with(b"done") {
        if stream.read_buf(&mut text).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(stream)
}

#[tokio::test]
async fn one_address_never_has_all_places_unless_it_is_a_trusted_proxy() {
    let settings = Settings { max_connections_per_address: 2, ..room_for(10) };
    let running = start(an_endless_one(), settings.clone()).await;
    let mut held = vec![is_served(&running).await.unwrap(), is_served(&running).await.unwrap()];
    assert!(is_served(&running).await.is_none(), "has two already");
    held.pop();
    // As soon as the server has seen that one is gone.
    while is_served(&running).await.is_none() {}

    let behind_a_proxy =
        start(an_endless_one(), Settings { trusted_proxies: network("127.0.0.0/8").into_iter().collect(), ..settings }).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(is_served(&behind_a_proxy).await.unwrap());
    }
}

#[tokio::test]
async fn who_takes_a_long_answer_too_slowly_is_cut_however_little_at_a_time_they_take_of_it() {
    // More than the kernel keeps.
    const BYTES: usize = 64 << 20;
    for (within, has_all) in [(Duration::ZERO, false), (Duration::from_hours(1), true)] {
        let unsent = Unsent::new(BYTES, Pace { within, bytes_a_second: usize::MAX });
        let service = tower::service_fn(move |request: Request| {
            let unsent = unsent.clone();
            async move {
                let answer = async |_| in_memory(Body::from(vec![b'x'; BYTES]).into_response());
                Ok::<_, Infallible>(unsent.within(request, answer).await)
            }
        });
        let running = start(Router::new().fallback_service(service), room_for(1)).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let (mut taken, mut buffer) = (0, vec![0; 64 << 10]);
        // One that is cut may be told so by a reset.
        while let Ok(more @ 1..) = stream.read(&mut buffer).await {
            taken += more;
        }
        assert_eq!(taken > BYTES, has_all, "{taken}");
        assert!(taken > 0);
        // The place is free again.
        let mut next = TcpStream::connect(running.address).await.unwrap();
        ask(&mut next, "/").await;
        assert_ne!(next.read(&mut buffer).await.unwrap(), 0);
    }
}
