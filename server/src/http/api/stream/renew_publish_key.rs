//! `POST /stream/{id}/publish_key`: makes the stream's publish key another one; the answer has it, where one is required.

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
    let stream = service.renew_publish_key(&caller, id).await?;
    Ok(Json(StreamJson::for_caller(&service, &caller, stream).await?))
}
