//! `PUT /organisation/webhook`: who is asked before an encoder may publish; null: nobody.

use std::sync::Arc;

use afterlive_domain::webhook::MAX_WEBHOOK_URL_BYTES;
use afterlive_domain::{Role, WebhookUrl};
use axum::extract::State;
use serde_json::json;

use super::json::OrganisationJson;
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, required};
use crate::http::api::json::Json;
use crate::http::api::query::wrong;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<OrganisationJson>, ApiError> {
    let url = fields.nullable_text("webhook")?.ok_or_else(|| required("webhook"))?;
    let url = url.filter(|url| !url.trim().is_empty()).map(WebhookUrl::parse).transpose()?;
    let organisation = service.set_webhook(&caller, url.as_ref()).await?;
    Ok(Json(OrganisationJson::new(&service, &caller, organisation)))
}

pub fn doc() -> Doc {
    let url = json!({ "type": ["string", "null"], "maxLength": MAX_WEBHOOK_URL_BYTES });
    Doc::new("Sets who is asked before an encoder may publish", Access::Role(Role::Admin))
        .body([Field::required("webhook", "An `http` or `https` URL; null or an empty text: nobody is asked.", url)
            .example("https://example.com/may-publish")])
        .answers::<OrganisationJson>("The organisation.")
        .refuses([required("webhook"), wrong("webhook", "a URL such as https://example.com/hook")])
}
