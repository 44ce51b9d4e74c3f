//! Peers that mean harm, or have lost their way: the server stays small and goes on serving.

use std::net::SocketAddr;
use std::time::Duration;

use afterlive_media::rtmp::amf0::Value;
use afterlive_media::rtmp::kind;
use afterlive_server::db::sessions::EndReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::Client;
use super::{NAME, Scene, Settings, settings, within};
use crate::fixture::installation::{Ingest, Installation, Running};
use crate::fixture::program::allow_many_sockets;

/// What the server may grow by under attack.
const GROWTH_LIMIT_BYTES: usize = 150 << 20;
/// The patience and the limits of [`settings`].
const SERVER_SETTINGS: [(&str, &str); 2] =
    [("AFTERLIVE__RTMP__HANDSHAKE_TIMEOUT_S", "30"), ("AFTERLIVE__RTMP__MAX_CHUNK_STREAMS", "16")];

/// The real binary: in this process the neighbours of a test grow meanwhile.
struct Target {
    running: Running,
    ingest: Ingest,
    resident_bytes_before: usize,
    _installation: Installation,
}

impl Target {
    async fn new() -> Self {
        // Before it is started: it inherits what it may have.
        allow_many_sockets();
        let installation = Installation::new();
        let running = installation.start_with(&SERVER_SETTINGS);
        let ingest = running.new_stream().await;
        let resident_bytes_before = running.serving.resident_bytes();
        Self { running, ingest, resident_bytes_before, _installation: installation }
    }

    async fn publish(&self) -> Client {
        let (client, code, description) = Client::publish(self.ingest.address, "live", &self.ingest.destination.name).await;
        assert_eq!(code, "NetStream.Publish.Start", "{description}");
        client
    }

    /// Lets an encoder in, and has stayed small.
    async fn is_serving(&self) {
        let mut client = self.publish().await;
        client.command(1, &["closeStream".into(), 3.0.into(), Value::Null]).await;
        assert_eq!(client.status().await.unwrap().0, "NetStream.Unpublish.Success");
        let grown = self.running.serving.resident_bytes().saturating_sub(self.resident_bytes_before);
        assert!(grown < GROWTH_LIMIT_BYTES, "{grown} bytes");
    }
}

async fn is_serving(scene: &mut Scene) {
    let (mut client, code, _) = Client::publish(scene.address, "live", NAME).await;
    assert_eq!(code, "NetStream.Publish.Start");
    client.command(1, &["closeStream".into(), 3.0.into(), Value::Null]).await;
    assert_eq!(scene.end().await, EndReason::Unpublished);
}

async fn connect_with(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Who is sent away in the middle of it notices here.
    let _ = stream.write_all(bytes).await;
    stream
}

fn after_handshake(bytes: &[u8]) -> Vec<u8> {
    [&[3][..], &[0; 2 * 1536], bytes].concat()
}

#[tokio::test]
async fn a_thousand_half_open_connections_keep_no_encoder_out() {
    let target = Target::new().await;
    let mut half_open = Vec::new();
    for n in 0..1_000 {
        // Some say nothing, some stop in the handshake, some after it with half a command.
        let said = match n % 3 {
            0 => Vec::new(),
            1 => vec![3; 1_000],
            _ => after_handshake(&[3, 0, 0, 0, 0, 0x70, 0, kind::COMMAND, 0, 0, 0, 0, 2, 0, 7]),
        };
        half_open.push(connect_with(target.ingest.address, &said).await);
    }
    target.is_serving().await;
    drop(half_open);
}

#[tokio::test]
async fn players_keep_no_encoder_out_and_are_told_that_they_are_too_many() {
    let mut scene = Scene::with(Settings { max_connections: 8, max_connections_per_address: 8, ..settings() }).await;
    // One has a place already; six may play, and the eighth place is for another encoder.
    let (mut publisher, code, _) = Client::publish(scene.address, "live", NAME).await;
    assert_eq!(code, "NetStream.Publish.Start");
    let mut players = Vec::new();
    for _ in 0..6 {
        let (player, code, description) = Client::play(scene.address, NAME, "").await;
        assert!(code.starts_with("NetStream.Play."), "{code}: {description}");
        assert!(!description.contains("places"), "{description}");
        players.push(player);
    }
    let (_refused, code, description) = Client::play(scene.address, NAME, "").await;
    assert_eq!(
        (code.as_str(), description.contains("all places for players are taken")),
        ("NetStream.Play.StreamNotFound", true)
    );
    let (_other, code, description) = Client::publish(scene.address, "live", NAME).await;
    assert_eq!((code.as_str(), description.contains("live")), ("NetStream.Publish.BadName", true), "{description}");
    publisher.command(1, &["closeStream".into(), 3.0.into(), Value::Null]).await;
    assert_eq!(scene.end().await, EndReason::Unpublished);
    is_serving(&mut scene).await;
}

#[tokio::test]
async fn who_asks_for_nothing_is_cut() {
    let scene = Scene::with(Settings { handshake_timeout: Duration::from_millis(200), ..settings() }).await;
    for said in [Vec::new(), vec![3; 700], after_handshake(&[])] {
        let mut stream = connect_with(scene.address, &said).await;
        let mut heard = Vec::new();
        let _ = within(stream.read_to_end(&mut heard)).await;
    }
}

#[tokio::test]
async fn declared_lengths_cost_nothing() {
    let target = Target::new().await;
    let mut connections = Vec::new();
    for _ in 0..100 {
        // A vast chunk size, then the beginnings of many 16 MB messages on as many chunk streams.
        let mut said = vec![2, 0, 0, 0, 0, 0, 4, kind::SET_CHUNK_SIZE, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff];
        for id in 0..1_000_u32 {
            said.extend([1, (id % 256) as u8, (id / 256) as u8, 0, 0, 0, 0xff, 0xff, 0xff, kind::VIDEO, 1, 0, 0, 0, 0]);
        }
        connections.push(connect_with(target.ingest.address, &after_handshake(&said)).await);
    }
    let mut publisher = target.publish().await;
    begin_large_messages(&mut publisher).await;
    publisher.closed().await;
    target.is_serving().await;
    for mut connection in connections {
        let mut heard = Vec::new();
        let _ = within(connection.read_to_end(&mut heard)).await;
    }
}

/// As only a publisher may: many begun, none ended.
async fn begin_large_messages(publisher: &mut Client) {
    for id in 4..60 {
        let header = [id, 0, 0, 0, 0x7f, 0xff, 0xff, kind::VIDEO, 1, 0, 0, 0];
        publisher.send_raw(&[&header[..], &[0; 128]].concat()).await;
    }
}

#[tokio::test]
async fn a_publisher_that_ends_no_message_is_cut_for_it() {
    let mut scene = Scene::new().await;
    let (mut publisher, ..) = Client::publish(scene.address, "live", NAME).await;
    begin_large_messages(&mut publisher).await;
    assert_eq!(scene.end().await, EndReason::ProtocolError);
    is_serving(&mut scene).await;
}

#[tokio::test]
async fn noise_brings_nothing_down() {
    let mut scene = Scene::new().await;
    let mut noise = 0x9e37_79b9_u32;
    let mut draw = || {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        noise.to_le_bytes()[0]
    };
    for n in 0..200 {
        let bytes: Vec<u8> = std::iter::repeat_with(&mut draw).take(3_000).collect();
        let said = if n % 2 == 0 { bytes } else { after_handshake(&bytes) };
        drop(connect_with(scene.address, &said).await);
    }
    is_serving(&mut scene).await;
}
