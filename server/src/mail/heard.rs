//! A connection to a mail server of which only so much is heard: until it has shown a certificate anybody may be speaking.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Failed;
use super::smtp::{CONNECT_PATIENCE, MAX_HEARD_BYTES};

#[derive(Debug)]
pub(super) struct Heard {
    stream: TcpStream,
    bytes: usize,
}

impl Heard {
    pub(super) async fn of(host: &str, port: u16) -> Result<Self, Failed> {
        let connected = timeout(CONNECT_PATIENCE, TcpStream::connect((host, port))).await.map_err(|_| Failed::TooSlow)?;
        let stream = connected.map_err(|cause| Failed::Unreachable(cause.to_string()))?;
        Ok(Self { stream, bytes: 0 })
    }
}

impl AsyncTokioStream for Heard {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Heard {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.bytes > MAX_HEARD_BYTES {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "it says more than mail servers do")));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.bytes += buffer.filled().len() - before;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_server_that_never_stops_is_not_heard_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
        });
        let mut heard = Heard::of("127.0.0.1", port).await.unwrap();
        // As who reads it does, a part at a time; a longer part would be heard whole.
        let (mut part, mut all) = ([0; 4_096], 0);
        let error = loop {
            match heard.read(&mut part).await {
                Ok(bytes) => all += bytes,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!((MAX_HEARD_BYTES..MAX_HEARD_BYTES + 2 * part.len()).contains(&all), "{all}");
    }
}
