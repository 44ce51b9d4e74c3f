//! `PUT /stream/{id}/tag`: replaces all tags.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::State;

use super::json::StreamJson;
use super::path::StreamPath;
use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    StreamPath(id): StreamPath,
    fields: Fields,
) -> Result<Json<StreamJson>, ApiError> {
    let tags = fields.tags()?.ok_or_else(|| Refusal::ParameterRequired { parameter: "tags".to_owned() })?;
    let stream = service.set_tags(&caller, id, &tags).await?;
    Ok(Json(StreamJson::for_caller(&service, &caller, stream).await?))
}
