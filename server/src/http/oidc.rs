//! The way to the operator's OpenID provider and back: `/oidc/…`. What the browser keeps meanwhile is one cookie; who somebody is here is the service's to say.
//!
//! The ways there begin by a form, so that no other site, no link and no prefetch begins one. It answers with a page that leads on by itself: a redirect behind a form
//! would have to be allowed by our pages' `form-action`, with every address that the provider may lead on to.

mod back;
mod leaving;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue};
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_sessions::{Session, session};

use super::request::cookies;
use crate::oidc::{Flow, MAX_FLOW_MS};
use crate::service::{Permit, Service};

/// What a form may hold: a password or a path.
const MAX_FORM_BYTES: usize = 8 * 1024;
const COOKIE_NAME: &str = "afterlive_oidc";
/// As that of the session: where people come over TLS alone, nobody else can put one in its place.
const SECURE_COOKIE_NAME: &str = "__Host-afterlive_oidc";

/// The key under which a browser session has that the password was given, to connect an account.
const PERMIT: &str = "connecting";

/// Without a provider there is nothing at these paths.
pub(super) fn router(service: &Arc<Service>) -> Router {
    Router::new()
        .route("/oidc/sign-in", post(leaving::to_sign_in))
        .route("/oidc/connect", post(leaving::to_connect))
        .route("/oidc/accept", post(leaving::to_accept))
        .layer(CsrfLayer::new())
        .layer(RequestBodyLimitLayer::new(MAX_FORM_BYTES))
        .route("/oidc/callback", get(back::handle))
        .with_state(Arc::clone(service))
}

fn cookie_name(service: &Service) -> &'static str {
    if service.config().http.is_secure() { SECURE_COOKIE_NAME } else { COOKIE_NAME }
}

/// For a way that begins, or `None` to end it. `Lax`, as the provider sends the browser back from another site.
fn set_cookie(service: &Service, flow: Option<&Flow>) -> Option<HeaderValue> {
    let (value, max_age_s) = match flow {
        Some(flow) => (flow.to_cookie()?, MAX_FLOW_MS / 1_000),
        None => (String::new(), 0),
    };
    let secure = if service.config().http.is_secure() { "; Secure" } else { "" };
    let cookie = format!("{}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}", cookie_name(service));
    let mut cookie = HeaderValue::from_str(&cookie).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

/// Keeps that the password was given for one way, in place of one before.
async fn put_permit(session: &Session, permit: &Permit) -> Result<(), session::Error> {
    session.insert(PERMIT, permit).await
}

/// What was kept, once.
async fn take_permit(session: &Session) -> Result<Option<Permit>, session::Error> {
    session.remove(PERMIT).await
}

/// The way that this browser is on, where it is not too old.
fn flow_of(service: &Service, headers: &HeaderMap) -> Option<Flow> {
    let mut ours = cookies(headers).filter(|(name, _)| *name == cookie_name(service));
    let (_, value) = ours.next()?;
    // Two of a name, one of which somebody else put there, are none.
    if ours.next().is_some() {
        return None;
    }
    Flow::from_cookie(value, service.clock().now())
}
