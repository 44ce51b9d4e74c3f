//! `DELETE /stream/{id}`: the stream and its recordings.

use std::sync::Arc;

use afterlive_domain::{Role, StreamId, StreamState};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::path::StreamPath;
use crate::http::api::doc::{Access, Doc, EXAMPLE_STREAM};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "DeletedStream", example = json!({ "id": EXAMPLE_STREAM, "state": "deleted" }))]
pub struct Deleted {
    id: StreamId,
    state: StreamState,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    StreamPath(id): StreamPath,
) -> Result<Json<Deleted>, ApiError> {
    service.delete_stream(&caller, id).await?;
    Ok(Json(Deleted { id, state: StreamState::Deleted }))
}

pub fn doc() -> Doc {
    let doc = Doc::new("Deletes a stream", Access::Role(Role::Admin))
        .about("Its recordings go to the bin. A running publish is ended.")
        .answers::<Deleted>("That it is gone.");
    StreamPath::of(doc)
}
