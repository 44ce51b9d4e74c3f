//! `PUT /stream/{id}/push_url`: where the stream is also pushed to while it is live; null: nowhere.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use afterlive_domain::push::PushUrl;
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
    let url = fields.nullable_text("url")?.ok_or_else(|| Refusal::ParameterRequired { parameter: "url".to_owned() })?;
    let url = url.filter(|url| !url.trim().is_empty()).map(PushUrl::parse).transpose()?;
    let stream = service.set_push_url(&caller, id, url.as_ref()).await?;
    Ok(Json(StreamJson::for_caller(&service, &caller, stream).await?))
}
