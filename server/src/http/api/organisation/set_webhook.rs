//! `PUT /organisation/webhook`: who is asked before an encoder may publish; null: nobody.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, WebhookUrl};
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
    let url = fields.nullable_text("webhook")?.ok_or_else(|| Refusal::ParameterRequired { parameter: "webhook".to_owned() })?;
    let url = url.filter(|url| !url.trim().is_empty()).map(WebhookUrl::parse).transpose()?;
    let organisation = service.set_webhook(&caller, url.as_ref()).await?;
    Ok(Json(OrganisationJson::new(&service, &caller, organisation)))
}
