//! `POST /token/verify`: would this token be taken, for this stream, from this address and this site? What is left out is not looked at.

use std::net::IpAddr;
use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::State;
use serde::Serialize;

use super::json::ClaimsJson;
use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;
use crate::service::playback::TokenQuestion;

#[derive(Serialize)]
pub struct Verdict {
    valid: bool,
    /// Null where it is valid.
    reason: Option<String>,
    #[serde(flatten)]
    claims: Option<ClaimsJson>,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<Verdict>, ApiError> {
    let token = fields.required_text("token")?;
    let address = fields.text("ip")?.map(|text| {
        let expected = "an IP address".to_owned();
        text.trim().parse::<IpAddr>().map_err(|_| Refusal::WrongType { parameter: "ip".to_owned(), expected })
    });
    let stream = match fields.text("stream")? {
        Some(text) => {
            let found = service.stream_called(&caller, text).await?;
            Some(found.ok_or_else(|| Refusal::NoSuchStream { stream: text.chars().take(100).collect() })?)
        }
        None => None,
    };
    let question = TokenQuestion { token, stream, address: address.transpose()?, site: fields.text("domain")? };
    Ok(Json(match service.verify_playback_token(&caller, question).await? {
        Ok(claims) => Verdict { valid: true, reason: None, claims: Some(claims.into()) },
        Err(refused) => Verdict { valid: false, reason: Some(refused.to_string()), claims: None },
    }))
}
