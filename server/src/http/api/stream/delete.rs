//! `DELETE /stream/{id}`: the stream and its recordings.

use std::sync::Arc;

use afterlive_domain::{StreamId, StreamState};
use axum::extract::State;
use serde::Serialize;

use super::path::StreamPath;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

#[derive(Serialize)]
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
