//! hyper on a connection that answers repeats, against hyper on one that does not.

mod ahead;
mod on_sender;

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body as AxumBody;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, RANGE, TRANSFER_ENCODING};
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::http::listen::idle::IdleTimer;
use crate::http::listen::waiting::Waiting;

const IDLE: Duration = Duration::from_secs(30);

/// Numbers, of which pieces are sent.
#[derive(Debug)]
struct Numbers {
    bytes: Vec<u8>,
    is_same: AtomicBool,
    is_at_hand: AtomicBool,
    /// How often the service was asked.
    asked: AtomicUsize,
}

impl Numbers {
    fn new(count: usize) -> Arc<Self> {
        let (is_same, is_at_hand) = (AtomicBool::new(true), AtomicBool::new(true));
        Arc::new(Self {
            bytes: (0..count).map(|n| (n * 7 % 251) as u8).collect(),
            is_same,
            is_at_hand,
            asked: AtomicUsize::new(0),
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// As a service would, by the `Range` alone.
    fn answer(self: &Arc<Self>, request: &Request<Incoming>) -> Response<AxumBody> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let plain = |text: String| Response::new(AxumBody::from(text));
        if request.uri().path() != "/numbers" {
            return plain(format!("{} {}", request.method(), request.uri()));
        }
        let range = request.headers().get(RANGE).and_then(|value| value.to_str().ok());
        let Some((piece, whole)) = range.and_then(|range| parse(range, self.bytes.len())) else {
            return plain(format!("no piece: {range:?}"));
        };
        let (start, end) = (piece.start as usize, piece.end as usize);
        let mut response = Response::new(AxumBody::from(self.bytes[start..end].to_vec()));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/numbers"));
        headers.insert(CONTENT_RANGE, format!("bytes {start}-{}/{whole}", end - 1).parse().unwrap());
        for cookie in ["a", "b"] {
            headers.append("x-twice", HeaderValue::from_static(cookie));
        }
        response.extensions_mut().insert(PieceOf(Arc::clone(self) as _));
        response
    }
}

fn parse(range: &str, size: usize) -> Option<(Range<u64>, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < size).then_some((first as u64..last as u64 + 1, size as u64))
}

impl Ranged for Numbers {
    fn piece(&self, range: &str) -> Option<(Range<u64>, u64)> {
        parse(range, self.bytes.len()).filter(|_| self.is_same.load(Ordering::Relaxed))
    }

    fn file(&self) -> Option<Arc<dyn Sendable>> {
        None
    }

