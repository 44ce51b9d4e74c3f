//! The one form in which the API answers.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::doc::LINES;
use crate::http::error::internal;

/// A body in JSON. What the API says holds for the moment and for the caller: nobody keeps it.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// A body of many objects in JSON, one a line.
#[derive(Debug)]
pub struct Lines<I>(pub I);

/// Whether something is so.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(example = json!({ "success": true }))]
pub struct Verdict {
    pub success: bool,
}

impl<I: Iterator<Item: Serialize>> IntoResponse for Lines<I> {
    fn into_response(self) -> Response {
        let headers = [(CONTENT_TYPE, LINES), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
        let mut bytes = Vec::new();
        for line in self.0 {
            if let Err(cause) = serde_json::to_writer(&mut bytes, &line) {
                return internal(cause);
            }
            bytes.push(b'\n');
        }
        (headers, bytes).into_response()
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let headers =
            [(CONTENT_TYPE, "application/json; charset=utf-8"), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => (headers, bytes).into_response(),
            Err(cause) => internal(cause),
        }
    }
}
