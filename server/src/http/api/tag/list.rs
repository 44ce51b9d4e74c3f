//! `GET /tag`: the tags in use.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::http::api::doc::{Access, Doc};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{MAX_LISTED_TAGS, Service};

/// A tag that streams have.
#[derive(JsonSchema, Serialize)]
#[schemars(example = json!({ "tag": "title:Sunday service" }))]
pub struct Tag {
    tag: String,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
) -> Result<Json<Vec<Tag>>, ApiError> {
    let tags = service.tags(&caller, MAX_LISTED_TAGS).await?;
    Ok(Json(tags.into_iter().map(|tag| Tag { tag }).collect()))
}

pub fn doc() -> Doc {
    Doc::new("Lists the tags in use", Access::Role(Role::ReadOnly))
        .about(format!("At most {MAX_LISTED_TAGS}, in alphabetical order."))
        .answers::<Vec<Tag>>("The tags of streams that are not deleted.")
}
