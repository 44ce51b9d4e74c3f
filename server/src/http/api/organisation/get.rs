//! `GET /organisation`: the caller's.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;

use super::json::OrganisationJson;
use crate::http::api::doc::{Access, Doc};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
) -> Result<Json<OrganisationJson>, ApiError> {
    let organisation = service.organisation(&caller).await?;
    Ok(Json(OrganisationJson::new(&service, &caller, organisation)))
}

pub fn doc() -> Doc {
    Doc::new("The caller's organisation", Access::Role(Role::ReadOnly)).answers::<OrganisationJson>("The organisation.")
}
