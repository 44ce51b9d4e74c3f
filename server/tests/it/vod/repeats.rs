//! Pieces of a recording, one after another on a connection: what changes meanwhile holds at once for who has come before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use afterlive_domain::{OrganisationHash, Streamname};
use afterlive_server::http::vod::Guard;
use afterlive_server::service::playback::Admitted;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::StatusCode;
use http::request::Parts;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{FILE, Server};
use crate::listen::room_for;

/// Lets everybody in or nobody, and counts who asked.
#[derive(Debug, Default)]
struct Door {
    is_shut: AtomicBool,
    admitted: AtomicUsize,
}

impl Guard for Door {
    fn is_public(&self, _: &OrganisationHash) -> Option<bool> {
        Some(!self.is_shut.load(Ordering::Relaxed))
    }

    fn admit<'a>(&'a self, _: &'a Streamname, _: &'a Parts) -> BoxFuture<'a, Result<Admitted, Option<Response>>> {
        self.admitted.fetch_add(1, Ordering::Relaxed);
        let shut = self.is_shut.load(Ordering::Relaxed);
        async move { if shut { Err(Some(StatusCode::UNAUTHORIZED.into_response())) } else { Ok(Admitted::Public) } }.boxed()
    }
}

struct Viewer(TcpStream);

impl Viewer {
    async fn new(server: &Server) -> Self {
        Self(TcpStream::connect(server.address).await.unwrap())
    }

    /// The head and the body of the answer.
    async fn ask(&mut self, first: u64, last: u64) -> (String, Vec<u8>) {
        let request = format!("GET /vod-eu/{FILE} HTTP/1.1\r\nHost: x\r\nRange: bytes={first}-{last}\r\n\r\n");
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let end = loop {
            if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            assert_ne!(self.0.read_buf(&mut answer).await.unwrap(), 0, "closed");
        };
        let mut body = answer.split_off(end);
        let head = String::from_utf8(answer).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().unwrap());
        while body.len() < length {
            assert_ne!(self.0.read_buf(&mut body).await.unwrap(), 0, "closed");
        }
        (head, body)
    }
}

/// Of a head, what is not each answer's own.
fn constant(head: &str) -> Vec<&str> {
    let own = ["content-length", "content-range", "date", "x-request-id"];
    let mut lines: Vec<_> = head.lines().filter(|line| !own.iter().any(|name| line.starts_with(name))).collect();
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn pieces_are_answered_alike_whoever_answers_them() {
    let server = Server::start().await;
    let mut viewer = Viewer::new(&server).await;
    let size = server.bytes.len() as u64;
    let (first, _) = viewer.ask(0, 99).await;
    for (from, to) in [(0, 0), (7, 64_000), (size - 5, size - 1), (100, 131_171), (size - 5, size + 7), (3, 200_000), (5, 6)] {
        let (head, body) = viewer.ask(from, to).await;
        let end = size.min(to + 1);
        assert!(body == server.bytes[from as usize..end as usize], "{from}-{to}");
        assert_eq!(constant(&head), constant(&first));
        assert!(head.contains(&format!("content-range: bytes {from}-{}/{size}\r\n", end - 1)), "{head}");
    }
    let (head, _) = viewer.ask(size, size).await;
    assert!(head.starts_with("HTTP/1.1 416 "), "{head}");
}

#[tokio::test]
async fn who_may_not_watch_any_more_gets_no_further_piece() {
    let door = Arc::new(Door::default());
    let server = Server::guarded(room_for(100), Arc::clone(&door) as _).await;
    let mut viewer = Viewer::new(&server).await;
    assert!(viewer.ask(0, 99).await.0.starts_with("HTTP/1.1 206 "));
    assert!(viewer.ask(100, 199).await.0.starts_with("HTTP/1.1 206 "));
    door.is_shut.store(true, Ordering::Relaxed);
    assert!(viewer.ask(200, 299).await.0.starts_with("HTTP/1.1 401 "));
    assert_eq!(door.admitted.load(Ordering::Relaxed), 1);
    door.is_shut.store(false, Ordering::Relaxed);
    assert_eq!(viewer.ask(300, 399).await.1, server.bytes[300..400]);
}

#[tokio::test]
async fn of_a_recording_that_is_deleted_there_are_no_further_pieces_after_a_second() {
    let server = Server::start().await;
    let mut viewer = Viewer::new(&server).await;
    viewer.ask(0, 99).await;
    std::fs::remove_file(server.folder.path().join("eu").join(FILE)).unwrap();
    let status = async {
        loop {
            let (head, body) = viewer.ask(0, 99).await;
            if !head.starts_with("HTTP/1.1 206 ") {
                break head;
            }
            assert_eq!(body, server.bytes[..100]);
        }
    };
    let head = tokio::time::timeout(Duration::from_secs(5), status).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
}

/// Forgets what is in memory of the file, where the file system has a disk under it.
fn forget(server: &Server) {
    let file = std::fs::File::open(server.folder.path().join("eu").join(FILE)).unwrap();
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

#[tokio::test]
async fn pieces_that_come_from_the_disk_are_the_same_as_those_from_memory() {
    let server = Server::start().await;
    let mut viewer = Viewer::new(&server).await;
    for round in 0..5 {
        for (from, to) in [(0, 99_999), (700_000, 765_535), (300_001, 1_200_000), (1_599_999, 1_599_999)] {
            forget(&server);
            let (head, body) = viewer.ask(from, to).await;
            assert!(head.starts_with("HTTP/1.1 206 "), "{round}: {head}");
            assert!(body == server.bytes[from as usize..=to as usize], "{round}: {from}-{to}");
        }
    }
}

#[tokio::test]
async fn a_viewer_that_takes_long_pieces_in_small_bites_gets_all_of_them() {
    let server = Server::start().await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut viewer = Viewer(socket.connect(server.address).await.unwrap());
    viewer.ask(0, 99).await;
    for from in 0..4_u64 {
        let (head, body) = viewer.ask(from, 1_599_999).await;
        assert!(head.contains(&format!("content-range: bytes {from}-1599999/1600000\r\n")), "{head}");
        assert!(body == server.bytes[from as usize..], "{from}");
    }
}

#[tokio::test]
async fn of_a_file_cut_short_nothing_is_made_up() {
    let server = Server::start().await;
    let mut viewer = Viewer::new(&server).await;
    viewer.ask(0, 99).await;
    let path = server.folder.path().join("eu").join(FILE);
    std::fs::File::options().write(true).open(path).unwrap().set_len(200_000).unwrap();
    let request = format!("GET /vod-eu/{FILE} HTTP/1.1\r\nHost: x\r\nRange: bytes=100000-299999\r\n\r\n");
    viewer.0.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The end may be a reset.
    let _ = viewer.0.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let body = &answer[end..];
    assert!(body.len() <= 100_000 && server.bytes[100_000..].starts_with(body), "{} bytes", body.len());
}

#[tokio::test]
async fn who_begins_with_something_else_and_who_begins_with_a_recording_may_ask_for_both() {
    let server = Server::start().await;
    for recording_first in [true, false] {
        let mut viewer = Viewer::new(&server).await;
        for turn in 0..4 {
            if recording_first == (turn % 2 == 0) {
                assert_eq!(viewer.ask(5, 70_000).await.1, server.bytes[5..=70_000]);
            } else {
                viewer.0.write_all(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
                let mut answer = Vec::new();
                while !answer.ends_with(b"dashboard") {
                    assert_ne!(viewer.0.read_buf(&mut answer).await.unwrap(), 0, "closed");
                }
            }
        }
    }
}
