//! `GET /asset/{id}`: one recording, whatever its state.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;

use super::json::AssetJson;
use super::path::AssetPath;
use crate::http::api::doc::{Access, Doc};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
) -> Result<Json<AssetJson>, ApiError> {
    let asset = service.asset(&caller, id).await?;
    Ok(Json(AssetJson::new(&service, asset)))
}

pub fn doc() -> Doc {
    let doc = Doc::new("A recording", Access::Role(Role::ReadOnly))
        .about("Whatever its state, also after it was removed for good.")
        .answers::<AssetJson>("The recording.");
    AssetPath::of(doc)
}
