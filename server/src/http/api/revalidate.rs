//! Answers that programs ask for again and again: each has an ETag, and who has the same answer already gets 304 in its place. The answer is made all the same,
//! for this caller and after its credential was looked at; what is saved is its way and its reading.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, VARY};
use http::{HeaderValue, StatusCode};

use crate::http::error::internal;
use crate::http::{credentials, etag};

/// What everybody may see is stored by who asked and by nobody on the way, and never used without asking.
const CACHE_AND_ASK: HeaderValue = HeaderValue::from_static("private, no-cache");
/// What a credential shows can have keys in it, which are to lie in no store. Who sends one keeps the tag by itself.
const CACHE_NOWHERE: HeaderValue = HeaderValue::from_static("no-store");
/// What of a request an answer depends on besides its path, and which is worth telling: who asks, and whether for a page.
const VARIES_BY: HeaderValue =
    HeaderValue::from_static("accept, authorization, cookie, x-bintu-apikey, x-bintu-playerkey, x-bintu-token");

pub async fn layer(request: Request, next: Next) -> Response {
    let known: Vec<HeaderValue> = request.headers().get_all(IF_NONE_MATCH).iter().cloned().collect();
    let caching = if credentials::are_sent(request.headers()) { CACHE_NOWHERE } else { CACHE_AND_ASK };
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // Whole already: no call streams its answer.
    let bytes = match to_bytes(body, usize::MAX).await {
        Ok(bytes) => bytes,
        Err(cause) => return internal(cause),
    };
    let link = parts.headers.get(LINK).map_or(&[][..], HeaderValue::as_bytes);
    let tag = etag::of([&bytes[..], link]);
    let body = if etag::is_among(&known, &tag) {
        parts.status = StatusCode::NOT_MODIFIED;
        for of_body in [CONTENT_TYPE, CONTENT_LENGTH] {
            parts.headers.remove(of_body);
        }
        Body::empty()
    } else {
        Body::from(bytes)
    };
    parts.headers.insert(ETAG, tag);
    parts.headers.insert(CACHE_CONTROL, caching);
    parts.headers.append(VARY, VARIES_BY);
    Response::from_parts(parts, body)
}
