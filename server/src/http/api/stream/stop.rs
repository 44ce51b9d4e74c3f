//! `PUT` or `POST /stream/{id}/stop`: ends the running publish.

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
    let stream = service.stop_stream(&caller, id).await?;
    Ok(Json(StreamJson::for_caller(&service, &caller, stream).await?))
}

pub fn doc() -> Doc {
    let doc = Doc::new("Ends the running publish", Access::Role(Role::Admin))
        .about("The encoder is disconnected. Nothing keeps it from coming back: `PUT /stream/{id}/lock` does.")
        .answers::<StreamJson>("The stream.")
        .refuses([wrong_state("deleted")]);
    StreamPath::of(doc)
}
