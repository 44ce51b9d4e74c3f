//! `GET /organisation`: the caller's.

use std::sync::Arc;

use afterlive_domain::{OrganisationHash, OrganisationId, Region, UnixMillis};
use axum::extract::State;
use serde::Serialize;

use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

#[derive(Serialize)]
pub struct OrganisationJson {
    id: OrganisationId,
    name: String,
    hash: OrganisationHash,
    /// None can be set in this version.
    webhook: Option<String>,
    vod: Vod,
    region: Region,
    created_at: UnixMillis,
    updated_at: UnixMillis,
}

#[derive(Serialize)]
struct Vod {
    enabled: bool,
    public: bool,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
) -> Result<Json<OrganisationJson>, ApiError> {
    let organisation = service.organisation(&caller).await?;
    Ok(Json(OrganisationJson {
        id: organisation.id,
        name: organisation.name,
        hash: organisation.hash,
        webhook: None,
        vod: Vod { enabled: organisation.settings.recording_enabled, public: organisation.settings.vod_public },
        region: service.config().region.clone(),
        created_at: organisation.created_at,
        updated_at: organisation.updated_at,
    }))
}
