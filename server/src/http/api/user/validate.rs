//! `POST /user/validate`: a session token for e-mail and password. Needs no header, and never makes an API key.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::error::ApiError;
use crate::http::request::ClientAddress;
use crate::service::Service;

#[derive(Serialize)]
pub struct SignedIn {
    token: String,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    ClientAddress(address): ClientAddress,
    fields: Fields,
) -> Result<Json<SignedIn>, ApiError> {
    let (email, password) = (fields.required_text("email")?, fields.required_text("password")?);
    let token = service.make_session_token(email, password, address).await?;
    Ok(Json(SignedIn { token }))
}
