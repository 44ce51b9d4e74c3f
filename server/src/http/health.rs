//! Whether the server lives, and whether it can do its work. Both are for machines, need no credential and tell nothing internal.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::json;

use crate::service::Service;

/// `GET /healthz`: whether the process lives. Asks nobody else, so that a slow database does not get the process restarted.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 200 where publishes can be taken and recorded, else 503 with what is wrong, a sentence each. How many recordings the last run left behind that are
/// still to be finished keeps nobody from publishing.
pub async fn readyz(State(service): State<Arc<Service>>) -> Response {
    let problems = service.problems().await;
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let headers = [(CACHE_CONTROL, "no-store"), (CONTENT_TYPE, "application/json; charset=utf-8")];
    let body =
        json!({ "ready": problems.is_empty(), "problems": problems, "recordings_to_finish": service.growing().left_behind() });
    (status, headers, body.to_string()).into_response()
}
