//! The REST API: one folder a resource, one file a call. What they have in common (bodies, queries) stands beside them.

pub(super) mod asset;
mod body;
pub(super) mod json;
mod key;
mod organisation;
pub(super) mod query;
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
use axum::routing::{delete, get, post, put};
use http::header::{ACCEPT, CONTENT_TYPE, LINK, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use tower::ServiceExt as _;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::credentials::CREDENTIAL_HEADERS;
use super::ui::asks_for_page;
use crate::service::Service;

/// Browsers keep the answer to a preflight for so long.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_hours(2);

/// Every call of the API. What a browser asks for as a page goes to `pages`, as does every path that is no call.
pub fn router(service: Arc<Service>, pages: Router) -> Router {
    Router::new()
        .route("/stream", get(stream::list::handle).post(stream::create::handle))
        .route("/stream/public", get(stream::public::handle))
        .route("/stream/validate", post(stream::validate::handle))
        .route("/stream/{id}", get(stream::get::handle).delete(stream::delete::handle))
        .route("/stream/{id}/group", get(stream::get::handle))
        .route("/stream/{id}/tag", put(stream::set_tags::handle))
        .route("/stream/{id}/push_url", put(stream::set_push_url::handle))
        .route("/stream/{id}/publish_key", post(stream::renew_publish_key::handle))
        .route("/stream/{id}/processing", post(stream::set_processing::handle))
        .route("/stream/{id}/stop", put(stream::stop::handle).post(stream::stop::handle))
        .route("/stream/{id}/lock", put(stream::lock::handle))
        .route("/stream/{id}/unlock", put(stream::unlock::handle))
        .route("/asset", get(asset::list::handle))
        .route("/asset/{id}", get(asset::get::handle).delete(asset::delete::handle))
        .route("/asset/{id}/report", get(asset::report::handle))
        .route("/asset/{id}/restore", post(asset::restore::handle))
        .route("/asset/{id}/hold", put(asset::hold::handle))
        .route("/tag", get(tag::list::handle))
        .route("/organisation", get(organisation::get::handle))
        .route("/organisation/recording", put(organisation::set_recording::handle))
        .route("/organisation/webhook", put(organisation::set_webhook::handle))
        .route("/organisation/publish_key", put(organisation::require_publish_key::handle))
        .route("/organisation/apikey", get(key::list::handle).post(key::create::handle))
        .route("/organisation/apikey/{id}", delete(key::revoke::handle))
        .route("/apikey", get(key::list::handle).post(key::validate::handle))
        .route("/apikey/{key}", post(key::check::handle))
        .route("/user", get(user::get::handle))
        .route("/user/validate", post(user::validate::handle))
        .route("/permission", get(user::permissions::handle))
        .route("/token/playback", get(token::list::handle).post(token::create::handle))
        .route("/token/verify", post(token::verify::handle))
        .route("/token/revoke", post(token::revoke::handle))
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
        .allow_headers(CREDENTIAL_HEADERS.into_iter().chain([ACCEPT, CONTENT_TYPE]).collect::<Vec<HeaderName>>())
        .expose_headers([LINK, RETRY_AFTER, HeaderName::from_static("x-request-id")])
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
    if asks_for_page(request.method(), request.headers()) {
        return match pages.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
    }
    next.run(request).await
}
