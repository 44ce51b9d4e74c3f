//! An RTMP client for what real encoders would not do.

use std::net::SocketAddr;

use afterlive_media::rtmp::amf0::{Reader, Value, object};
use afterlive_media::rtmp::{ChunkReader, ChunkWriter, Header, Limits, Message, Output, kind};
use bytes::{Buf, Bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within;

/// Sequence header of H.264, Constrained Baseline, 640×360.
const VIDEO_CONFIG: &[u8] = include_bytes!("../../../../media/tests/data/x264-640x360.avcc");
const KEYFRAME: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0x88];
const HANDSHAKE_ANSWER_BYTES: usize = 1 + 2 * 1536;

pub struct Client {
    stream: TcpStream,
    reader: ChunkReader,
    received: Vec<u8>,
}

impl Client {
    /// Through handshake and `connect`.
    pub async fn connect(address: SocketAddr, app: &str) -> Self {
        Self::connect_from(address, app, "").await
    }

    /// The same, standing on a page.
    async fn connect_from(address: SocketAddr, app: &str, page: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[&[3][..], &[0; 2 * 1536]].concat()).await.unwrap();
        within(stream.read_exact(&mut [0; HANDSHAKE_ANSWER_BYTES])).await.unwrap();
        let mut client = Self { stream, reader: ChunkReader::new(Limits::default()), received: Vec::new() };
        let properties = [
            ("app", app.into()),
            ("tcUrl", format!("rtmp://ingest-us.example.com/{app}").as_str().into()),
            ("pageUrl", page.into()),
        ];
        client.command(0, &["connect".into(), 1.0.into(), object(properties)]).await;
        client
    }

    /// Up to the answer to `publish`: its code and description.
    pub async fn publish(address: SocketAddr, app: &str, name: &str) -> (Self, String, String) {
        let mut client = Self::connect(address, app).await;
        client.command(1, &["publish".into(), 2.0.into(), Value::Null, name.into(), "live".into()]).await;
        let (code, description) = client.status().await.expect("an answer");
        (client, code, description)
    }

    /// Up to the first answer to `play` that says whether it plays: its code and description.
    pub async fn play(address: SocketAddr, name: &str, page: &str) -> (Self, String, String) {
        let mut client = Self::connect_from(address, "play", page).await;
        client.command(1, &["play".into(), 2.0.into(), Value::Null, name.into()]).await;
        let (code, description) = client.status().await.expect("an answer");
        (client, code, description)
    }

    pub async fn command(&mut self, stream_id: u32, values: &[Value]) {
        let mut payload = Vec::new();
        values.iter().for_each(|value| value.write(&mut payload));
        self.send(3, kind::COMMAND, stream_id, 0, &payload).await;
    }

    pub async fn video_config(&mut self) {
        self.send(6, kind::VIDEO, 1, 0, &[&[0x17, 0, 0, 0, 0], VIDEO_CONFIG].concat()).await;
    }

    pub async fn keyframe(&mut self, timestamp: u32) {
        self.send(6, kind::VIDEO, 1, timestamp, KEYFRAME).await;
    }

    pub async fn send(&mut self, chunk_stream: u8, kind: u8, stream_id: u32, timestamp: u32, payload: &[u8]) {
        let mut output = Output::default();
        let header = Header { chunk_stream, kind, stream_id, timestamp };
        ChunkWriter::new(128).write(&mut output, header, payload, Bytes::new());
        self.send_raw(&output.copy_to_bytes(output.remaining())).await;
    }

    pub async fn send_raw(&mut self, bytes: &[u8]) {
        // A server that has closed is noticed by who reads.
        let _ = self.stream.write_all(bytes).await;
    }

    /// Sends nothing more, and still reads.
    pub async fn end_of_sending(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The next message of the server; `None` when it has closed.
    pub async fn message(&mut self) -> Option<Message> {
        loop {
            let mut rest = &self.received[..];
            let message = self.reader.read(&mut rest).expect("the server speaks RTMP");
            let read = self.received.len() - rest.len();
            self.received.drain(..read);
            if let Some(message) = message {
                if message.kind == kind::SET_CHUNK_SIZE {
                    self.reader.set_chunk_size(u32::from_be_bytes(*message.payload.first_chunk().unwrap())).unwrap();
                }
                return Some(message);
            }
            if within(self.stream.read_buf(&mut self.received)).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// Code and description of the next `onStatus`; `None` when the server has closed.
    pub async fn status(&mut self) -> Option<(String, String)> {
        loop {
            let message = self.message().await?;
            if message.kind != kind::COMMAND {
                continue;
            }
            let mut values = Reader::new(&message.payload);
            if values.string() != Ok("onStatus".to_owned()) {
                continue;
            }
            let info = std::iter::from_fn(|| values.next_value().unwrap()).last().unwrap();
            let text = |name| info.get(name).and_then(Value::as_str).unwrap().to_owned();
            return Some((text("code"), text("description")));
        }
    }

    /// Waits until the server closes.
    pub async fn closed(&mut self) {
        while self.message().await.is_some() {}
    }
}
