//! `POST /user/validate`: a session token for e-mail and password. Needs no header, and never makes an API key.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, required, wrong_state};
use crate::http::api::json::Json;
use crate::http::error::ApiError;
use crate::http::request::ClientAddress;
use crate::service::Service;
use crate::service::session_tokens::LIFETIME_S;

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "SessionToken", example = json!({ "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…" }))]
pub struct SignedIn {
    /// A JWT; `exp` in it says when it ends.
    token: String,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    ClientAddress(address): ClientAddress,
    fields: Fields,
) -> Result<Json<SignedIn>, ApiError> {
    let (email, password) = (fields.required_text("email")?, fields.required_text("password")?);
    let code = fields.text("code")?;
    let token = service.make_session_token(email, password, code, address).await?;
    Ok(Json(SignedIn { token }))
}

pub fn doc() -> Doc {
    let text = || json!({ "type": "string" });
    Doc::new("A session token for e-mail and password", Access::Open)
        .about(format!(
            "Good for {} hours, in `X-BINTU-TOKEN` or as a bearer. Wrong attempts are counted together with those to sign in to the dashboard. \
             An API key is never made by this call. A user with a second factor gives a code of their app too, or a recovery code; each is good once. \
             Where the organisation asks everybody for a second factor, who has none sets one up in the dashboard first.",
            LIFETIME_S / 3_600
        ))
        .body([
            Field::required("email", "The user's address.", text()).example("ada@example.com").variable("EMAIL"),
            Field::required("password", "The user's password.", text()).example("correct horse battery").variable("PASSWORD"),
            Field::optional("code", "Of a user with a second factor: six digits by their app, or a recovery code.", text()),
        ])
        .answers::<SignedIn>("The token.")
        .refuses([
            required("email"),
            Refusal::BadCredentials,
            Refusal::Suspended,
            wrong_state("without a second factor, which the organisation asks for"),
            Refusal::TooMany { retry_after_s: 5 },
        ])
}
