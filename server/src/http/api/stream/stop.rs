//! `PUT` or `POST /stream/{id}/stop`: ends the running publish.

use std::sync::Arc;

use axum::extract::State;

use super::json::StreamJson;
use super::path::StreamPath;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    StreamPath(id): StreamPath,
) -> Result<Json<StreamJson>, ApiError> {
    let stream = service.stop_stream(&caller, id).await?;
    Ok(Json(StreamJson::for_caller(&service, &caller, stream).await?))
}
