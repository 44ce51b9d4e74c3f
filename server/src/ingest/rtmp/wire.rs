//! A session on its socket: bytes in, events out, bytes out again.

use std::io;

use afterlive_media::rtmp::{self, Event, Session};
use bytes::Buf;
use tokio::time::timeout;

use super::socket::Socket;
use super::{FAREWELL_TIMEOUT, WRITE_TIMEOUT};

/// What is read at a time of a stranger.
const STRANGER_READ_BYTES: usize = 4 << 10;
/// What is read at a time of a publisher: some frames at 20 Mbit/s.
const PUBLISHER_READ_BYTES: usize = 64 << 10;

/// Why a connection ends without a word.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    #[error("the peer closed the connection")]
    Peer,
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("the peer takes nothing of what it is sent")]
    Stuck,
    #[error("it asked for nothing in time")]
    TooSlow,
    #[error("its place was needed")]
    Evicted,
    #[error("the server stops")]
    ServerStops,
    #[error("{0}")]
    Protocol(#[from] rtmp::Error),
}

pub(super) struct Wire {
    socket: Socket,
    session: Session,
    buffer: Box<[u8]>,
    /// What of the buffer has been received and not read.
    unread: std::ops::Range<usize>,
    sent_bytes: u64,
}

impl Wire {
    pub(super) fn new(socket: Socket, session: Session) -> Self {
        Self { socket, session, buffer: vec![0; STRANGER_READ_BYTES].into(), unread: 0..0, sent_bytes: 0 }
    }

    pub(super) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Reads in larger pieces and at a beat from now on.
    pub(super) fn expect_media(&mut self) -> Result<(), Closed> {
        if self.buffer.len() < PUBLISHER_READ_BYTES {
            let mut buffer = vec![0; PUBLISHER_READ_BYTES];
            buffer[..self.unread.len()].copy_from_slice(&self.buffer[self.unread.clone()]);
            self.unread = 0..self.unread.len();
            self.buffer = buffer.into();
        }
        Ok(self.socket.pace()?)
    }

    /// Whether somebody waits for the media: it is received later where nobody does.
    pub(super) fn set_awaited(&mut self, is_awaited: bool) {
        self.socket.set_awaited(is_awaited);
    }

    /// Reads what is asked for at once from now on.
    pub(super) fn expect_requests(&mut self) -> Result<(), Closed> {
        Ok(self.socket.watch()?)
    }

    /// Completes when the peer has left and all that it sent has been read; reads nothing itself.
    pub(super) async fn left(&self) {
        if !self.unread.is_empty() {
            return std::future::pending().await;
        }
        self.socket.left().await;
    }

    /// The next event in what has been received. Its answer, or what the session has to say by itself, waits for [`Self::flush`].
    pub(super) fn received_event(&mut self) -> Result<Option<Event>, Closed> {
        let mut input = &self.buffer[self.unread.clone()];
        let event = self.session.input(&mut input);
        self.unread.start = self.unread.end - input.len();
        Ok(event?)
    }

    /// Receives more; to be called when all that was received has been read. Safe to cancel.
    pub(super) async fn receive(&mut self) -> Result<(), Closed> {
        debug_assert!(self.unread.is_empty(), "a request was left without an answer");
        let received = self.socket.read(&mut self.buffer).await?;
        self.unread = 0..received;
        if received == 0 { Err(Closed::Peer) } else { Ok(()) }
    }

    /// The next event; what the session says on the way is sent. Safe to cancel while nothing is being sent.
    pub(super) async fn next_event(&mut self) -> Result<Event, Closed> {
        loop {
            let event = self.received_event()?;
            self.flush().await?;
            match event {
                Some(event) => return Ok(event),
                None => self.receive().await?,
            }
        }
    }

    /// Sends what the session has to say.
    pub(super) async fn flush(&mut self) -> Result<(), Closed> {
        let output = self.session.output();
        if !output.has_remaining() {
            return Ok(());
        }
        self.sent_bytes += output.remaining() as u64;
        timeout(WRITE_TIMEOUT, self.socket.write_all(output)).await.map_err(|_| Closed::Stuck)??;
        Ok(())
    }

    /// Of the whole connection.
    pub(super) fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Sends the last words and closes. What the peer still sends is read and dropped for a while: closing over unread bytes would reset
    /// the connection, and the words would be lost.
    pub(super) async fn farewell(mut self) {
        let farewell = async {
            self.flush().await?;
            self.socket.shutdown().await?;
            while self.socket.read(&mut self.buffer).await? > 0 {}
            Ok::<(), Closed>(())
        };
        // However it ends, the connection is over.
        let _ = timeout(FAREWELL_TIMEOUT, farewell).await;
    }
}
