//! `GET /live/{streamname}/thumbnail.jpg`: a live stream as it looked some seconds ago, for pages (which are signed in) and programs (which have a key).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use afterlive_domain::UserId;
use axum::extract::{FromRequestParts as _, Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LAST_MODIFIED, VARY, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use tower_sessions::Session;

use super::browser_session::USER;
use super::credentials::MaybeAuthenticated;
use super::error::ApiError;
use crate::service::{Caller, Service};

/// Shorter than the time after which there is another one; never kept for somebody else.
const CACHE_FOR: &str = "private, max-age=5";

pub async fn handle(
    State(service): State<Arc<Service>>,
    Path(streamname): Path<String>,
    session: Session,
    mut parts: Parts,
) -> Result<Response, ApiError> {
    let caller = match MaybeAuthenticated::from_request_parts(&mut parts, &service).await?.0 {
        Some(caller) => Some(caller),
        None => signed_in(&service, &session).await?,
    };
    let still = service.live_still(caller.as_ref(), &streamname).await?;
    let since_1970 = Duration::from_millis(u64::try_from(still.taken_at.0).unwrap_or(0));
    let taken_at = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since_1970);
    let headers = [
        (CONTENT_TYPE, "image/jpeg"),
        (CACHE_CONTROL, CACHE_FOR),
        (VARY, "Cookie, X-BINTU-APIKEY"),
        (LAST_MODIFIED, &taken_at),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, still.jpeg).into_response())
}

async fn signed_in(service: &Service, session: &Session) -> Result<Option<Caller>, ApiError> {
    let user: Option<UserId> = session.get(USER).await.unwrap_or_else(|cause| {
        tracing::error!(%cause, "a browser session cannot be read");
        None
    });
    Ok(match user {
        Some(user) => service.user_caller(user).await?.map(|(caller, _)| caller),
        None => None,
    })
}
