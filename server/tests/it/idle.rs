//! Ten thousand connections that only stand there, or send their first words a letter at a time: nobody else waits for them, and none costs much.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::fixture::installation::{Ingest, Installation, Running};
use crate::fixture::program::allow_many_sockets;
use crate::fixture::studio::until;
use crate::rtmp::client::Client;

/// Half of them by HTTP, half by RTMP.
const CROWD: u16 = 10_000;
/// What else this process and the server may have open, by each of its descriptors.
const OTHERS: u64 = 1_000;
/// What one of the crowd may take of the server's memory. The kernel's buffers are its own.
const MAX_BYTES_EACH: usize = 48 << 10;
/// What anybody else waits for, at most, on a busy machine; without a crowd it is some milliseconds.
const PROMPTLY: Duration = Duration::from_secs(5);
/// Connections that are opened at a time: more than the kernel keeps for a server would be tried again a second later.
const AT_A_TIME: usize = 64;
/// Longer than the test takes.
const PATIENT: (&str, &str) = ("AFTERLIVE__RTMP__HANDSHAKE_TIMEOUT_S", "60");

/// Two crowds at a time are more than one process may have open.
static ONE_CROWD: Mutex<()> = Mutex::const_new(());

/// # Panics
/// Where one process may not open so many: a smaller crowd would not show what the tests' names say.
fn make_room_for_the_crowd() {
    let (most, needed) = (allow_many_sockets(), u64::from(CROWD) + OTHERS);
    assert!(
        most >= needed,
        "a crowd of {CROWD} takes {needed} open files, and the hard limit of this process (`ulimit -Hn`) is {most}: run the tests from a shell in which root has \
         said `ulimit -n {needed}`, or as a service with LimitNOFILE={needed}"
    );
}

/// The address of the nth of a crowd in which each has their own.
fn own_address(n: u16) -> IpAddr {
    let [high, low] = n.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low).into()
}

async fn connect(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Some say nothing, some stop in the middle of their first words, some have got an answer and say no more.
async fn idle_by_http(from: IpAddr, to: SocketAddr, n: u16) -> TcpStream {
    let mut stream = connect(from, to).await;
    let said: &[u8] = match n % 3 {
        0 => b"",
        1 => b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: lo",
        _ => b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    };
    // Who is turned away notices later.
    let _ = stream.write_all(said).await;
    if n % 3 == 2 {
        let answered = async {
            let mut answer = Vec::new();
            while !answer.ends_with(b"ok\n") && stream.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {}
        };
        timeout(PROMPTLY, answered).await.expect("a newcomer is answered, however many stand there");
    }
    stream
}

/// The same: in the handshake, and behind it.
async fn idle_by_rtmp(from: IpAddr, to: SocketAddr, n: u16) -> TcpStream {
    let mut stream = connect(from, to).await;
    let said = match n % 3 {
        0 => Vec::new(),
        1 => vec![3; 1_000],
        _ => [&[3][..], &[0; 2 * 1536], &[3, 0, 0, 0, 0, 0x70, 0, 20]].concat(),
    };
    let _ = stream.write_all(&said).await;
    stream
}

struct Target {
    running: Running,
    ingest: Ingest,
    http: SocketAddr,
    _installation: Installation,
}

impl Target {
    async fn new(settings: &[(&str, &str)]) -> Self {
        let installation = Installation::new();
        let running = installation.start_with(settings);
        let ingest = running.new_stream().await;
        let http = running.dashboard.strip_prefix("http://").unwrap().replace("localhost", "127.0.0.1").parse().unwrap();
        Self { running, ingest, http, _installation: installation }
    }

    /// Half of them by each protocol.
    async fn crowd(&self) -> Vec<TcpStream> {
        let one = |n: u16| async move {
            match n % 2 {
                0 => idle_by_http(own_address(n), self.http, n / 2).await,
                _ => idle_by_rtmp(own_address(n), self.ingest.address, n / 2).await,
            }
        };
        stream::iter(0..CROWD).map(one).buffered(AT_A_TIME).collect().await
    }

    /// Somebody calls the API, an encoder publishes, somebody watches it, and nobody of them waits for long.
    async fn serves_others(&self) {
        let name = &self.ingest.destination.name;
        let stream = format!("{}/stream/{}", self.running.dashboard, self.ingest.id);
        // On a connection of its own: one that was there before has its place.
        let http = reqwest::Client::new();
        let call = self.running.call(http.get(&stream));
        assert_eq!(timeout(PROMPTLY, call).await.expect("a call is answered")["state"], "created");
        let publish = Client::publish(self.ingest.address, "live", name);
        let (mut encoder, code, description) = timeout(PROMPTLY, publish).await.expect("an encoder is let in");
        assert_eq!(code, "NetStream.Publish.Start", "{description}");
        encoder.video_config().await;
        encoder.keyframe(0).await;

        let play = Client::play(self.ingest.address, name, "");
        let (_player, code, description) = timeout(PROMPTLY, play).await.expect("a player is let in");
        assert!(code.starts_with("NetStream.Play.") && code != "NetStream.Play.StreamNotFound", "{code}: {description}");
        let mut request = format!("ws://{}/live/{name}/ws", self.http).into_client_request().unwrap();
        request.headers_mut().insert("x-bintu-apikey", self.running.api_key().parse().unwrap());
        timeout(PROMPTLY, connect_async(request)).await.expect("a viewer is let in").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_keep_nobody_waiting_and_cost_little() {
    let _one = ONE_CROWD.lock().await;
    make_room_for_the_crowd();
    let room = (CROWD + CROWD / 10).to_string();
    let target =
        Target::new(&[("AFTERLIVE__HTTP__MAX_CONNECTIONS", &room), ("AFTERLIVE__RTMP__MAX_CONNECTIONS", &room), PATIENT]).await;
    let serving = &target.running.serving;
    let (files, bytes) = (serving.open_files(), serving.resident_bytes());
    let crowd = target.crowd().await;
    until(|| serving.open_files() >= files + usize::from(CROWD)).await;
    let each = serving.resident_bytes().saturating_sub(bytes) / usize::from(CROWD);
    assert!(each < MAX_BYTES_EACH, "each of {CROWD} takes {each} bytes");
    target.serves_others().await;
    assert!(serving.open_files() >= files + usize::from(CROWD), "those who stand there in peace are left there");
    drop(crowd);
    until(|| serving.open_files() < files + 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_limits_as_they_come_ten_thousand_keep_nobody_waiting_either() {
    let _one = ONE_CROWD.lock().await;
    make_room_for_the_crowd();
    let target = Target::new(&[PATIENT]).await;
    let serving = &target.running.serving;
    let bytes = serving.resident_bytes();
    // Whoever has stood there for longest makes room, wherever all of them come from.
    let mut crowd = target.crowd().await;
    for gone in &mut crowd[..2] {
        let mut rest = Vec::new();
        // To its end, or a reset.
        let _ = gone.read_to_end(&mut rest).await;
    }
    target.serves_others().await;
    let each = serving.resident_bytes().saturating_sub(bytes) / usize::from(CROWD);
    assert!(each < MAX_BYTES_EACH, "each of {CROWD} takes {each} bytes");
}
