//! `DELETE /asset/{id}`: to the bin.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, Role};
use axum::extract::State;

use super::json::AssetJson;
use super::path::AssetPath;
use crate::http::api::doc::{Access, Doc, EXAMPLE_ASSET, wrong_state};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
) -> Result<Json<AssetJson>, ApiError> {
    let asset = service.delete_asset(&caller, id).await?;
    Ok(Json(AssetJson::new(&service, asset)))
}

pub fn doc() -> Doc {
    let doc = Doc::new("Deletes a recording", Access::Role(Role::Admin))
        .about("It goes to the bin, from which it can be restored for the days that the organisation has. Deleting it again changes nothing.")
        .answers::<AssetJson>("The recording.")
        .refuses([wrong_state("recording")])
        .refuses(EXAMPLE_ASSET.parse().map(|asset| Refusal::Held { asset }));
    AssetPath::of(doc)
}
