//! `GET /tag`: the tags in use.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

#[derive(Serialize)]
pub struct Tag {
    tag: String,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
) -> Result<Json<Vec<Tag>>, ApiError> {
    let tags = service.tags(&caller).await?;
    Ok(Json(tags.into_iter().map(|tag| Tag { tag }).collect()))
}
