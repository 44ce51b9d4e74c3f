//! A request that says the same as the one before it on its connection, but for its range, is answered where it arrives: caches and players take a recording
//! piece by piece, and what is worked out for each piece costs more than sending it.
//!
//! This is no second reader of HTTP. hyper has read the request once, whole; of the next it is only looked whether its bytes are the same. Whatever differs, or
//! comes in pieces, or behind another, hyper is given as it came. The answer is the one that was given before, with other bytes of the same resource,
//! as long as that resource says that it would be.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, DATE, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::time::Instant;

use super::request::{RequestId, X_REQUEST_ID};
use super::sendfile::{FilePart, Sendable, SendsFiles};

/// The longest request that is remembered, and what is read at a time until it is known whether there is something to remember.
const MAX_HEAD_BYTES: usize = 4096;
/// The longest piece that is copied, once, on the connection's own thread.
pub const MAX_PIECE_BYTES: u64 = 128 * 1024;

thread_local! {
    /// Between reading and writing a piece nothing waits, so that one a thread is enough, and is still in the processor's cache.
    static PIECE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
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

/// What is remembered of a request and its answer.
struct Known {
    /// The request as it came, without the value of its `Range`.
    before: Vec<u8>,
    after: Vec<u8>,
    /// The answer's status line, and all headers that are the same for each piece.
    head: Vec<u8>,
    of: Arc<dyn Ranged>,
}

impl Known {
    /// `None` where the request is not one that can be told by its bytes, or these are not the ones that hyper has read it from.
    fn new(request: &[u8], Piece { of, headers, line }: Piece) -> Option<Self> {
        let value = value_of_range(request)?;
        if !request.starts_with(line.as_bytes()) {
            return None;
        }
        let mut head = b"HTTP/1.1 206 Partial Content\r\n".to_vec();
        for (name, value) in &headers {
            if [CONTENT_LENGTH, CONTENT_RANGE, DATE, X_REQUEST_ID].contains(name) {
                continue;
            }
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        Some(Self { before: request[..value.start].to_vec(), after: request[value.end..].to_vec(), head, of })
    }

    /// The value of the `Range` header of a request that is the same in all else.
    fn range<'a>(&self, request: &'a [u8]) -> Option<&'a str> {
        let value = request.strip_prefix(self.before.as_slice())?.strip_suffix(self.after.as_slice())?;
        // Nothing that could end the header, or be read over.
        let is_plain = value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'-'));
        is_plain.then(|| str::from_utf8(value).ok()).flatten()
    }

    fn head(&self, piece: &Range<u64>, whole: u64) -> Vec<u8> {
        let mut head = Vec::with_capacity(self.head.len() + 256);
        head.extend_from_slice(&self.head);
        let Range { start, end } = *piece;
        let (id, date) = (RequestId::random(), httpdate::HttpDate::from(SystemTime::now()));
        // Into memory: cannot fail.
        let _ = write!(
            head,
            "{X_REQUEST_ID}: {}\r\ncontent-length: {}\r\ncontent-range: bytes {start}-{}/{whole}\r\ndate: {date}\r\n\r\n",
            id.0,
            end - start,
            end - 1,
        );
        head
    }
}

/// Where the value of a request's one `Range` header lies in it.
fn value_of_range(request: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    let mut start = 0;
    for line in request.split_inclusive(|byte| *byte == b'\n') {
        let name_bytes = b"range:".len();
        if line.get(..name_bytes).is_some_and(|name| name.eq_ignore_ascii_case(b"range:")) {
            if found.is_some() {
                return None;
            }
            let (from, to) = (start + name_bytes, start + line.strip_suffix(b"\r\n")?.len());
            let spaces = request[from..to].iter().take_while(|byte| **byte == b' ').count();
            found = Some(from + spaces..to);
        }
        start += line.len();
    }
    found
}

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
}

impl<S: Read + Write + SendsFiles + Unpin> Repeating<S> {
    pub fn new(stream: S, repeats: Repeats) -> Self {
        Self { stream, repeats, given: Given::Some(Vec::new()), known: None, rest: Vec::new(), is_flushed: true }
    }

    /// Answers the request, or begins to; `false` where it is for hyper.
    fn answer(&mut self, context: &mut Context<'_>, request: &[u8]) -> io::Result<bool> {
        let Some(known) = &self.known else { return Ok(false) };
        let Some((piece, whole)) = known.range(request).and_then(|range| known.of.piece(range)) else { return Ok(false) };
        if self.stream.is_on_sender()
            && let Some(file) = known.of.file()
        {
            self.rest = known.head(&piece, whole);
            self.stream.tell(FilePart { file, range: piece });
            self.is_flushed = false;
            return Ok(true);
        }
        if piece.end - piece.start > MAX_PIECE_BYTES {
            return Ok(false);
        }
        let length = (piece.end - piece.start) as usize;
        PIECE.with_borrow_mut(|buffer| {
            buffer.resize(buffer.len().max(length), 0);
            let buffer = &mut buffer[..length];
            if !known.of.read(piece.start, buffer) {
                return Ok(false);
            }
            let head = known.head(&piece, whole);
            let written = Pin::new(&mut self.stream).poll_write_vectored(context, &[IoSlice::new(&head), IoSlice::new(buffer)]);
            let written = match written {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            };
            let (of_head, of_piece) = (written.min(head.len()), written.saturating_sub(head.len()));
            self.rest.extend_from_slice(&head[of_head..]);
            self.rest.extend_from_slice(&buffer[of_piece..]);
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
        if matches!(this.given, Given::Much) {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        loop {
            ready!(this.poll_rest(context))?;
            let mut read = [MaybeUninit::uninit(); MAX_HEAD_BYTES];
            let room = buffer.remaining().min(MAX_HEAD_BYTES);
            let mut read = ReadBuf::uninit(&mut read[..room]);
            ready!(Pin::new(&mut this.stream).poll_read(context, read.unfilled()))?;
            let bytes = read.filled();
            if !bytes.is_empty() && this.answer(context, bytes)? {
                continue;
            }
            this.gives(bytes);
            buffer.put_slice(bytes);
            return Poll::Ready(Ok(()));
        }
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
        ready!(this.poll_rest(context))?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
