//! `GET /organisation/endpoint`: where the organisation's programs are told of events, oldest first.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;

use super::json::EndpointJson;
use crate::http::api::doc::{Access, Doc};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
) -> Result<Json<Vec<EndpointJson>>, ApiError> {
    Ok(Json(service.endpoints(&caller).await?.into_iter().map(EndpointJson::from).collect()))
}

pub fn doc() -> Doc {
    Doc::new("Lists endpoints for events", Access::Role(Role::Admin)).about("Oldest first, without their secrets.").answers::<Vec<
        EndpointJson,
    >>(
        "The endpoints.",
    )
}
