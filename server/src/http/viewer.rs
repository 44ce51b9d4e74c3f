//! Who watches, as a request shows it. What the viewer may then watch is `service/`'s to say.

use std::sync::Arc;

use afterlive_domain::StreamId;
use axum::extract::FromRequestParts as _;
use http::request::Parts;

use super::credentials::MaybeAuthenticated;
use super::error::ApiError;
use crate::service::Service;

/// The stream, where who sent the request may watch it live.
///
/// # Errors
/// As [`Service::watch_live`], and 401 for a key that is none.
pub async fn watch_live(service: &Arc<Service>, streamname: &str, request: &mut Parts) -> Result<StreamId, ApiError> {
    let caller = MaybeAuthenticated::from_request_parts(request, service).await?.0;
    Ok(service.watch_live(streamname, caller.as_ref()).await?)
}
