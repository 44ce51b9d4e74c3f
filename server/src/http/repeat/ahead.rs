//! Repeats are answered ahead of hyper: while it has nothing to do but wait for the next request, what arrives on its connection is looked at without it, and it is
//! asked only where there is something for it.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use futures::task::AtomicWaker;
use hyper::rt::{Read, ReadBufCursor, Write};

use super::Repeating;
use crate::http::sendfile::SendsFiles;

/// The connection as hyper has it, and who looks at it before. Never waited for: both are polled by the same task.
pub struct Shared<S>(Arc<Mutex<Repeating<S>>>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Read + Write + SendsFiles + Unpin> Shared<S> {
    pub fn new(stream: Repeating<S>) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    fn lock(&self) -> MutexGuard<'_, Repeating<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drives `served`, in which hyper serves this connection. It is polled when it has been woken, whatever for, and when something has arrived that is no repeat.
    pub async fn serve_ahead(self, served: impl Future<Output = ()>) {
        let mut served = pin!(served);
        let called = Arc::new(Called { is_called: AtomicBool::new(true), task: AtomicWaker::new() });
        let waker = Waker::from(Arc::clone(&called));
        std::future::poll_fn(|context| {
            called.task.register(context.waker());
            loop {
                if called.is_called.swap(false, Ordering::AcqRel)
                    && served.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
                {
                    return Poll::Ready(());
                }
                // From here on it is this task that the socket wakes, where hyper only waits for a request.
                ready!(self.lock().poll_for_hyper(context));
                called.is_called.store(true, Ordering::Release);
            }
        })
        .await;
    }
}

/// Who wakes what hyper's side waits for: a socket, a timer, an answer, a stop.
struct Called {
    is_called: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_called.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<S: Read + Write + SendsFiles + Unpin> Read for Shared<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_read(context, buffer)
    }
}

impl<S: Read + Write + SendsFiles + Unpin> Write for Shared<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write(context, bytes)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.lock().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(context)
    }
}
