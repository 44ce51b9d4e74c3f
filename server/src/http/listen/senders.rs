//! Threads that carry nothing but connections which are sent recordings: one a core, each with a runtime of its own, so that what arrives on a connection is
//! answered by the thread that was woken for it, and may send files itself. What a request asks is worked out where everything else is: at home.

use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;

/// As much of a first request as tells what it is for: a method, and the longest path of a recording under any region's own.
const LOOK_BYTES: usize = 1024;

/// As long as the process: all listeners share them.
static SENDERS: LazyLock<Vec<Handle>> = LazyLock::new(|| {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let senders: Vec<_> = (1..=count).map_while(start).collect();
    if senders.len() < count {
        tracing::warn!(
            senders = senders.len(),
            wanted = count,
            "not all threads for serving recordings could be started; they are served all the same"
        );
    }
    senders
});
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The runtime is made on the thread itself: where that cannot be started there is none to be dropped, which must not happen where others wait.
fn start(number: usize) -> Option<Handle> {
    let (tell, told) = std::sync::mpsc::channel();
    let run = move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        // Nobody who asked is gone.
        let _ = tell.send(runtime.handle().clone());
        runtime.block_on(std::future::pending::<std::io::Result<()>>())
    };
    std::thread::Builder::new().name(format!("vod-{number}")).spawn(run).ok()?;
    told.recv().ok()
}

/// The sender whose turn it is, where there are any.
pub(super) fn next() -> Option<&'static Handle> {
    SENDERS.get(NEXT.fetch_add(1, Ordering::Relaxed) % SENDERS.len().max(1))
}

/// Whether the first that arrives on the connection asks for a recording; reads nothing. An error where nothing arrives in time, or ever.
pub(super) async fn asks_for_recording(stream: &TcpStream, within: Duration) -> std::io::Result<bool> {
    let mut begin = [0; LOOK_BYTES];
    let length = timeout(within, stream.peek(&mut begin)).await??;
    Ok(is_for_recording(&begin[..length]))
}

/// By its method and the end of its path, which is enough to choose a thread by: whatever is guessed wrong is answered the same.
fn is_for_recording(request: &[u8]) -> bool {
    let Some(target) = request.strip_prefix(b"GET ").and_then(|rest| rest.split(|byte| *byte == b' ').next()) else {
        return false;
    };
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    path.len() < request.len() - b"GET ".len() && path.ends_with(b".mp4")
}

/// A body that is read, and dropped, as if it were at home: what it starts, waits for or opens is there, and does not wait for a sender.
struct AtHome {
    body: Option<Body>,
    home: Handle,
}

/// The answer as a sender may send it.
pub(super) fn at_home(answer: Response, home: &Handle) -> Response {
    answer.map(|body| Body::new(AtHome { body: Some(body), home: home.clone() }))
}

impl HttpBody for AtHome {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, home } = self.get_mut();
        let _home = home.enter();
        body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for AtHome {
    fn drop(&mut self) {
        let _home = self.home.enter();
        self.body = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_request_for_a_recording_is_known() {
        for yes in
            ["GET /vod-eu/8sKpm/8sKpm-x49nB.mp4 HTTP/1.1\r\n", "GET /a.mp4?upto=7 HTTP/1.0\r\n", "GET http://x/a.mp4 HTTP/1.1"]
        {
            assert!(is_for_recording(yes.as_bytes()), "{yes}");
        }
        for no in [
            "",
            "GET",
            "GET ",
            "GET /a.mp4",
            "GET /stream HTTP/1.1\r\n",
            "GET /?x=.mp4 HTTP/1.1\r\n",
            "HEAD /a.mp4 HTTP/1.1\r\n",
            "PUT /a.mp4 HTTP/1.1",
        ] {
            assert!(!is_for_recording(no.as_bytes()), "{no}");
        }
    }
}
