//! `PUT /stream/{id}/lock`: ends the running publish and refuses new ones.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;

use super::json::StreamJson;
use super::path::StreamPath;
use crate::http::api::doc::{Access, Doc, wrong_state};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    StreamPath(id): StreamPath,
) -> Result<Json<StreamJson>, ApiError> {
    let stream = service.lock_stream(&caller, id).await?;
    Ok(Json(StreamJson::for_caller(&service, &caller, stream).await?))
}

pub fn doc() -> Doc {
    let doc = Doc::new("Refuses publishes", Access::Role(Role::Admin))
        .about("A running one is ended.")
        .answers::<StreamJson>("The stream.")
        .refuses([wrong_state("deleted")]);
    StreamPath::of(doc)
}
