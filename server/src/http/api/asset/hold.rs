//! `PUT /asset/{id}/hold`: puts a recording under legal hold, or ends that.

use std::sync::Arc;

use afterlive_domain::asset::MAX_HOLD_NOTE_CHARS;
use afterlive_domain::{Error as Refusal, Role};
use axum::extract::State;
use serde_json::json;

use super::json::AssetJson;
use super::path::AssetPath;
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, EXAMPLE_ASSET, Field, required};
use crate::http::api::json::Json;
use crate::http::api::query::wrong;
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
    let asset = match hold.ok_or_else(|| required("hold"))? {
        true => service.hold_asset(&caller, id, note).await?,
        false => service.lift_hold(&caller, id).await?,
    };
    Ok(Json(AssetJson::new(&service, asset)))
}

pub fn doc() -> Doc {
    let note = json!({ "type": "string", "maxLength": MAX_HOLD_NOTE_CHARS });
    let doc = Doc::new("Puts a recording under legal hold, or ends that", Access::Role(Role::Admin))
        .about("While it is held nobody and nothing deletes it, and what is in the bin already stays there.")
        .body([
            Field::required("hold", "True: from now on. False: no more.", json!({ "type": "boolean" })).example(true),
            Field::optional("note", "Why, for people.", note).example("Case 7 of 2026"),
        ])
        .answers::<AssetJson>("The recording.")
        .refuses([required("hold"), wrong("hold", "boolean")])
        .refuses(EXAMPLE_ASSET.parse().map(|asset| Refusal::Purged { asset }));
    AssetPath::of(doc)
}
