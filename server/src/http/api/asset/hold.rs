//! `PUT /asset/{id}/hold`: puts a recording under legal hold, or ends that.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::State;

use super::json::AssetJson;
use super::path::AssetPath;
use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
    fields: Fields,
) -> Result<Json<AssetJson>, ApiError> {
    let (hold, note) = (fields.switch("hold")?, fields.text("note")?);
    let asset = match hold.ok_or_else(|| Refusal::ParameterRequired { parameter: "hold".to_owned() })? {
        true => service.hold_asset(&caller, id, note).await?,
        false => service.lift_hold(&caller, id).await?,
    };
    Ok(Json(AssetJson::new(&service, asset)))
}
