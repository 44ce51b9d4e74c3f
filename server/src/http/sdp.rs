//! What WHIP and WHEP have in common over HTTP: an SDP offer in a request's body, the answer with the place of the session, and who may ask from where.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, LINK, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use http_body_util::LengthLimitError;
use tokio::time::timeout;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::credentials::CREDENTIAL_HEADERS;
use super::error;
use crate::rtc::{Answer, MAX_SDP_BYTES};
use afterlive_domain::Error as Refusal;

pub(super) const SDP: &str = "application/sdp";
/// Candidates that a client found after its offer, RFC 8840 §9.
pub(super) const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// How long a body of so few bytes may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Pages of any origin may publish and watch: what they may do hangs on the stream's name and on tokens, never on a cookie of ours.
pub(super) fn cors() -> CorsLayer {
    let headers = CREDENTIAL_HEADERS.into_iter().chain([ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH]);
    CorsLayer::new()
        .allow_origin(AllowOrigin::any())
        .allow_methods([Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers(headers.collect::<Vec<HeaderName>>())
        .expose_headers([ETAG, LINK, LOCATION, RETRY_AFTER, HeaderName::from_static("x-request-id")])
}

/// The offer in the body.
pub(super) async fn take_offer(request: Request) -> Result<String, Response> {
    take_text(request, SDP, BODY_TIMEOUT).await
}

async fn take_text(request: Request, media_type: &'static str, time: Duration) -> Result<String, Response> {
    if !is_of_type(request.headers(), media_type) {
        return Err(error::wrong_media_type(media_type));
    }
    let body = timeout(time, to_bytes(request.into_body(), MAX_SDP_BYTES)).await.map_err(|_| error::too_slow())?;
    let bytes = body.map_err(|cause| {
        use std::error::Error as _;
        let too_large = cause.source().is_some_and(<dyn std::error::Error>::is::<LengthLimitError>);
        error::refuse(&match too_large {
            true => Refusal::BodyTooLarge { limit_bytes: MAX_SDP_BYTES as u64 },
            // The client went away in mid-body; nobody reads this.
            false => not_text(),
        })
    })?;
    String::from_utf8(bytes.into()).map_err(|_| error::refuse(&not_text()))
}

fn not_text() -> Refusal {
    Refusal::WrongType { parameter: "body".to_owned(), expected: "SDP".to_owned() }
}

/// Whether the body is of this type, whatever parameters it has.
fn is_of_type(headers: &HeaderMap, media_type: &str) -> bool {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).and_then(|value| value.split(';').next());
    sent.is_some_and(|sent| sent.trim().eq_ignore_ascii_case(media_type))
}

/// 201: the session is there, at `location`.
pub(super) fn created(location: &str, answer: Answer) -> Response {
    let headers =
        [(CONTENT_TYPE, SDP), (LOCATION, location), (ETAG, &format!("\"{}\"", answer.ice_ufrag)), (CACHE_CONTROL, "no-store")];
    (StatusCode::CREATED, headers, answer.sdp).into_response()
}

/// Candidates that come later are not needed: we answer whoever asks, from wherever. A new start of ICE is not offered; a new session is as quick.
pub(super) async fn trickle(request: Request) -> Response {
    let fragment = match take_text(request, FRAGMENT, BODY_TIMEOUT).await {
        Ok(fragment) => fragment,
        Err(refusal) => return refusal,
    };
    if fragment.lines().any(|line| line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates")) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        error::no_ice_restart()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_that_does_not_end_is_not_waited_for() {
        let endless = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let request = Request::builder().header(CONTENT_TYPE, SDP).body(endless).unwrap();
        let refused = take_text(request, SDP, Duration::from_millis(10)).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::REQUEST_TIMEOUT);
        let request = Request::builder().header(CONTENT_TYPE, SDP).body(Body::from("v=0\r\n")).unwrap();
        assert_eq!(take_text(request, SDP, BODY_TIMEOUT).await.unwrap(), "v=0\r\n");
    }
}