    fn read(&self, start: u64, buffer: &mut [u8]) -> bool {
        buffer.copy_from_slice(&self.bytes[start as usize..][..buffer.len()]);
        self.is_at_hand.load(Ordering::Relaxed)
    }
}

/// A head without what is each answer's own, in order, and a body.
type Answer = (Vec<String>, Vec<u8>);

/// The client's end of a connection, of which so many bytes are under way at the most.
struct Client {
    stream: DuplexStream,
    unread: Vec<u8>,
    repeats: Repeats,
    stop: CancellationToken,
    /// How often hyper was polled.
    polled: Arc<AtomicUsize>,
}

fn connect(numbers: &Arc<Numbers>, room: usize, answers_repeats: bool) -> Client {
    connect_for(numbers, room, answers_repeats, IDLE)
}

/// The same where it may stand idle for so long.
fn connect_for(numbers: &Arc<Numbers>, room: usize, answers_repeats: bool, idle: Duration) -> Client {
    let (client, server) = duplex(room);
    let (numbers, repeats, stop) = (Arc::clone(numbers), Repeats::default(), CancellationToken::new());
    let timer = IdleTimer::new(idle, repeats.clone(), Waiting::default());
    let own = repeats.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = own.outgoing(numbers.answer(&request), Asked::new(&request));
        async { Ok::<_, Infallible>(answer) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(timer).header_read_timeout(idle);
    let stopped = stop.clone();
    let mut repeating = Repeating::new(TokioIo::new(server), repeats.clone());
    if !answers_repeats {
        repeating.given = Given::Much;
    }
    let stream = Shared::new(repeating);
    let ahead = stream.clone();
    let polled = Arc::<AtomicUsize>::default();
    let polls = Arc::clone(&polled);
    tokio::spawn(ahead.serve_ahead(async move {
        let mut connection = std::pin::pin!(builder.serve_connection(stream, service));
        let polled_connection = poll_fn(|context| {
            polls.fetch_add(1, Ordering::Relaxed);
            connection.as_mut().poll(context)
        });
        let ended = tokio::select! {
            biased;
            ended = polled_connection => Some(ended),
            () = stopped.cancelled() => None,
        };
        if ended.is_none() {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }));
    Client { stream: client, unread: Vec::new(), repeats, stop, polled }
}

impl Client {
    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// `None` where the connection has ended.
    async fn answer(&mut self) -> Option<Answer> {
        self.answer_to(true).await
    }

    async fn answer_to(&mut self, has_body: bool) -> Option<Answer> {
        let end = loop {
            if let Some(end) = end_of_head(&self.unread) {
                break end;
            }
            if self.stream.read_buf(&mut self.unread).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let own = |line: &&str| ["date:", "x-request-id:"].iter().all(|name| !line.starts_with(name));
        let mut lines: Vec<_> = head.trim_end().split("\r\n").filter(own).map(str::to_owned).collect();
        lines.sort();
        let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse::<usize>().unwrap();
        let length = if has_body { length } else { 0 };
        while self.unread.len() < length {
            assert_ne!(self.stream.read_buf(&mut self.unread).await.unwrap(), 0, "ends within a body");
        }
        Some((lines, self.unread.drain(..length).collect()))
    }

    async fn ask(&mut self, text: &str) -> Answer {
        self.send(text).await;
        self.answer().await.unwrap()
    }
}

fn piece(first: usize, last: usize) -> String {
    format!("GET /numbers HTTP/1.1\r\nHost: x\r\nRange: bytes={first}-{last}\r\nAccept: */*\r\n\r\n")
}

#[tokio::test]
async fn further_pieces_are_answered_as_the_first_and_nobody_is_asked() {
    let numbers = Numbers::new(100_000);
    let mut client = connect(&numbers, 1 << 20, true);
    let mut other = connect(&numbers, 1 << 20, false);
    for (first, last) in [(0, 9), (10, 99_999), (7, 7), (50_000, 60_000)] {
        let (head, body) = client.ask(&piece(first, last)).await;
        assert_eq!(body, numbers.bytes[first..=last]);
        assert_eq!((head, body), other.ask(&piece(first, last)).await);
    }
    assert_eq!(numbers.asked(), 1 + 4);
    client.send(&piece(1, 2)).await;
    let mut text = vec![0; 1_000];
    let read = client.stream.read(&mut text).await.unwrap();
    let text = String::from_utf8_lossy(&text[..read]).into_owned();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    assert!(httpdate::parse_http_date(&value("date: ").unwrap()).is_ok());
    assert_eq!(value("x-request-id: ").unwrap().len(), 32);
}

#[tokio::test]
async fn what_would_be_answered_otherwise_is_asked_anew() {
    let numbers = Numbers::new(1_000_000);
    let mut client = connect(&numbers, 1 << 20, true);
    client.ask(&piece(0, 9)).await;
    for (n, text) in [
        piece(0, 9).replace("/numbers", "/numbers?x"),
        piece(0, 9).replace("Accept", "Accep"),
        piece(0, 9).replace("Accept: */*", "Accept: */*\r\nRange: bytes=1-2"),
        piece(0, 9).replace("bytes=0-9", "bytes=0-9\r\nX: y"),
        piece(0, 9).replace("bytes=0-9", "bytes=0-1, 3-4"),
        piece(0, 9).replace("bytes=0-9", "bytes=9-0"),
        piece(0, 9).replace("GET", "PUT"),
        piece(0, MAX_PIECE_BYTES as usize),
    ]
    .iter()
    .enumerate()
    {
        let before = numbers.asked();
        client.ask(text).await;
        assert_eq!(numbers.asked(), before + 1, "{n}");
        client.ask(&piece(3, 4)).await;
        let before = numbers.asked();
        client.ask(&piece(5, 6)).await;
        assert_eq!(numbers.asked(), before, "after {n}");
    }
    for switch in [&numbers.is_same, &numbers.is_at_hand] {
        let before = numbers.asked();
        switch.store(false, Ordering::Relaxed);
        assert_eq!(client.ask(&piece(3, 4)).await.1, numbers.bytes[3..=4]);
        assert_eq!(client.ask(&piece(3, 4)).await.1, numbers.bytes[3..=4]);
        assert_eq!(numbers.asked(), before + 2);
        switch.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_body_that_looks_like_a_request_is_no_request() {
    let numbers = Numbers::new(1_000);
    let inner = piece(0, 9);
    for framing in [format!("Content-Length: {}", inner.len()), TRANSFER_ENCODING.as_str().to_owned() + ": chunked"] {
        let mut client = connect(&numbers, 1 << 20, true);
        let head = inner.replace("Accept: */*", &framing);
        client.ask(&head).await;
        let before = numbers.asked();
        // Of the first one's body, which nobody has read: the connection has ended, or does now.
        let _ = client.stream.write_all(head.as_bytes()).await;
        assert_eq!(client.answer().await, None);
        assert_eq!(numbers.asked(), before);
    }
}

/// Whether hyper would end a connection now whose time is over.
async fn runs_out(repeats: &Repeats) -> bool {
    let timer = IdleTimer::new(IDLE, repeats.clone(), Waiting::default());
    let mut sleep = hyper::rt::Timer::sleep_until(&timer, Instant::now().into());
    // The runtime's clock counts milliseconds.
    tokio::time::sleep(Duration::from_millis(2)).await;
    futures::poll!(sleep.as_mut()).is_ready()
}

#[tokio::test]
async fn what_comes_with_an_unread_body_in_front_is_not_learnt_with_it() {
    let numbers = Numbers::new(1_000);
    let body = "GET /other HTTP/1.1\r\nX: ";
    let mut client = connect(&numbers, 1 << 20, true);
    client.ask(&format!("POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len())).await;
    let both = body.to_owned() + &piece(3, 4);
    if client.stream.write_all(both.as_bytes()).await.is_ok() && client.answer().await.is_some() {
        // Now it is no body, and means what it says.
        let (head, answer) = client.ask(&both).await;
        assert!(head.contains(&"HTTP/1.1 200 OK".to_owned()) && answer == b"GET /other", "{head:?}");
    }
}

#[tokio::test]
async fn an_older_http_and_what_may_become_another_protocol_are_not_learnt() {
    let numbers = Numbers::new(1_000);
    let old = "GET /numbers HTTP/1.0\nX: HTTP/1.1\r\nConnection: keep-alive\r\nRange: bytes=3-4\r\n\r\n".to_owned();
    for text in [old, piece(3, 4).replace("Accept: */*", "Connection: upgrade\r\nUpgrade: h2c")] {
        let mut client = connect(&numbers, 1 << 20, true);
        let first = client.ask(&text).await;
        let before = numbers.asked();
        assert_eq!(client.ask(&text).await, first);
        assert_eq!(numbers.asked(), before + 1, "{text}");
    }
}

#[tokio::test]
async fn a_connection_is_not_idle_while_pieces_are_asked_for_or_taken() {
    let repeats = Repeats::default();
    assert!(runs_out(&repeats).await);
    let told = |is_sending, sent_at| *repeats.lock() = Told { is_sending, sent_at, ..Told::default() };
    told(true, Instant::now().checked_sub(2 * IDLE));
    assert!(!runs_out(&repeats).await);
    told(false, Some(Instant::now()));
    assert!(!runs_out(&repeats).await);
    told(false, Instant::now().checked_sub(IDLE));
    assert!(runs_out(&repeats).await);

    let numbers = Numbers::new(100_000);
    let mut client = connect(&numbers, 512, true);
    client.ask(&piece(0, 3)).await;
    assert!(runs_out(&client.repeats).await);
    client.send(&piece(0, 9_999)).await;
    client.stream.read_buf(&mut client.unread).await.unwrap();
    assert!(client.repeats.lock().is_sending);
    client.answer().await.unwrap();
    assert!(!client.repeats.lock().is_sending && !runs_out(&client.repeats).await);
}

#[tokio::test]
async fn an_answer_that_has_begun_is_sent_whole_before_a_stop() {
    let numbers = Numbers::new(100_000);
    let mut client = connect(&numbers, 512, true);
    client.ask(&piece(0, 3)).await;
    client.send(&piece(0, 50_000)).await;
    let begun = client.stream.read_buf(&mut client.unread).await.unwrap();
    assert_ne!(begun, 0);
    client.stop.cancel();
    assert_eq!(client.answer().await.unwrap().1, numbers.bytes[..=50_000]);
    assert_eq!(client.answer().await, None);
    assert_eq!(numbers.asked(), 1);
}

/// Requests of a client that sends what it likes, and at what places its bytes are cut.
fn conversation() -> impl Strategy<Value = (Vec<String>, Vec<usize>)> {
    let request = prop_oneof![
        8 => (0..2_000_usize, 0..3_000_usize).prop_map(|(first, count)| piece(first, first + count)),
        1 => Just(piece(5, 6).replace("Accept", "X-Other")),
        1 => Just(piece(5, 6).replace("bytes=5-6", "bytes=5-")),
        1 => Just("GET /other HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        1 => Just("POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc".to_owned()),
        1 => Just("GET /other HTTP/1.1\nHost: x\n\n".to_owned()),
        1 => Just(piece(5, 6) + &piece(7, 8)),
        1 => Just(format!("GET /other HTTP/1.1\r\nHost: x\n\n{}", piece(7, 8))),
        1 => Just("\r\n".to_owned() + &piece(1, 2)),
        1 => Just("POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n".to_owned()),
        1 => Just("abc".to_owned() + &piece(1, 2)),
    ];
    (proptest::collection::vec(request, 1..12), proptest::collection::vec(1..200_usize, 0..12))
}

/// All that is answered until the connection ends, where everything is sent whenever the last answers have come, cut at those places.
async fn converse(numbers: &Arc<Numbers>, requests: &[String], cuts: &[usize], room: usize, repeats: bool) -> Vec<Answer> {
    let mut client = connect(numbers, room, repeats);
    let mut cuts = cuts.iter().cycle();
    let mut answers = Vec::new();
    for request in requests {
        let mut left = request.as_bytes();
        while !left.is_empty() {
            let count = cuts.next().copied().unwrap_or(usize::MAX).min(left.len());
            if client.stream.write_all(&left[..count]).await.is_err() {
                return answers;
            }
            tokio::task::yield_now().await;
            left = &left[count..];
        }
        for _ in 0..request.matches(" HTTP/1.1").count() {
            let Some(answer) = client.answer().await else { return answers };
            answers.push(answer);
        }
    }
    answers
}

proptest! {
    #[test]
    fn whatever_is_sent_in_whatever_pieces_is_answered_the_same((requests, cuts) in conversation(), room in 512..20_000_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (ours, plain) = runtime.block_on(async {
            let numbers = Numbers::new(6_000);
            (converse(&numbers, &requests, &cuts, room, true).await, converse(&numbers, &requests, &cuts, room, false).await)
        });
        prop_assert_eq!(ours, plain);
    }
}

#[test]
fn a_head_ends_at_its_first_empty_line_however_lines_end() {
    for (text, end) in
        [("a\r\n\r\n", Some(5)), ("a\n\n", Some(3)), ("a\n\r\nb", Some(4)), ("\r\na\r\n", None), ("a\r\n\r", None), ("", None)]
    {
        assert_eq!(end_of_head(text.as_bytes()), end, "{text:?}");
    }
}
