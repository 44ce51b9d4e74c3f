//! A connection's socket, with TLS or without, watched or at a beat.
//!
//! An encoder sends some seventy small messages a second, and with each the kernel would wake a thread, which finds one frame to do: by far the most of what
//! a publish costs. So a publisher's socket is not watched. It is looked at each [`BEAT`], all publishers' at the same instant, and one wake-up
//! takes in what has come on all of them. What is received waits in the kernel meanwhile, the end of the connection behind it: neither is lost, both are later by a beat at most.
//!
//! One with TLS is watched always: what has come of a record that is not whole waits in the cipher, and not in the kernel.

use std::io::{self, Read as _, Write as _};
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest, Ready};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_rustls::server::TlsStream;

/// By so much at most a frame reaches the hub later. Less than the time from one picture to the next.
const BEAT: Duration = Duration::from_millis(25);
/// Where nobody watches: a recording does not mind. Of four beats, so that these publishers and the others are looked at together.
const SLOW_BEAT: Duration = Duration::from_millis(100);
/// How soon a publisher is looked at again that has filled the buffer since the last time, as one does that sends a file as fast as it can.
const HASTE: Duration = Duration::from_millis(1);
/// How soon a publisher that took nothing of what it is sent is tried again. It is sent little.
const WRITE_PAUSE: Duration = Duration::from_millis(10);

/// How often it is looked whether a peer has left of whom unread bytes wait.
const LOOK_WHETHER_LEFT: Duration = Duration::from_millis(100);
/// What of a peer that has left over TLS waits unread at the most, where that is no more than its good-bye: one short record.
const MAX_GOODBYE_BYTES: usize = 64;

/// The instant from which beats are counted, the same for all connections.
static FIRST_BEAT: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(super) enum Socket {
    Watched(TcpStream),
    Paced(Paced),
    Tls(Box<TlsStream<TcpStream>>),
    /// Has failed on its way from one to the other.
    Broken,
}

pub(super) struct Paced {
    /// Does not block.
    stream: std::net::TcpStream,
    beat: Duration,
    /// When there is something to be read again; `None`: perhaps now.
    wait: Option<Instant>,
}

impl Socket {
    /// From now on to be looked at each beat.
    pub(super) fn pace(&mut self) -> io::Result<()> {
        *self = match std::mem::replace(self, Self::Broken) {
            Self::Watched(stream) => Self::Paced(Paced { stream: stream.into_std()?, beat: BEAT, wait: None }),
            other => other,
        };
        Ok(())
    }

    /// Where it is looked at each beat: whether somebody waits for what comes.
    pub(super) fn set_awaited(&mut self, is_awaited: bool) {
        if let Self::Paced(paced) = self {
            paced.beat = if is_awaited { BEAT } else { SLOW_BEAT };
        }
    }

    /// From now on to be watched: what is asked for is answered at once.
    pub(super) fn watch(&mut self) -> io::Result<()> {
        *self = match std::mem::replace(self, Self::Broken) {
            Self::Paced(paced) => Self::Watched(TcpStream::from_std(paced.stream)?),
            other => other,
        };
        Ok(())
    }

    /// Receives what there is, and waits where that is nothing; 0 at the end. Safe to cancel.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Watched(stream) => stream.read(buffer).await,
            Self::Paced(paced) => paced.read(buffer).await,
            Self::Tls(stream) => stream.read(buffer).await,
            Self::Broken => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Completes when the peer has closed its side and all that came before has been read; never while the socket is looked at each beat. Reads nothing itself.
    pub(super) async fn left(&self) {
        match self {
            Self::Watched(stream) => {
                while stream.peek(&mut [0]).await.is_ok_and(|waiting| waiting > 0) {
                    sleep(LOOK_WHETHER_LEFT).await;
                }
            }
            Self::Tls(stream) => tls_peer_left(stream.get_ref().0).await,
            Self::Paced(_) | Self::Broken => std::future::pending().await,
        }
    }

    pub(super) async fn write_all(&mut self, output: &mut impl Buf) -> io::Result<()> {
        match self {
            Self::Watched(stream) => stream.write_all_buf(output).await,
            Self::Paced(paced) => paced.write_all(output).await,
            Self::Tls(stream) => {
                stream.write_all_buf(output).await?;
                stream.flush().await
            }
            Self::Broken => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Says that nothing more will be sent.
    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        self.watch()?;
        match self {
            Self::Watched(stream) => stream.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
            Self::Paced(_) | Self::Broken => Ok(()),
        }
    }
}

/// Completes when nothing waits any more behind which the peer has closed its side, but its good-bye.
async fn tls_peer_left(stream: &TcpStream) {
    let mut waiting = [0; MAX_GOODBYE_BYTES + 1];
    loop {
        let Ok(waiting) = stream.peek(&mut waiting).await else { return };
        let is_closed = stream.ready(Interest::READABLE).await.is_ok_and(Ready::is_read_closed);
        if waiting == 0 || (is_closed && waiting <= MAX_GOODBYE_BYTES) {
            return;
        }
        sleep(LOOK_WHETHER_LEFT).await;
    }
}

impl Paced {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(wait) = self.wait {
                // Who was busy past it comes back once before it reads: whoever selects looks at the rest as well.
                if wait <= Instant::now() {
                    yield_now().await;
                }
                sleep_until(wait).await;
                self.wait = None;
            }
            match self.stream.read(buffer) {
                Ok(received) => {
                    // A full buffer: there may be more, and soon. Else all has been read.
                    let full = received == buffer.len();
                    self.wait = Some(if full { Instant::now() + HASTE } else { next(self.beat) });
                    return Ok(received);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait = Some(next(self.beat)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn write_all(&mut self, output: &mut impl Buf) -> io::Result<()> {
        while output.has_remaining() {
            match self.stream.write(output.chunk()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => output.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(WRITE_PAUSE).await,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Never now: who has just looked looks once a beat.
fn next(beat: Duration) -> Instant {
    let beat = beat.as_micros();
    let passed = FIRST_BEAT.elapsed().as_micros() / beat * beat + beat;
    *FIRST_BEAT + Duration::from_micros(u64::try_from(passed).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    /// What the server sees of a peer that has sent so many bytes.
    async fn peer_that_sent(bytes: usize) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        peer.write_all(&vec![7; bytes]).await.unwrap();
        (stream, peer)
    }

    #[tokio::test]
    async fn a_peer_over_tls_has_left_with_its_goodbye_and_not_while_more_is_unread() {
        for (bytes, leaves, has_left) in [(0, true, true), (31, true, true), (31, false, false), (2_000, true, false)] {
            let (stream, peer) = peer_that_sent(bytes).await;
            let peer = (!leaves).then_some(peer);
            let waited = if has_left { Duration::from_secs(30) } else { 2 * LOOK_WHETHER_LEFT };
            assert_eq!(timeout(waited, tls_peer_left(&stream)).await.is_ok(), has_left, "{bytes} {leaves}");
            drop(peer);
        }
    }
}
