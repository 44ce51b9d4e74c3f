//! `PUT /organisation/publish_key`: whether an encoder must show its stream's publish key; with `renew_all` each stream has another one.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::State;

use super::json::OrganisationJson;
use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<OrganisationJson>, ApiError> {
    let required = fields.switch("required")?.ok_or_else(|| Refusal::ParameterRequired { parameter: "required".to_owned() })?;
    let renews_all = fields.switch("renew_all")?.unwrap_or(false);
    let organisation = service.require_publish_key(&caller, required, renews_all).await?;
    Ok(Json(OrganisationJson::new(&service, &caller, organisation)))
}
