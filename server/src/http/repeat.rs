//! A request that says the same as the one before it on its connection, but for its range, is answered where it arrives: caches and players take a recording
//! piece by piece, and what is worked out for each piece costs more than sending it.
//!
//! This is no second reader of HTTP. hyper has read the request once, whole; of the next it is only looked whether its bytes are the same. Whatever differs, or
//! comes in pieces, or behind another, hyper is given as it came. The answer is the one that was given before, with other bytes of the same resource,
//! as long as that resource says that it would be.

mod ahead;
mod known;

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use http::header::UPGRADE;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::time::Instant;

pub use self::ahead::Shared;
use self::known::Known;
use super::sendfile::{FilePart, Sendable, SendsFiles};

/// The longest request that is remembered, and what is read at a time until it is known whether there is something to remember.
const MAX_HEAD_BYTES: usize = 4096;
/// The longest piece that is copied, once, on the connection's own thread.
pub const MAX_PIECE_BYTES: u64 = 128 * 1024;

thread_local! {
    /// The head of an answer and its piece. Between reading and writing them nothing waits, so that one a thread is enough, and is still in the processor's cache.
    static ANSWER: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// Something of which a piece has been sent, and others can be.
pub trait Ranged: fmt::Debug + Send + Sync {
    /// What the value of a `Range` header names, and how long the whole is; `None` where anything but the piece would be different from the last answer.
    fn piece(&self, range: &str) -> Option<(Range<u64>, u64)>;

    /// The file that it is, for connections that send files by themselves.
    fn file(&self) -> Option<Arc<dyn Sendable>>;

    /// Fills the buffer from there on, if that can be done without waiting.
    fn read(&self, start: u64, buffer: &mut [u8]) -> bool;
}

/// Extension of an answer of 206 to a request without conditions: of what it is a piece.
#[derive(Clone, Debug)]
pub struct PieceOf(pub Arc<dyn Ranged>);

/// Where the first empty line ends. Lines may end without a carriage return: who reads them so sees the end there.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let mut ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    ends.find_map(|at| match bytes[at..] {
        [b'\n', ..] => Some(at + 1),
        [b'\r', b'\n', ..] => Some(at + 2),
        _ => None,
    })
}

/// What hangs on the request, of whether the next may be answered like it.
pub struct Asked {
    /// The first line, as it was sent where it was sent plainly. `None` where more may come of the request than an answer.
    line: Option<(Method, Uri)>,
    has_body: bool,
}

impl Asked {
    pub fn new<B: Body>(request: &Request<B>) -> Self {
        let has_body = !request.body().is_end_stream();
        // A connection that may become another protocol's is dropped by hyper, at a stop, without being shut down.
        let is_plain = request.version() == Version::HTTP_11 && !has_body && !request.headers().contains_key(UPGRADE);
        Self { line: is_plain.then(|| (request.method().clone(), request.uri().clone())), has_body }
    }
}

/// A piece that was answered.
struct Piece {
    of: Arc<dyn Ranged>,
    headers: HeaderMap,
    /// The first line of the request.
    line: String,
}

/// What the answering half of a connection tells the half that reads and writes.
#[derive(Default)]
struct Told {
    /// All of the answer has been given to hyper.
    is_answered: bool,
    /// Bytes that come after the request may be its body, whether somebody reads that or not.
    has_body: bool,
    piece: Option<Piece>,
    /// Whether an answer is being sent of which hyper knows nothing, and when the last such was.
    is_sending: bool,
    sent_at: Option<Instant>,
}

/// The two halves' common knowledge, one a connection.
#[derive(Clone, Default)]
pub struct Repeats(Arc<Mutex<Told>>);

impl Repeats {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the connection was last seen not idle, with something that hyper does not know of; `None` where it knows of all.
    pub fn busy_at(&self, now: Instant) -> Option<Instant> {
        let told = self.lock();
        if told.is_sending { Some(now) } else { told.sent_at }
    }

    /// The answer as hyper is to have it.
    pub fn outgoing<B>(&self, mut answer: Response<B>, asked: Asked) -> Response<Outgoing<B>> {
        let of = answer.extensions_mut().remove::<PieceOf>().filter(|_| answer.status() == StatusCode::PARTIAL_CONTENT);
        let piece = of.zip(asked.line).map(|(PieceOf(of), (method, uri))| Piece {
            of,
            headers: answer.headers().clone(),
            line: format!("{method} {uri} HTTP/1.1\r\n"),
        });
        *self.lock() = Told { has_body: asked.has_body, piece, ..Told::default() };
        answer.map(|body| Outgoing { body, _end: End(self.clone()) })
    }
}

/// A body that tells when hyper has had all of it.
pub struct Outgoing<B> {
    body: B,
    _end: End,
}

struct End(Repeats);

impl Drop for End {
    fn drop(&mut self) {
        self.0.lock().is_answered = true;
    }
}

impl<B: Body + Unpin> Body for Outgoing<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What hyper has been given since the last request.
enum Given {
    /// The beginning of a request, or nothing.
    Some(Vec<u8>),
    /// One request, and nothing behind it.
    Request(Vec<u8>),
    /// It cannot be said any more where a request begins.
    Much,
}

/// A connection that answers repeats before hyper sees them.
pub struct Repeating<S> {
    stream: S,
    repeats: Repeats,
    given: Given,
    /// Where there is one, hyper has nothing to read and nothing to write.
    known: Option<Known>,
    /// Of an answer that the socket had no room for; behind it comes what the connection has been told to send.
    rest: Vec<u8>,
    is_flushed: bool,
    /// What has arrived without hyper having asked, and is for it.
    left: Option<io::Result<Vec<u8>>>,
}

