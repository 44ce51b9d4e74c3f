//! The REST API: one folder a resource, one file a call. What they have in common (bodies, queries) stands beside them.

pub(super) mod asset;
mod audit;
pub(super) mod body;
mod calls;
pub(super) mod doc;
pub mod endpoint;
pub(super) mod json;
mod key;
pub mod openapi;
mod organisation;
pub(super) mod query;
mod revalidate;
mod stream;
mod tag;
mod token;
mod user;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::Response;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use tower::ServiceExt as _;
use tower_http::cors::{AllowOrigin, CorsLayer};

use self::calls::groups;
use super::credentials::CREDENTIAL_HEADERS;
use super::error;
use super::ui::asks_for_page;
use crate::service::Service;

/// Browsers keep the answer to a preflight for so long.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_hours(2);

/// Every call of the API. What a browser asks for as a page goes to `pages`, as does every path that is no call.
pub fn router(service: Arc<Service>, pages: Router) -> Router {
    let calls = groups().into_iter().flat_map(|group| group.calls);
    calls
        .fold(Router::new(), |routes, call| routes.route(call.path, call.route))
        .method_not_allowed_fallback(error::no_such_method)
        .route_layer(map_response(name_charset))
        .route_layer(cors())
        .route_layer(from_fn_with_state(pages.clone(), page_or_call))
        .with_state(service)
        .fallback_service(pages)
}

/// Programs in browsers may call from anywhere: what they may do hangs on the key they send, never on a cookie.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::any())
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(CREDENTIAL_HEADERS.into_iter().chain([ACCEPT, CONTENT_TYPE, IF_NONE_MATCH]).collect::<Vec<HeaderName>>())
        .expose_headers([ETAG, LINK, RETRY_AFTER, HeaderName::from_static("x-request-id")])
        .max_age(PREFLIGHT_MAX_AGE)
}

/// JSON is UTF-8 whether it says so or not; the original says so, and its clients may compare.
async fn name_charset(mut response: Response) -> Response {
    if response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json") {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
    response
}

async fn page_or_call(State(pages): State<Router>, request: Request, next: Next) -> Response {
    // The document is what a browser shows too: there is no page of it.
    if request.uri().path() != openapi::PATH && asks_for_page(request.method(), request.headers()) {
        return match pages.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
    }
    next.run(request).await
}
