//! `PUT /organisation/endpoint/{id}`: what is named is changed, all else stays.

use std::sync::Arc;

use afterlive_domain::Role;
use afterlive_domain::endpoint::endpoint_url;
use axum::extract::State;

use super::create::{bad_kinds, enabled_field, kinds, kinds_field, url_field};
use super::json::EndpointJson;
use super::path::EndpointPath;
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc};
use crate::http::api::json::Json;
use crate::http::api::query::wrong;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{EndpointChange, Service};

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    EndpointPath(id): EndpointPath,
    fields: Fields,
) -> Result<Json<EndpointJson>, ApiError> {
    let url = fields.text("url")?.map(endpoint_url).transpose()?;
    let change = EndpointChange { url, kinds: kinds(&fields)?, enabled: fields.switch("enabled")? };
    Ok(Json(service.change_endpoint(&caller, id, change).await?.into()))
}

pub fn doc() -> Doc {
    let doc = Doc::new("Changes an endpoint for events", Access::Role(Role::Admin))
        .about(
            "What is left out stays. What waits goes to the new URL. Switched off, what waits is given up and can be sent again by hand; switched on, it is told \
             what happens from then on.",
        )
        .body([url_field(false), kinds_field("Of what it is told from now on."), enabled_field()])
        .answers::<EndpointJson>("The endpoint.")
        .refuses([wrong("url", "a URL such as https://example.com/publish"), bad_kinds()]);
    EndpointPath::of(doc)
}
