//! The one place that turns errors into HTTP: status, code, message and `userinfo`, as the API promises them.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Serialize;
use serde_json::{Value, json};

use super::api::json::Json;
use crate::service;

/// A use case that did not happen, on its way to the client.
#[derive(Debug)]
pub struct ApiError(service::Error);

impl ApiError {
    pub(super) fn reason(&self) -> &service::Error {
        &self.0
    }
}

impl<E: Into<service::Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[derive(Serialize)]
struct ErrorBody {
    error: Explanation,
}

#[derive(Serialize)]
struct Explanation {
    message: String,
    code: u16,
    userinfo: Value,
}

/// Travels with the response to where the request's id is known.
#[derive(Clone)]
struct Undisclosed(Arc<dyn std::error::Error + Send + Sync>);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self.0 {
            service::Error::Refused(refusal) => refuse(&refusal),
            ours => internal(ours),
        }
    }
}

/// A failure of ours, whose cause goes to the log alone.
pub(super) fn internal(cause: impl std::error::Error + Send + Sync + 'static) -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Undisclosed(Arc::new(cause)));
    response
}

/// Logs the cause of a failure under the request's id, and tells the client nothing but that id.
pub(super) fn disclose_to_log(response: &mut Response, request_id: &str) {
    let Some(Undisclosed(cause)) = response.extensions_mut().remove::<Undisclosed>() else { return };
    tracing::error!(%cause, "a request failed");
    let told = answer(StatusCode::INTERNAL_SERVER_ERROR, 9000, &Refusal::Internal, json!({ "request_id": request_id }));
    let (parts, body) = told.into_parts();
    response.headers_mut().extend(parts.headers);
    *response.body_mut() = Body::new(body);
}

fn refuse(refusal: &Refusal) -> Response {
    let (status, code, userinfo) = match refusal {
        Refusal::ParameterRequired { parameter } => (StatusCode::BAD_REQUEST, 1002, json!({ "required_parameter": parameter })),
        Refusal::NotUnique { parameter } => (StatusCode::BAD_REQUEST, 1003, json!({ "duplicated_parameter": parameter })),
        Refusal::WrongType { parameter, expected } => {
            (StatusCode::BAD_REQUEST, 1004, json!({ "parameter": parameter, "type": expected }))
        }
        Refusal::StreamTypeUnavailable { stream_type } => (StatusCode::BAD_REQUEST, 3002, json!({ "stream_type": stream_type })),
        Refusal::BadCredentials => (StatusCode::UNAUTHORIZED, 4002, json!({ "user": null })),
        Refusal::Denied => (StatusCode::FORBIDDEN, 2001, json!({})),
        Refusal::PlaybackDenied { reason } => (StatusCode::FORBIDDEN, 2001, json!({ "reason": reason })),
        Refusal::NoSuchStream { stream } => (StatusCode::NOT_FOUND, 3001, json!({ "stream": stream })),
        Refusal::NoSuchAsset { asset } => (StatusCode::NOT_FOUND, 3004, json!({ "asset": asset })),
        Refusal::WrongState { state } => (StatusCode::CONFLICT, 3003, json!({ "state": state })),
        Refusal::Held { asset } => (StatusCode::CONFLICT, 3003, json!({ "state": "held", "asset": asset })),
        Refusal::Purged { asset } => (StatusCode::CONFLICT, 3003, json!({ "state": "purged", "asset": asset })),
        Refusal::BodyTooLarge { limit_bytes } => (StatusCode::PAYLOAD_TOO_LARGE, 1005, json!({ "limit_bytes": limit_bytes })),
        Refusal::TooMany { retry_after_s } => (StatusCode::TOO_MANY_REQUESTS, 1006, json!({ "retry_after_s": retry_after_s })),
        Refusal::Internal => (StatusCode::INTERNAL_SERVER_ERROR, 9000, json!({})),
    };
    let mut response = answer(status, code, refusal, userinfo);
    if let Refusal::TooMany { retry_after_s } = refusal {
        response.headers_mut().insert(RETRY_AFTER, (*retry_after_s).into());
    }
    response
}

fn answer(status: StatusCode, code: u16, message: &Refusal, userinfo: Value) -> Response {
    let error = Explanation { message: message.to_string(), code, userinfo };
    (status, Json(ErrorBody { error })).into_response()
}
