//! `GET /organisation/endpoint/{id}/secret`: what signs.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;

use super::json::SecretJson;
use super::path::EndpointPath;
use crate::http::api::doc::{Access, Doc};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    EndpointPath(id): EndpointPath,
) -> Result<Json<SecretJson>, ApiError> {
    let endpoint = service.endpoint(&caller, id).await?;
    Ok(Json(SecretJson::new(&endpoint, service.clock().now())))
}

pub fn doc() -> Doc {
    let doc = Doc::new("The secret of an endpoint for events", Access::Role(Role::Admin))
        .about("For the program at the endpoint, which checks signatures with it.")
        .answers::<SecretJson>("The secret.");
    EndpointPath::of(doc)
}
