//! `POST /token/playback`: makes a playback token, for a stream, for streams with tags, or for all of the organisation where neither is named.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, Tags};
use axum::extract::State;
use serde::Serialize;

use super::json::ClaimsJson;
use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::playback::{Expiry, Secret, TokenOf, TokenWish};
use crate::service::{Caller, Service};

#[derive(Serialize)]
pub struct Made {
    token: String,
    #[serde(flatten)]
    claims: ClaimsJson,
    label: Option<String>,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<Made>, ApiError> {
    let wish = TokenWish {
        of: of(&service, &caller, &fields).await?,
        expiry: expiry(&fields)?,
        not_before: fields.instant("nbf")?,
        ips: fields.texts("ips")?.unwrap_or_default(),
        domains: fields.texts("domains")?.unwrap_or_default(),
        label: fields.text("label")?.filter(|label| !label.trim().is_empty()).map(str::to_owned),
    };
    let made = service.make_playback_token(&caller, &wish).await?;
    let Secret(token) = made.token;
    Ok(Json(Made { token, claims: made.claims.into(), label: wish.label }))
}

async fn of(service: &Service, caller: &Caller, fields: &Fields) -> Result<TokenOf, ApiError> {
    let tags = match (fields.tags()?, fields.text("tag")?) {
        (Some(_), Some(_)) => return Err(Refusal::NotUnique { parameter: "tag".to_owned() }.into()),
        (None, Some(tag)) => Some(Tags::new([tag])?),
        (tags, None) => tags,
    };
    Ok(match (fields.text("stream")?, tags) {
        (Some(_), Some(_)) => {
            let expected = "either a stream or tags".to_owned();
            return Err(Refusal::WrongType { parameter: "tags".to_owned(), expected }.into());
        }
        (Some(text), None) => {
            let found = service.stream_called(caller, text).await?;
            TokenOf::Stream(found.ok_or_else(|| Refusal::NoSuchStream { stream: text.chars().take(100).collect() })?)
        }
        (None, Some(tags)) => TokenOf::Tags(tags),
        (None, None) => TokenOf::Organisation,
    })
}

fn expiry(fields: &Fields) -> Result<Expiry, Refusal> {
    match (fields.number("expires_in_s")?.flatten(), fields.instant("exp")?) {
        (Some(_), Some(_)) => Err(Refusal::NotUnique { parameter: "exp".to_owned() }),
        (Some(seconds), None) => Ok(Expiry::In(seconds)),
        (None, Some(at)) => Ok(Expiry::At(at)),
        (None, None) => Err(Refusal::ParameterRequired { parameter: "expires_in_s".to_owned() }),
    }
}
