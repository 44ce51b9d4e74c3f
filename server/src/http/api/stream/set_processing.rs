//! `POST /stream/{id}/processing`: the stream, unchanged. There is nothing yet that the original's steps could switch on: they are read, and kept nowhere, as
//! those of `POST /stream` are.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;
use serde_json::json;

use super::json::StreamJson;
use super::path::StreamPath;
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, required, wrong_state};
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
    if !fields.has_lists("processing")? {
        return Err(required("processing").into());
    }
    let stream = service.stream_to_edit(&caller, id).await?;
    Ok(Json(StreamJson::for_caller(&service, &caller, stream).await?))
}

pub fn doc() -> Doc {
    let lists = json!({ "type": "array", "items": { "type": "array" } });
    let doc = Doc::new("Takes bintu's processing steps, and keeps none", Access::Role(Role::User))
        .about("There is nothing yet that they could switch on.")
        .body([Field::required("processing", "An array of arrays.", lists).example(json!([]))])
        .answers::<StreamJson>("The stream, unchanged.")
        .refuses([required("processing"), wrong("processing", "array of arrays"), wrong_state("deleted")]);
    StreamPath::of(doc)
}
