//! Viewers of a live stream: by WebSocket, and by RTMP play. They throw away what they get; one of them says how old its pictures are.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use afterlive_media::flv::FileTag;
use afterlive_media::frame::TrackKind;
use afterlive_media::rtmp::amf0::{Value, object};
use afterlive_media::rtmp::{ChunkReader, ChunkWriter, Header, Limits, Output, kind};
use anyhow::{Context as _, Result, ensure};
use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

const BUFFER_BYTES: usize = 256 << 10;
const VIEWERS_AN_ADDRESS: usize = 200;
const HANDSHAKE_ANSWER_BYTES: usize = 1 + 2 * 1536;
/// What FLV puts before a picture of H.264.
const FLV_HEADER_BYTES: usize = 5;
/// What a fragment of one frame has before its `mdat`, at the most.
const MAX_MOOF_BYTES: usize = 512;

/// A picture is known by its length and its last bytes: they differ within the time that anything takes here.
type Picture = (usize, [u8; 8]);

/// How old pictures are that have arrived. Clones count together.
#[derive(Clone, Default)]
pub(crate) struct Ages(Arc<Mutex<Pictures>>);

#[derive(Default)]
struct Pictures {
    sent: HashMap<Picture, Instant>,
    ages: Vec<Duration>,
}

impl Ages {
    fn lock(&self) -> MutexGuard<'_, Pictures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sent(&self, tag: &FileTag) {
        if tag.kind == TrackKind::Video
            && let Some(picture) = tag.payload.get(FLV_HEADER_BYTES..).and_then(picture)
        {
            self.lock().sent.insert(picture, Instant::now());
        }
    }

    fn arrived(&self, bytes: &[u8]) {
        let mut pictures = self.lock();
        if let Some(sent) = picture(bytes).and_then(|picture| pictures.sent.get(&picture).copied()) {
            pictures.ages.push(sent.elapsed());
        }
    }

    /// Forgets what has arrived so far.
    pub(crate) fn restart(&self) {
        self.lock().ages.clear();
    }

    /// In milliseconds: the middle one, and the one that is older than 99 of 100.
    pub(crate) fn percentiles_ms(&self) -> Result<(f64, f64)> {
        let mut ages = self.lock().ages.clone();
        ensure!(!ages.is_empty(), "no picture has arrived");
        ages.sort_unstable();
        let at = |hundredths: usize| ages[(ages.len() - 1) * hundredths / 100].as_secs_f64() * 1_000.0;
        Ok((at(50), at(99)))
    }
}

fn picture(bytes: &[u8]) -> Option<Picture> {
    bytes.last_chunk().map(|last| (bytes.len(), *last))
}

/// From one of this machine's addresses: servers let one have so many connections only.
async fn connect(address: SocketAddr, viewer: usize) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let from = Ipv4Addr::new(127, 0, 0, 2 + (viewer / VIEWERS_AN_ADDRESS) as u8);
    socket.bind(SocketAddr::from((from, 0)))?;
    Ok(socket.connect(address).await?)
}

/// Watches by WebSocket until it is dropped, as the viewer of this number. Says how old pictures are where it is given `ages`.
pub(crate) async fn watch_socket(address: SocketAddr, viewer: usize, path: &str, head: &str, ages: Option<Ages>) -> Result<()> {
    let mut stream = connect(address, viewer).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\n{head}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut received = Vec::new();
    let head_bytes = loop {
        ensure!(stream.read_buf(&mut received).await? > 0, "the server has closed the connection");
        if let Some(at) = received.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
    };
    ensure!(received.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&received));
    received.drain(..head_bytes);
    let Some(ages) = ages else { return throw_away(stream).await };
    loop {
        while let Some((payload, whole)) = frame(&received) {
            if let Some(mdat) = payload.get(4..8).filter(|kind| *kind == b"moof").and_then(|_| mdat(payload)) {
                ages.arrived(mdat);
            }
            received.drain(..whole);
        }
        ensure!(stream.read_buf(&mut received).await? > 0, "the server has closed the connection");
    }
}

/// The payload of the first frame, and the length of all of it; `None` where it is not there as a whole. RFC 6455 §5.2, unmasked.
fn frame(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (head, length) = match bytes.get(1)? & 0x7f {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into()),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        length => (2, usize::from(length)),
    };
    Some((bytes.get(head..head + length)?, head + length))
}

/// What a fragment has behind the header of its mdat.
fn mdat(fragment: &[u8]) -> Option<&[u8]> {
    let moof_bytes = u32::from_be_bytes(*fragment.first_chunk()?) as usize;
    if moof_bytes > MAX_MOOF_BYTES { None } else { fragment.get(moof_bytes + 8..) }
}

/// Watches by RTMP play until it is dropped.
pub(crate) async fn watch_rtmp(address: SocketAddr, viewer: usize, app: &str, name: &str, ages: Option<Ages>) -> Result<()> {
    let mut stream = connect(address, viewer).await?;
    stream.write_all(&[&[3][..], &[0; 2 * 1536]].concat()).await?;
    stream.read_exact(&mut [0; HANDSHAKE_ANSWER_BYTES]).await?;
    let url = format!("rtmp://{address}/{app}");
    let properties = [("app", app.into()), ("tcUrl", url.as_str().into())];
    command(&mut stream, 0, &["connect".into(), 1.0.into(), object(properties)]).await?;
    command(&mut stream, 0, &["createStream".into(), 2.0.into(), Value::Null]).await?;
    // Both servers give the first stream this number.
    command(&mut stream, 1, &["play".into(), 3.0.into(), Value::Null, name.into()]).await?;
    let Some(ages) = ages else { return throw_away(stream).await };
    let (mut reader, mut received) = (ChunkReader::new(Limits::default()), Vec::new());
    loop {
        let mut rest = &received[..];
        while let Some(message) = reader.read(&mut rest)? {
            match message.kind {
                kind::SET_CHUNK_SIZE => {
                    let size = message.payload.first_chunk().context("a short message")?;
                    reader.set_chunk_size(u32::from_be_bytes(*size))?;
                }
                kind::VIDEO => ages.arrived(message.payload.get(FLV_HEADER_BYTES..).unwrap_or_default()),
                _ => {}
            }
        }
        let read = received.len() - rest.len();
        received.drain(..read);
        ensure!(stream.read_buf(&mut received).await? > 0, "the server has closed the connection");
    }
}

async fn command(stream: &mut TcpStream, stream_id: u32, values: &[Value]) -> Result<()> {
    let (mut payload, mut output) = (Vec::new(), Output::default());
    values.iter().for_each(|value| value.write(&mut payload));
    let header = Header { chunk_stream: 3, kind: kind::COMMAND, stream_id, timestamp: 0 };
    ChunkWriter::new(128).write(&mut output, header, &payload, Bytes::new());
    Ok(stream.write_all(&output.copy_to_bytes(output.remaining())).await?)
}

async fn throw_away(mut stream: TcpStream) -> Result<()> {
    let mut scrap = vec![0; BUFFER_BYTES];
    loop {
        ensure!(stream.read(&mut scrap).await? > 0, "the server has closed the connection");
    }
}
