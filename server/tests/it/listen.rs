//! The HTTP listener on real sockets: its limit, and how it comes to an end.

use std::sync::Arc;

use afterlive_server::http::listen::serve;
use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

struct Running {
    address: std::net::SocketAddr,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

async fn start(router: Router, max_connections: usize) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let server = tokio::spawn(serve(listener, router, max_connections, stop.clone()));
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

#[tokio::test]
async fn who_comes_when_all_places_are_taken_waits_for_one() {
    let running = start(Router::new().route("/", get(async || "done")), 2).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        ask(&mut stream, "/").await;
        answer(&mut stream).await;
        streams.push(stream);
    }
    let mut third = TcpStream::connect(running.address).await.unwrap();
    ask(&mut third, "/").await;
    let mut byte = [0];
    assert!(tokio::time::timeout(std::time::Duration::from_millis(100), third.read(&mut byte)).await.is_err(), "was served");
    drop(streams.pop());
    answer(&mut third).await;
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
    let running = start(Router::new().route("/slow", get(handler)).route("/", get(async || "done")), 10).await;
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
