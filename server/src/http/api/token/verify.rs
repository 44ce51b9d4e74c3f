//! `POST /token/verify`: would this token be taken, for this stream, from this address and this site? What is left out is not looked at.

use std::net::IpAddr;
use std::sync::Arc;

use afterlive_domain::{Error as Refusal, Role};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::json::ClaimsJson;
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, required};
use crate::http::api::json::Json;
use crate::http::api::query::wrong;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;
use crate::service::playback::TokenQuestion;

/// Whether a playback token would be taken. Where it would not, the token's own fields are left out.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PlaybackTokenVerdict", example = example())]
pub struct Verdict {
    /// Whether it would be taken.
    valid: bool,
    /// Why not; null where it is valid.
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

pub fn doc() -> Doc {
    let text = || json!({ "type": "string" });
    Doc::new("Would a playback token be taken?", Access::Role(Role::ReadOnly))
        .about("For this stream, from this address and on this site. What is left out is not looked at.")
        .body([
            Field::required("token", "The token.", text()).example("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…").variable("TOKEN"),
            Field::optional("stream", "The id or the streamname of a stream.", text()),
            Field::optional(
                "ip",
                "The viewer's IP address.",
                json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] }),
            ),
            Field::optional("domain", "The host name of the site that the player stands on.", text()),
        ])
        .answers::<Verdict>("Whether it would, and what it says.")
        .refuses([required("token"), wrong("ip", "an IP address"), Refusal::NoSuchStream { stream: "8sKpm-x49nB".to_owned() }])
}

fn example() -> Value {
    super::json::example(json!({ "valid": true, "reason": null }), json!({}))
}
