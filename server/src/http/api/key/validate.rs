//! `POST /apikey`: the key in the body as it was made, or 401. Needs no header.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, UnixMillis};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, required};
use crate::http::api::json::Json;
use crate::http::error::ApiError;
use crate::http::request::ClientAddress;
use crate::service::{MAX_CREDENTIAL_BYTES, Service};

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ValidKey", example = json!({ "key": "4f1f6c…", "created_at": "2026-11-04T17:09:19.899Z" }))]
pub struct Valid {
    /// As it was sent: the caller's own.
    key: String,
    created_at: UnixMillis,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    ClientAddress(address): ClientAddress,
    fields: Fields,
) -> Result<Json<Valid>, ApiError> {
    let key = fields.required_text("apikey")?;
    let row = service.inspect_key(key, address).await?;
    Ok(Json(Valid { key: key.to_owned(), created_at: row.created_at }))
}

pub fn doc() -> Doc {
    let key = Field::required("apikey", "The key.", json!({ "type": "string", "maxLength": MAX_CREDENTIAL_BYTES }));
    Doc::new("Is the key in the body good?", Access::Open)
        .about("Needs no header. Who asks about too many that are none has to wait. Player keys are none here.")
        .body([key.example("4f1f6c…").variable("KEY")])
        .answers::<Valid>("It is.")
        .refuses([required("apikey"), Refusal::BadCredentials, Refusal::Suspended, Refusal::TooMany { retry_after_s: 5 }])
}
