//! `POST /organisation/endpoint/{id}/secret`: another secret signs; the one before too, for a while.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;

use super::json::SecretJson;
use super::path::EndpointPath;
use crate::http::api::doc::{Access, Doc};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{OLD_SECRET_FOR_MS, Service};

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    EndpointPath(id): EndpointPath,
) -> Result<Json<SecretJson>, ApiError> {
    let endpoint = service.rotate_endpoint_secret(&caller, id).await?;
    Ok(Json(SecretJson::new(&endpoint, service.clock().now())))
}

pub fn doc() -> Doc {
    let about = format!(
        "For {} hours both sign, so that the program at the endpoint can be given the new one meanwhile. Only the last one before does: who rotates twice in that \
         time ends the first at once.",
        OLD_SECRET_FOR_MS / 3_600_000
    );
    let doc = Doc::new("Rotates the secret of an endpoint for events", Access::Role(Role::Admin))
        .about(about)
        .answers::<SecretJson>("The new secret.");
    EndpointPath::of(doc)
}
