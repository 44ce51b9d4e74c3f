//! `POST /apikey`: the key in the body as it was made, or 401. Needs no header.

use std::sync::Arc;

use afterlive_domain::UnixMillis;
use axum::extract::State;
use serde::Serialize;

use crate::http::api::body::Fields;
use crate::http::api::json::Json;
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
    let key = fields.required_text("apikey")?;
    let row = service.inspect_key(key, address).await?;
    Ok(Json(Valid { key: key.to_owned(), created_at: row.created_at }))
}
