//! A connection that ends where its peer takes nothing of what is sent to it. Knows nothing of HTTP: one on which nothing is to be sent may be silent
//! for as long as it likes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// The stream, of which a write fails with `TimedOut` where the peer has taken nothing for so long.
pub(in crate::http) struct CutStalled {
    stream: TcpStream,
    after: Duration,
    timer: Pin<Box<Sleep>>,
    /// Whether a write waits, and the timer runs.
    is_waiting: bool,
    /// Whether the kernel took something since the timer ran out.
    has_room: bool,
}

/// Whether something can be sent that is not written by [`AsyncWrite`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::http) enum Room {
    Likely,
    /// The peer has taken nothing for so long: is to be tried once more, for the kernel wakes us only when a third of its buffer is free.
    LastTry,
}

impl CutStalled {
    pub(in crate::http) fn new(stream: TcpStream, after: Duration) -> Self {
        Self { stream, after, timer: Box::pin(sleep(after)), is_waiting: false, has_room: false }
    }

    pub(in crate::http) fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Waits until something can be sent.
    pub(in crate::http) fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Room>> {
        if let Poll::Ready(ready) = self.stream.poll_write_ready(context) {
            return Poll::Ready(ready.map(|()| Room::Likely));
        }
        self.start_timer();
        ready!(self.timer.as_mut().poll(context));
        self.is_waiting = false;
        Poll::Ready(Ok(Room::LastTry))
    }

    /// Something was sent.
    pub(in crate::http) fn has_sent(&mut self) {
        (self.is_waiting, self.has_room) = (false, false);
    }

    fn start_timer(&mut self) {
        if !self.is_waiting {
            self.is_waiting = true;
            self.timer.as_mut().reset(Instant::now() + self.after);
        }
    }

    /// What becomes of a write of `bytes` that tokio has answered so.
    fn watch(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            (self.is_waiting, self.has_room) = (false, false);
            return written;
        }
        self.start_timer();
        ready!(self.timer.as_mut().poll(context));
        // The kernel wakes us when a third of its buffer is free, which on a slow line may take longer: whether there is any room it says when asked. All that
        // there is is filled at once, as by sendfile: piece by piece, one a period, a reader that takes nothing would be waited for as long as it lasts.
        match rustix::io::writev(&self.stream, bytes) {
            Ok(taken) => {
                self.has_room = true;
                Poll::Ready(Ok(taken))
            }
            Err(rustix::io::Errno::WOULDBLOCK) if self.has_room => {
                (self.is_waiting, self.has_room) = (false, false);
                self.start_timer();
                ready!(self.timer.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

impl AsyncRead for CutStalled {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for CutStalled {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, &[IoSlice::new(bytes)], written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.watch(context, bytes, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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

    /// A connection whose every wait is too long, and its peer.
    async fn an_impatient_one() -> (CutStalled, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        (CutStalled::new(stream, Duration::ZERO), peer)
    }

    #[tokio::test]
    async fn who_takes_nothing_is_cut_and_who_takes_a_little_is_not() {
        let (mut connection, mut peer) = an_impatient_one().await;
        let bytes = vec![0; 64 * 1024];
        let cut = loop {
            if let Err(cut) = connection.write(&bytes).await {
                break cut;
            }
        };
        assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
        assert_eq!(connection.write(&bytes).await.unwrap_err().kind(), io::ErrorKind::TimedOut, "nothing was taken since");
        let mut taken = vec![0; 512 * 1024];
        peer.read_exact(&mut taken).await.unwrap();
        assert_ne!(connection.write(&bytes).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn who_waits_for_something_to_be_sent_is_not_cut() {
        let (mut connection, mut peer) = an_impatient_one().await;
        for _ in 0..3 {
            connection.write_all(b"news").await.unwrap();
            let mut news = [0; 4];
            peer.read_exact(&mut news).await.unwrap();
            assert!(connection.timer.is_elapsed() || !connection.is_waiting);
        }
    }
}
