//! Live delivery over real sockets: what viewers get by WebSocket and HLS, of what encoders send.

mod codecs;
mod hls;
mod progressive;
mod refusals;
mod socket;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use afterlive_domain::organisation::Settings;
use afterlive_media::frame::{Frame, TrackKind};
use afterlive_server::db::organisations::Organisation;
use afterlive_server::db::streams::Stream;
use afterlive_server::http::listen;
use afterlive_server::hub::{Message, Publisher};
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, protocol::CloseFrame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::fixture::database::{NOW, a_stream};
use crate::fixture::server::{Server, Tenant};
use crate::listen::room_for;

/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

/// A server on a socket, and a stream of a public organisation.
struct Scene {
    server: Server,
    tenant: Tenant,
    stream: Stream,
    address: SocketAddr,
    http: Client,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new(server: Server) -> Self {
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server.db, &tenant.organisation).await;
        let scene = Self::private(server, tenant, stream).await;
        scene.set_public(true).await;
        scene
    }

    async fn private(server: Server, tenant: Tenant, stream: Stream) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(listen::serve(listener, server.router.clone(), room_for(1_000), server.stop.clone()));
        let folder = tempfile::tempdir().unwrap();
        Self { server, tenant, stream, address, http: Client::new(), folder }
    }

    async fn set_public(&self, live_public: bool) {
        let Organisation { name, settings, .. } = &self.tenant.organisation;
        let settings = Settings { live_public, ..*settings };
        self.server.service.save_organisation(&self.tenant.admin, name, settings).await.unwrap();
    }

    /// One whose tracks are all that it will have.
    fn publish(&self) -> Publisher {
        self.server.hub.publish(self.stream.id, NOW.plus_ms(-5_000)).unwrap()
    }

    fn url(&self, file: &str) -> String {
        format!("http://{}/live/{}/{file}", self.address, self.stream.streamname)
    }

    async fn get(&self, file: &str) -> Response {
        within(self.http.get(self.url(file)).send()).await.unwrap()
    }

    async fn text(&self, file: &str) -> String {
        let response = self.get(file).await;
        assert_eq!(response.status(), StatusCode::OK, "{file}");
        within(response.text()).await.unwrap()
    }

    async fn bytes(&self, file: &str) -> Bytes {
        let response = self.get(file).await;
        assert_eq!(response.status(), StatusCode::OK, "{file}");
        within(response.bytes()).await.unwrap()
    }

    async fn socket(&self) -> Socket {
        self.socket_with(&[]).await.unwrap()
    }

    /// The status where the server refuses.
    async fn socket_with(&self, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
        let mut request = self.url("ws").replacen("http", "ws", 1).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match within(connect_async(request)).await {
            Ok((stream, _)) => Ok(Socket(stream)),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    fn save(&self, name: &str, parts: &[Bytes]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, parts.concat()).unwrap();
        path
    }

    /// Waits until the publish is followed, and by so many.
    async fn until_viewers(&self, count: usize) {
        within(async {
            while self.server.hub.stats(self.stream.id).is_none_or(|stats| stats.viewers != count) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}

/// A viewer by WebSocket.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

#[derive(Clone, PartialEq, Debug)]
enum Received {
    Text(Value),
    Init(Bytes),
    Fragment(Bytes),
    Closed(u16),
}

impl Socket {
    async fn next(&mut self) -> Received {
        loop {
            match within(self.0.next()).await {
                Some(Ok(tungstenite::Message::Text(text))) => return Received::Text(serde_json::from_str(&text).unwrap()),
                Some(Ok(tungstenite::Message::Binary(bytes))) => {
                    return match &bytes[4..8] {
                        b"ftyp" => Received::Init(bytes),
                        b"moof" => Received::Fragment(bytes),
                        other => panic!("{other:?}"),
                    };
                }
                Some(Ok(tungstenite::Message::Close(frame))) => {
                    return Received::Closed(frame.map_or(0, |CloseFrame { code, .. }| code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Received::Closed(0),
            }
        }
    }

    /// The next message in words, clocks aside.
    async fn words(&mut self) -> Value {
        loop {
            match self.next().await {
                Received::Text(text) if text["type"] != "clock" => return text,
                Received::Text(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The init segment, and so many fragments.
    async fn media(&mut self, fragments: usize) -> Vec<Bytes> {
        let mut media = Vec::new();
        while media.len() < fragments + 1 {
            match self.next().await {
                Received::Init(bytes) | Received::Fragment(bytes) => media.push(bytes),
                Received::Text(text) => assert!(text["type"] == "info" || text["type"] == "clock", "{text}"),
                Received::Closed(code) => panic!("closed with {code}"),
            }
        }
        assert_eq!(&media[0][4..8], b"ftyp");
        media
    }

    /// Everything up to the message that says that the publish has ended.
    async fn media_to_the_end(&mut self) -> Vec<Bytes> {
        let mut media = Vec::new();
        loop {
            match self.next().await {
                Received::Init(bytes) | Received::Fragment(bytes) => media.push(bytes),
                Received::Text(text) if text["type"] == "stopped" => return media,
                Received::Text(_) => {}
                Received::Closed(code) => panic!("closed with {code}"),
            }
        }
    }

    async fn say(&mut self, text: &str) {
        let _ = self.0.send(tungstenite::Message::text(text.to_owned())).await;
    }
}

/// The frames from the last keyframe on, of both tracks.
fn last_group(messages: &[Message]) -> Vec<&Frame> {
    let keyframe =
        |message: &Message| matches!(message, Message::Frame(frame) if frame.kind == TrackKind::Video && frame.keyframe);
    let at = messages.iter().rposition(keyframe).unwrap();
    frames(&messages[at..])
}

fn frames(messages: &[Message]) -> Vec<&Frame> {
    messages.iter().filter_map(|message| if let Message::Frame(frame) = message { Some(frame) } else { None }).collect()
}

/// Of a fragment's only track, in its ticks.
fn decode_time(fragment: &[u8]) -> u64 {
    let at = fragment.windows(4).position(|word| word == b"tfdt").unwrap();
    u64::from_be_bytes(fragment[at + 8..at + 16].try_into().unwrap())
}
