//! `GET /organisation/apikey`, and `GET /apikey`: the organisation's keys that are not revoked, newest first. Never the keys themselves.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;

use super::json::KeyJson;
use crate::http::api::doc::{Access, Doc};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
) -> Result<Json<Vec<KeyJson>>, ApiError> {
    let keys = service.api_keys(&caller).await?;
    let now = service.clock().now();
    Ok(Json(keys.into_iter().map(|key| KeyJson::new(key, now)).collect()))
}

pub fn doc() -> Doc {
    Doc::new("Lists the organisation's keys", Access::Role(Role::Admin))
        .about("Those that are not revoked, newest first, also those that have expired lately.")
        .answers::<Vec<KeyJson>>("The keys, without themselves.")
}
