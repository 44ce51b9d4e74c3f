//! `PUT /stream/{id}/tag`: replaces all tags.

use std::sync::Arc;

use afterlive_domain::stream::MAX_TAG_CHARS;
use afterlive_domain::{Role, Tags};
use axum::extract::State;
use serde_json::json;

use super::json::StreamJson;
use super::path::StreamPath;
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, required, schema_of, wrong_state};
use crate::http::api::json::Json;
use crate::http::api::query::wrong;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    StreamPath(id): StreamPath,
    fields: Fields,
) -> Result<Json<StreamJson>, ApiError> {
    let tags = fields.tags()?.ok_or_else(|| required("tags"))?;
    let stream = service.set_tags(&caller, id, &tags).await?;
    Ok(Json(StreamJson::for_caller(&service, &caller, stream).await?))
}

pub fn doc() -> Doc {
    let tags = Field::required(
        "tags",
        "All that it has from now on. Trimmed; empty ones and repetitions are left out.",
        schema_of::<Tags>(),
    );
    let doc = Doc::new("Replaces a stream's tags", Access::Role(Role::User))
        .body([tags.example(json!(["title:Sunday service"]))])
        .answers::<StreamJson>("The stream.")
        .refuses([
            required("tags"),
            wrong("tags", &format!("tags of at most {MAX_TAG_CHARS} characters")),
            wrong_state("deleted"),
        ]);
    StreamPath::of(doc)
}
