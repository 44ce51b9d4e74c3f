//! `DELETE /organisation/endpoint/{id}`: it is told nothing any more, and its log goes too.

use std::sync::Arc;

use afterlive_domain::{EndpointId, Role};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::path::EndpointPath;
use crate::http::api::doc::{Access, Doc, EXAMPLE_ENDPOINT};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "DeletedEndpoint", example = json!({ "id": EXAMPLE_ENDPOINT, "deleted": true }))]
pub struct Deleted {
    id: EndpointId,
    /// Always true.
    deleted: bool,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    EndpointPath(id): EndpointPath,
) -> Result<Json<Deleted>, ApiError> {
    service.delete_endpoint(&caller, id).await?;
    Ok(Json(Deleted { id, deleted: true }))
}

pub fn doc() -> Doc {
    let doc = Doc::new("Deletes an endpoint for events", Access::Role(Role::Admin))
        .about("What waits is not sent, and its log goes too.")
        .answers::<Deleted>("That it is deleted.");
    EndpointPath::of(doc)
}
