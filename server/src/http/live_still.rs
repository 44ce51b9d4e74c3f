//! `GET /live/{streamname}/thumbnail.jpg`: a live stream as it looked some seconds ago, for who may watch it live.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LAST_MODIFIED, VARY, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;

use super::error::ApiError;
use super::viewer::{self, Admission};
use crate::service::Service;

/// Shorter than the time after which there is another one; never kept for somebody else.
const CACHE_FOR: &str = "private, max-age=5";

pub async fn handle(
    State(service): State<Arc<Service>>,
    Path(streamname): Path<String>,
    parts: Parts,
) -> Result<Response, ApiError> {
    let Admission { right, .. } = viewer::watch_live(&service, &streamname, &parts).await?;
    let still = service.live_still(right.stream)?;
    let since_1970 = Duration::from_millis(u64::try_from(still.taken_at.0).unwrap_or(0));
    let taken_at = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since_1970);
    let headers = [
        (CONTENT_TYPE, "image/jpeg"),
        (CACHE_CONTROL, CACHE_FOR),
        (VARY, "Cookie, X-BINTU-APIKEY, X-BINTU-TOKEN, Authorization, Origin, Referer"),
        (LAST_MODIFIED, &taken_at),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, still.jpeg).into_response())
}
