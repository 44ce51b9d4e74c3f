//! A request's body must have come within a named time: who trickles one in would hold a connection, and what waits for it, for as long as it likes.
//! The head's time is the listener's; how long a body may be is said where it is read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CONNECTION, CONTENT_LENGTH, LOCATION};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::error;
use super::listen::AddressHold;
use super::listen::waiting::{Stand, Waiting};
use super::repeat::Repeats;

/// All of a body, from the end of the head on; sooner where another needs the connection's place. No route reads long ones: calls and forms have 64 KiB at most.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers a request. Where its body has not come within `time`, whoever reads it gets an error, and the answer is 408, after which the connection is closed.
pub async fn in_time(time: Duration, request: Request, answer: impl AsyncFnOnce(Request) -> Response) -> Response {
    if hyper::body::Body::is_end_stream(request.body()) {
        return answer(request).await;
    }
    let is_late = Arc::new(AtomicBool::new(false));
    let until = Instant::now() + time;
    let waiting = request.extensions().get().map(|hold: &AddressHold| hold.waiting().clone());
    let timed = |body| Body::new(Timed { body, until, timer: None, waiting, stand: None, is_late: Arc::clone(&is_late) });
    let mut response = answer(request.map(timed)).await;
    if is_late.load(Ordering::Relaxed) {
        // What the handler made of its error; what the layers around it have said of other sites stays.
        let (refused, body) = error::too_slow().into_parts();
        *response.status_mut() = refused.status;
        *response.body_mut() = body;
        let headers = response.headers_mut();
        headers.remove(LOCATION);
        headers.remove(CONTENT_LENGTH);
        headers.extend(refused.headers);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A body that fails where it has not ended in time.
struct Timed {
    body: Body,
    until: Instant,
    /// Where it did not come with the head.
    timer: Option<Pin<Box<Sleep>>>,
    /// Among whom who does not send it stands.
    waiting: Option<Waiting>,
    stand: Option<Stand>,
    is_late: Arc<AtomicBool>,
}

impl hyper::body::Body for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if frame.is_none() {
                self.stand = None;
            }
            return Poll::Ready(frame);
        }
        let until = self.until;
        if let Some(waiting) = self.waiting.take() {
            self.stand = Some(waiting.begin(Repeats::default()));
        }
        let is_sent_away = self.stand.as_ref().is_some_and(|stand| stand.poll_sent_away(context).is_ready());
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if !is_sent_away {
            ready!(timer.as_mut().poll(context));
        }
        self.is_late.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::response::IntoResponse as _;
    use futures::{StreamExt as _, stream};
    use http::StatusCode;

    use super::*;

    /// Of a body that has come, how many bytes; of one that has not, a form's way back.
    async fn count(request: Request) -> Response {
        match to_bytes(request.into_body(), 64).await {
            Ok(bytes) => bytes.len().to_string().into_response(),
            Err(_) => (StatusCode::FOUND, [(LOCATION, "/"), (CONTENT_LENGTH, "0")], [("x-layer", "kept")]).into_response(),
        }
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_is_answered_408_and_the_connection_closed() {
        let begun = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"{"))]).chain(stream::pending());
        let late = in_time(Duration::from_millis(10), Request::new(Body::from_stream(begun)), count).await;
        assert_eq!(late.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(late.headers()[CONNECTION], "close");
        assert_eq!(late.headers()["x-layer"], "kept");
        assert!(!late.headers().contains_key(LOCATION) && !late.headers().contains_key(CONTENT_LENGTH));
        let told: serde_json::Value = serde_json::from_slice(&to_bytes(late.into_body(), 4_096).await.unwrap()).unwrap();
        assert_eq!(told["error"]["code"], 1004);
    }

    #[tokio::test]
    async fn a_body_that_has_come_is_read_however_little_time_there_is() {
        for (body, length) in [(Body::empty(), "0"), (Body::from("0123456789"), "10")] {
            let answer = in_time(Duration::ZERO, Request::new(body), count).await;
            assert_eq!(to_bytes(answer.into_body(), 64).await.unwrap(), length);
        }
    }
}
