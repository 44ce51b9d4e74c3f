//! `POST /asset/{id}/restore`: back from the bin.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, Role};
use axum::extract::State;

use super::json::AssetJson;
use super::path::AssetPath;
use crate::http::api::doc::{Access, Doc, EXAMPLE_ASSET};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
) -> Result<Json<AssetJson>, ApiError> {
    let asset = service.restore_asset(&caller, id).await?;
    Ok(Json(AssetJson::new(&service, asset)))
}

pub fn doc() -> Doc {
    let doc = Doc::new("Restores a recording from the bin", Access::Role(Role::Admin))
        .about("Under its name and URL, as it was. What is not in the bin is left as it is.")
        .answers::<AssetJson>("The recording.")
        .refuses(EXAMPLE_ASSET.parse().map(|asset| Refusal::Purged { asset }));
    AssetPath::of(doc)
}
