//! `POST /apikey/{key}`: whether it is good. The key is in the path, which is logged without it.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};

use crate::http::api::json::{Json, Verdict};
use crate::http::error::ApiError;
use crate::http::request::ClientAddress;
use crate::service::{Error, Service};

pub async fn handle(
    State(service): State<Arc<Service>>,
    ClientAddress(address): ClientAddress,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Verdict>, ApiError> {
    // A path that is no text in UTF-8 is no key either.
    let key = path.map(|Path(key)| key).unwrap_or_default();
    match service.inspect_key(&key, address).await {
        Ok(_) => Ok(Json(Verdict { success: true })),
        Err(Error::Refused(Refusal::BadCredentials)) => Ok(Json(Verdict { success: false })),
        Err(other) => Err(other.into()),
    }
}
