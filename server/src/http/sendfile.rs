//! Long answers out of files go from the page cache to the socket by `sendfile(2)`: the bytes are never copied into the server, and back.
//!
//! hyper writes the head and counts the body. In place of the file's bytes it is given a *filler*, of which only the length is true; the connection knows the
//! filler by its address and has the file sent instead. An answer names its file by an extension, [`FilePart`], and has a body that reads the same bytes:
//! a server that knows nothing of all this sends that.
//!
//! `sendfile` waits for the disk where the page cache lacks something, so a thread that carries others' connections hands it over to one that may wait. A sender,
//! which carries nothing but recordings, first looks whether the bytes are there, and then sends them itself.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::{Buf, Bytes};
use hyper::body::{Frame, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::runtime::Handle;

use super::listen::stalled::{CutStalled, Room};

/// The most that is sent at a time, on one thread.
const SEND_BYTES: usize = 8 << 20;
/// How long that thread waits for a viewer who takes bytes as fast as they come: handing over to another thread and back, for each time the socket is full,
/// costs more. Who is slower is waited for without a thread.
const FAST: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
/// The most that a sender looks for in the page cache, and sends, at a time.
const SENDER_SEND_BYTES: u64 = 256 << 10;
/// Shorter answers are read and written: handing over to a thread that may wait for the disk, and back, would cost more than their two copies.
pub const MIN_BYTES: u64 = 1 << 20;

/// Stands for a file's bytes. Never read, so that it takes addresses and no memory.
static FILLER: LazyLock<Vec<u8>> = LazyLock::new(|| vec![0; SEND_BYTES]);

/// How many bytes a socket took, none where it is full.
pub type Sending = Pin<Box<dyn Future<Output = io::Result<usize>> + Send>>;

/// A file that can be sent.
pub trait Sendable: fmt::Debug + Send + Sync {
    /// Sends the beginning of the range, as much as a socket that does not wait has room for; waits for the disk on a thread that may.
    /// An error where the file ends before the range.
    fn send(self: Arc<Self>, socket: Arc<OwnedFd>, range: Range<u64>) -> Sending;

    /// The same on the thread that asks; `None`, and nothing sent, where the disk would have to be waited for.
    fn send_at_once(&self, socket: BorrowedFd<'_>, range: Range<u64>) -> Option<io::Result<usize>>;
}

/// A connection that may be able to send files by itself.
pub trait SendsFiles {
    /// Whether it sends files of any length by itself, on its own thread.
    fn is_on_sender(&self) -> bool;

    /// What is to be sent next, when all before it has been written. It may be nothing.
    fn tell(&mut self, part: FilePart);

    /// Sends what it was told to.
    fn poll_send_told(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Extension of an answer: what its body is. It must be as long as the body.
#[derive(Clone, Debug)]
pub struct FilePart {
    pub file: Arc<dyn Sendable>,
    pub range: Range<u64>,
}

/// What a connection has still to send of files, in the order in which hyper has been given their fillers.
#[derive(Clone, Default)]
pub struct Parts(Arc<Mutex<VecDeque<FilePart>>>);

impl Parts {
    fn lock(&self) -> MutexGuard<'_, VecDeque<FilePart>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes next, as much of it as is sent at a time.
    fn next(&self) -> io::Result<FilePart> {
        let mut part = self.lock().front().cloned().ok_or_else(|| io::Error::other("a filler without a file"))?;
        part.range.end = part.range.end.min(part.range.start + SEND_BYTES as u64);
        Ok(part)
    }

    fn sent(&self, bytes: usize) {
        let mut parts = self.lock();
        if let Some(part) = parts.front_mut() {
            part.range.start += bytes as u64;
            if part.range.is_empty() {
                parts.pop_front();
            }
        }
    }

    /// The answer as hyper is to write it on this connection.
    pub fn outgoing(&self, response: Response) -> http::Response<OutgoingBody> {
        let (mut head, body) = response.into_parts();
        let body = match head.extensions.remove::<FilePart>() {
            Some(part) => OutgoingBody::File { part: Some(part), parts: self.clone() },
            None => OutgoingBody::Made(body),
        };
        http::Response::from_parts(head, body)
    }
}

/// A body as a handler made it, or a file's filler.
pub enum OutgoingBody {
    Made(Body),
    File {
        /// `None` when hyper has been given it.
        part: Option<FilePart>,
        parts: Parts,
    },
}

impl hyper::body::Body for OutgoingBody {
    type Data = Piece;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, axum::Error>>> {
        match self.get_mut() {
            Self::Made(body) => Pin::new(body).poll_frame(cx).map_ok(|frame| frame.map_data(Piece::Bytes)),
            Self::File { part, parts } => Poll::Ready(part.take().map(|part| {
                let left = usize::try_from(part.range.end - part.range.start).map_err(axum::Error::new)?;
                parts.lock().push_back(part);
                Ok(Frame::data(Piece::Filler { left }))
            })),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Made(body) => body.is_end_stream(),
            Self::File { part, .. } => part.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Made(body) => body.size_hint(),
            Self::File { part, .. } => SizeHint::with_exact(part.as_ref().map_or(0, |part| part.range.end - part.range.start)),
        }
    }
}

/// Of a body.
pub enum Piece {
    Bytes(Bytes),
    Filler { left: usize },
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.remaining(),
            Self::Filler { left } => *left,
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes.chunk(),
            // Always from its first byte on, by which it is known again.
            Self::Filler { left } => &FILLER[..SEND_BYTES.min(*left)],
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Bytes(bytes) => bytes.advance(count),
            Self::Filler { left } => *left -= count,
        }
    }
}

fn is_filler(bytes: &[u8]) -> bool {
    std::ptr::eq(bytes.as_ptr(), FILLER.as_ptr())
}

/// A connection that sends files where it is given their fillers.
pub struct FileStream {
    stream: TokioIo<CutStalled>,
    parts: Parts,
    /// The socket once more, for threads that may still use it when the connection has been dropped.
    socket: Option<Arc<OwnedFd>>,
    sending: Option<Sending>,
    /// Where it has sent nothing the viewer has taken nothing for too long.
    is_last_try: bool,
    /// Where everything else is, for a connection on a sender.
    home: Option<Handle>,
}

impl FileStream {
    pub fn new(stream: CutStalled, parts: Parts, home: Option<Handle>) -> Self {
        Self { stream: TokioIo::new(stream), parts, socket: None, sending: None, is_last_try: false, home }
    }

    fn socket(&mut self) -> io::Result<Arc<OwnedFd>> {
        if let Some(socket) = &self.socket {
            return Ok(Arc::clone(socket));
        }
        let socket = Arc::new(self.stream.inner().socket().as_fd().try_clone_to_owned()?);
        Ok(Arc::clone(self.socket.insert(socket)))
    }

    /// Sends of the file that comes next.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            if let Some(sending) = &mut self.sending {
                let _home = self.home.as_ref().map(Handle::enter);
                let sent = ready!(sending.as_mut().poll(cx));
                self.sending = None;
                let sent = sent?;
                if sent > 0 {
                    self.parts.sent(sent);
                    self.stream.inner_mut().has_sent();
                    return Poll::Ready(Ok(sent));
                }
                if self.is_last_try {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
            self.is_last_try = ready!(self.stream.inner_mut().poll_room(cx))? == Room::LastTry;
            // The last try is the thread's that fills all the room there is: by small parts a viewer who takes nothing would be waited for as long as it lasts.
            if self.home.is_some()
                && !self.is_last_try
                && let Some(sent) = self.send_at_once(self.parts.next()?)
            {
                match sent {
                    Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                    Ok(sent) => {
                        self.parts.sent(sent);
                        self.stream.inner_mut().has_sent();
                        return Poll::Ready(Ok(sent));
                    }
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
                    Err(_) => continue,
                }
            }
            let socket = self.socket()?;
            // Asked within `try_io`, so that the runtime learns that the socket is full, and wakes us when it is not.
            let room = self.stream.inner().socket().try_io(Interest::WRITABLE, || has_room(&socket, AT_ONCE));
            match room {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
                Err(_) if !self.is_last_try => {}
                _ => {
                    let part = self.parts.next()?;
                    self.sending = Some(part.file.send(socket, part.range));
                }
            }
        }
    }

    /// Sends of the part on this thread; `None` where another must.
    fn send_at_once(&self, mut part: FilePart) -> Option<io::Result<usize>> {
        part.range.end = part.range.end.min(part.range.start + SENDER_SEND_BYTES);
        let socket = self.stream.inner().socket();
        let mut has_to_wait = false;
        // So that the runtime learns that the socket is full.
        let sent = socket.try_io(Interest::WRITABLE, || {
            let sent = part.file.send_at_once(socket.as_fd(), part.range.clone());
            has_to_wait = sent.is_none();
            sent.unwrap_or(Ok(0))
        });
        (!has_to_wait).then_some(sent)
    }
}

impl SendsFiles for FileStream {
    fn is_on_sender(&self) -> bool {
        self.home.is_some()
    }

    fn tell(&mut self, part: FilePart) {
        if !part.range.is_empty() {
            self.parts.lock().push_back(part);
        }
    }

    fn poll_send_told(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.parts.lock().is_empty() {
            ready!(self.poll_send(cx))?;
        }
        Poll::Ready(Ok(()))
    }
}

/// Any other connection is given bytes.
impl<S> SendsFiles for TokioIo<S> {
    fn is_on_sender(&self) -> bool {
        false
    }

    fn tell(&mut self, _: FilePart) {
        debug_assert!(false, "it sends no files");
    }

    fn poll_send_told(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Or has failed, as sending will tell.
fn has_room(socket: &OwnedFd, wait: Timespec) -> io::Result<()> {
    match poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&wait))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

/// Sends the range, or as much of it as a viewer takes without being waited for longer than [`FAST`]. `send` sends some of what is left, and says how much;
/// it does not wait for the socket. Blocks.
///
/// # Errors
/// Those of `send`, where nothing has been sent yet. [`io::ErrorKind::UnexpectedEof`] where it finds nothing to send.
pub fn send_fast(socket: &OwnedFd, range: Range<u64>, send: impl Fn(Range<u64>) -> io::Result<usize>) -> io::Result<usize> {
    let mut sent = 0;
    while range.start + (sent as u64) < range.end {
        match send(range.start + sent as u64..range.end) {
            Ok(0) if sent == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(0) => break,
            Ok(more) => sent += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if has_room(socket, FAST).is_err() {
                    break;
                }
            }
            Err(error) if sent == 0 => return Err(error),
            // The next attempt meets it again.
            Err(_) => break,
        }
    }
    Ok(sent)
}

impl Read for FileStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl Write for FileStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match slices.iter().position(|slice| is_filler(slice)) {
            Some(0) => this.poll_send(cx),
            filler => Pin::new(&mut this.stream).poll_write_vectored(cx, &slices[..filler.unwrap_or(slices.len())]),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
