//! `POST /user/validate`: a session token for e-mail and password. Needs no header, and never makes an API key.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
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
    let required = |name: &str| {
        let found = fields.text(name)?;
        found.ok_or_else(|| Refusal::ParameterRequired { parameter: name.to_owned() })
    };
    let token = service.make_session_token(required("email")?, required("password")?, address).await?;
    Ok(Json(SignedIn { token }))
}
