//! `DELETE /organisation/apikey/{id}`: the key opens nothing any more, from the next request on. The one that the call is made with may be named too.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, KeyId, Role};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::path::KeyPath;
use crate::http::api::doc::{Access, Doc, EXAMPLE_KEY};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "RevokedKey", example = json!({ "id": EXAMPLE_KEY, "revoked": true, "own": false }))]
pub struct Revoked {
    id: KeyId,
    /// Always true.
    revoked: bool,
    /// Whether it is the key that this call was made with: it was the last call with it.
    own: bool,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    KeyPath(id): KeyPath,
) -> Result<Json<Revoked>, ApiError> {
    let revoked = service.revoke_api_key(&caller, id).await?.ok_or(Refusal::NoSuchKey { key: id })?;
    Ok(Json(Revoked { id, revoked: true, own: revoked.is_own }))
}

pub fn doc() -> Doc {
    let doc = Doc::new("Revokes a key", Access::Role(Role::Admin))
        .about("It opens nothing any more, from the next request on. Also the one that the call is made with may be named.")
        .answers::<Revoked>("That it is revoked.");
    KeyPath::of(doc)
}
