//! Encoders: RTMP clients that send each tag when it is due, by the hundred in one process.

use std::net::SocketAddr;
use std::time::Duration;

use afterlive_media::flv::FileTag;
use afterlive_media::rtmp::{Client, Destination, Reply};
use anyhow::{Context as _, Result, bail};
use bytes::Buf as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::source::{Count, Source};

/// What OBS cuts its messages into.
pub(crate) const CHUNK_BYTES: u32 = 4_096;
/// What FFmpeg does, and so most programs that are built on it.
pub(crate) const SMALL_CHUNK_BYTES: u32 = 128;

/// Where to publish.
#[derive(Clone, Debug)]
pub(crate) struct Ingest {
    pub(crate) address: SocketAddr,
    pub(crate) destination: Destination,
}

impl Ingest {
    /// To our server, which does not record then.
    pub(crate) fn without_recording(mut self) -> Self {
        self.destination.tc_url = self.destination.tc_url.replace("/rec", "/live");
        "live".clone_into(&mut self.destination.app);
        self
    }
}

pub(crate) struct Publisher {
    stream: TcpStream,
    client: Client,
}

impl Publisher {
    /// From the first byte to the server's yes.
    pub(crate) async fn connect(ingest: &Ingest, chunk_bytes: u32) -> Result<Self> {
        let stream = TcpStream::connect(ingest.address).await?;
        stream.set_nodelay(true)?;
        let mut publisher = Self { stream, client: Client::new(ingest.destination.clone(), chunk_bytes) };
        let mut buffer = [0; 4_096];
        loop {
            publisher.flush().await?;
            let received = publisher.stream.read(&mut buffer).await?;
            let mut input = &buffer[..received];
            while !input.is_empty() {
                match publisher.client.input(&mut input)? {
                    Some(Reply::Publishing) => return Ok(publisher),
                    Some(Reply::Refused { code, description }) => bail!("{code}: {description}"),
                    None => {}
                }
            }
            if received == 0 {
                bail!("the server has closed the connection");
            }
        }
    }

    /// So much of the stream, `speed` times as fast as it would happen. Says what was sent.
    pub(crate) async fn send(&mut self, source: &Source, length: Duration, speed: u32) -> Result<Count> {
        self.send_noting(source, length, speed, |_| {}).await
    }

    /// The same; `note` is told of each tag when it is due.
    pub(crate) async fn send_noting(
        &mut self,
        source: &Source,
        length: Duration,
        speed: u32,
        mut note: impl FnMut(&FileTag),
    ) -> Result<Count> {
        let began = Instant::now();
        let mut count = Count::default();
        for tag in source.tags(length.as_millis() as i64) {
            let due = began + Duration::from_millis(tag.timestamp_ms.unsigned_abs()) / speed;
            if due > Instant::now() {
                self.flush().await?;
                self.hear();
                sleep_until(due).await;
            }
            count.add(&tag);
            note(&tag);
            self.client.send(tag.kind, tag.timestamp_ms, tag.payload);
            // In real time each message is a write of its own, as encoders have it.
            if speed == 1 || self.client.output().remaining() > 64 << 10 {
                self.flush().await?;
            }
        }
        self.flush().await?;
        Ok(count)
    }

    /// Ends the publish in good order, and returns when the server has closed or the half of a second is over.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.client.unpublish();
        self.flush().await?;
        self.stream.shutdown().await?;
        let rest = async { while self.stream.read(&mut [0; 4_096]).await.is_ok_and(|read| read > 0) {} };
        // Its recording is what is waited for, not its socket.
        let _ = tokio::time::timeout(Duration::from_millis(500), rest).await;
        Ok(())
    }

    /// Takes in what the server says meanwhile: acknowledgements, and pings that must be answered.
    fn hear(&mut self) {
        let mut buffer = [0; 1_024];
        while let Ok(received @ 1..) = self.stream.try_read(&mut buffer) {
            let mut input = &buffer[..received];
            while !input.is_empty() && self.client.input(&mut input).is_ok() {}
        }
    }

    async fn flush(&mut self) -> Result<()> {
        let output = self.client.output();
        if output.has_remaining() {
            self.stream.write_all_buf(output).await.context("the server takes nothing more")?;
        }
        Ok(())
    }
}

/// A runtime for publishers: the other core is the server's.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}
