//! `POST /apikey`: the key in the body as it was made, or 401. Needs no header.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, UnixMillis};
use axum::extract::State;
use serde::Serialize;

use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::credentials::MAX_CREDENTIAL_BYTES;
use crate::http::error::ApiError;
use crate::http::request::ClientAddress;
use crate::service::Service;

#[derive(Serialize)]
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
    let key = fields.text("apikey")?.ok_or_else(|| Refusal::ParameterRequired { parameter: "apikey".to_owned() })?;
    if key.len() > MAX_CREDENTIAL_BYTES {
        return Err(Refusal::BadCredentials.into());
    }
    let row = service.inspect_key(key, address).await?;
    Ok(Json(Valid { key: key.to_owned(), created_at: row.created_at }))
}