impl<S: Read + Write + SendsFiles + Unpin> Repeating<S> {
    pub fn new(stream: S, repeats: Repeats) -> Self {
        Self { stream, repeats, given: Given::Some(Vec::new()), known: None, rest: Vec::new(), is_flushed: true, left: None }
    }

    /// Answers the request, or begins to; `false` where it is for hyper.
    fn answer(&mut self, context: &mut Context<'_>, request: &[u8]) -> io::Result<bool> {
        let Some(known) = &self.known else { return Ok(false) };
        let Some((piece, whole)) = known.range(request).and_then(|range| known.of.piece(range)) else { return Ok(false) };
        ANSWER.with_borrow_mut(|(head, buffer)| {
            let mut bytes = None;
            if piece.end - piece.start <= MAX_PIECE_BYTES {
                let length = (piece.end - piece.start) as usize;
                buffer.resize(buffer.len().max(length), 0);
                bytes = known.of.read(piece.start, &mut buffer[..length]).then_some(&buffer[..length]);
            }
            // What is not written now, and of a longer piece all, the connection sends by itself where it can, and nothing need be kept of it.
            let file = if self.stream.is_on_sender() { known.of.file() } else { None };
            if bytes.is_none() && file.is_none() {
                return Ok(false);
            }
            let bytes = bytes.unwrap_or_default();
            head.clear();
            known.put_head(head, &piece, whole);
            let written = Pin::new(&mut self.stream).poll_write_vectored(context, &[IoSlice::new(head), IoSlice::new(bytes)]);
            let written = match written {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            };
            let (of_head, of_piece) = (written.min(head.len()), written.saturating_sub(head.len()));
            self.rest.extend_from_slice(&head[of_head..]);
            match file {
                Some(file) => self.stream.tell(FilePart { file, range: piece.start + of_piece as u64..piece.end }),
                None => self.rest.extend_from_slice(&bytes[of_piece..]),
            }
            self.is_flushed = false;
            Ok(true)
        })
    }

    /// Sends what is left of the last answer.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_flushed {
            return Poll::Ready(Ok(()));
        }
        let sent = self.poll_send(context);
        let mut told = self.repeats.lock();
        told.is_sending = sent.is_pending();
        if sent.is_ready() {
            told.sent_at = Some(Instant::now());
            self.is_flushed = true;
        }
        sent
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest.drain(..written);
        }
        // Not kept for a connection that may stand idle.
        self.rest = Vec::new();
        ready!(self.stream.poll_send_told(context))?;
        // Over TLS there may be much left, though all was written.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Answers repeats until something else arrives, which is not longer than `room`.
    fn poll_other<T>(
        &mut self,
        context: &mut Context<'_>,
        room: usize,
        take: impl FnOnce(&mut Self, &[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(self.poll_rest(context))?;
            let mut read = [MaybeUninit::uninit(); MAX_HEAD_BYTES];
            let mut read = ReadBuf::uninit(&mut read[..room.min(MAX_HEAD_BYTES)]);
            ready!(Pin::new(&mut self.stream).poll_read(context, read.unfilled()))?;
            let bytes = read.filled();
            if bytes.is_empty() || !self.answer(context, bytes)? {
                return Poll::Ready(Ok(take(self, bytes)));
            }
        }
    }

    /// Answers repeats without hyper, where that has nothing to do but wait for a request. Ready when there is something for it, which is kept until it asks.
    fn poll_for_hyper(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // All else it waits for itself.
        if self.known.is_none() || self.left.is_some() {
            return Poll::Pending;
        }
        self.left = Some(ready!(self.poll_other(context, MAX_HEAD_BYTES, |_, bytes| bytes.to_vec())));
        Poll::Ready(())
    }

    /// hyper gets these bytes.
    fn gives(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.known = None;
        if let Given::Request(_) = self.given {
            let mut told = self.repeats.lock();
            // Before all of the answer to it: behind it, or its body.
            let is_next = std::mem::take(&mut told.is_answered) && !told.has_body;
            drop(told);
            self.given = if is_next { Given::Some(Vec::new()) } else { Given::Much };
        }
        let Given::Some(request) = &mut self.given else { return };
        request.extend_from_slice(bytes);
        self.given = match end_of_head(request) {
            Some(end) if end == request.len() && end <= MAX_HEAD_BYTES => Given::Request(std::mem::take(request)),
            None if request.len() <= MAX_HEAD_BYTES => return,
            Some(_) | None => Given::Much,
        };
    }
}

impl<S: Read + Write + SendsFiles + Unpin> Read for Repeating<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, mut buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let room = buffer.remaining();
        if let Some(left) = this.left.take() {
            let mut bytes = left?;
            let rest = bytes.split_off(room.min(bytes.len()));
            this.left = (!rest.is_empty()).then_some(Ok(rest));
            this.gives(&bytes);
            buffer.put_slice(&bytes);
            return Poll::Ready(Ok(()));
        }
        if matches!(this.given, Given::Much) {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        this.poll_other(context, room, |this, bytes| {
            this.gives(bytes);
            buffer.put_slice(bytes);
        })
    }
}

impl<S: Read + Write + SendsFiles + Unpin> Write for Repeating<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has written all that it has.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_flush(context))?;
        if let Given::Request(request) = &this.given {
            let mut told = this.repeats.lock();
            if std::mem::take(&mut told.is_answered) {
                let (has_body, piece) = (told.has_body, told.piece.take());
                drop(told);
                this.known = piece.and_then(|piece| Known::new(request, piece));
                this.given = if has_body { Given::Much } else { Given::Some(Vec::new()) };
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Between two requests, as when the server stops: the answer that hyper does not know of is sent before.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // No other is begun.
        this.known = None;
        ready!(this.poll_rest(context))?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
