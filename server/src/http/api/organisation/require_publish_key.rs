//! `PUT /organisation/publish_key`: whether an encoder must show its stream's publish key; with `renew_all` each stream has another one.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;
use serde_json::json;

use super::json::OrganisationJson;
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, required};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<OrganisationJson>, ApiError> {
    let required = fields.switch("required")?.ok_or_else(|| required("required"))?;
    let renews_all = fields.switch("renew_all")?.unwrap_or(false);
    let organisation = service.require_publish_key(&caller, required, renews_all).await?;
    Ok(Json(OrganisationJson::new(&service, &caller, organisation)))
}

pub fn doc() -> Doc {
    let switch = || json!({ "type": "boolean" });
    Doc::new("Sets whether encoders must have a publish key", Access::Role(Role::Admin))
        .about("Each stream has a key of its own, which stands behind its name in `ingest.rtmp.streamname`. Who publishes already goes on.")
        .body([
            Field::required("required", "Whether they must.", switch()).example(true),
            Field::optional("renew_all", "Whether all streams' keys become others.", switch()),
        ])
        .answers::<OrganisationJson>("The organisation.")
        .refuses([required("required")])
}
