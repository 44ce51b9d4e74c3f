//! `POST /apikey/{key}`: whether it is good. The key is in the path, which is logged without it.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::json;

use crate::http::api::doc::{Access, Doc, Field};
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
        Err(Error::Refused(Refusal::BadCredentials | Refusal::Suspended)) => Ok(Json(Verdict { success: false })),
        Err(other) => Err(other.into()),
    }
}

pub fn doc() -> Doc {
    let key = Field::required("key", "The key.", json!({ "type": "string" })).example("4f1f6c…").variable("KEY");
    Doc::new("Is the key in the path good?", Access::Open)
        .about("Needs no header. A proxy in front of the server may log the path: `POST /apikey` has the key in its body.")
        .path(key)
        .answers::<Verdict>("Whether it is.")
        .refuses([Refusal::TooMany { retry_after_s: 5 }])
}
