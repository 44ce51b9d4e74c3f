//! `POST /token/playback`: makes a playback token, for a stream, for streams with tags, or for all of the organisation where neither is named.

use std::sync::Arc;

use afterlive_domain::stream::MAX_TAG_CHARS;
use afterlive_domain::{Error as Refusal, Role, Tags};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::json::ClaimsJson;
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, instant_or_seconds, required, schema_of, wrong_state};
use crate::http::api::json::Json;
use crate::http::api::query::wrong;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::playback::token::{MAX_BOUNDS, MAX_LIFETIME_S};
use crate::service::playback::{Expiry, Secret, TokenOf, TokenWish};
use crate::service::{Caller, MAX_NAME_CHARS, Service};

/// A playback token that was just made.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "MadePlaybackToken", example = example())]
pub struct Made {
    /// Goes behind a URL as `?token=…`; to what is watched, and beside a player key, also in `Authorization: Bearer`.
    token: String,
    #[serde(flatten)]
    claims: ClaimsJson,
    /// Null where it was given none.
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

pub fn doc() -> Doc {
    let texts = || json!({ "type": "array", "items": { "type": "string" }, "maxItems": MAX_BOUNDS });
    Doc::new("Makes a playback token", Access::Role(Role::User))
        .about(format!(
            "For a stream, for the streams that have tags, or for all of the organisation where neither is named. With a label it is listed; without one it leaves no trace, \
             and may be made by the thousand. It is good for {} days at most.",
            MAX_LIFETIME_S / 86_400
        ))
        .body([
            Field::optional("stream", "The id or the streamname of a stream. Not beside tags.", json!({ "type": "string" })),
            Field::optional("tags", "It opens the streams that have each of these.", schema_of::<Tags>()).example(json!(["title:Sunday service"])),
            Field::optional("tag", "One tag, in place of `tags`.", json!({ "type": "string", "maxLength": MAX_TAG_CHARS })),
            Field::optional(
                "expires_in_s",
                "It is good for so many seconds from now on. This or `exp` is asked for.",
                json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIFETIME_S }),
            )
            .example(7_200),
            Field::optional("exp", "It is good until then: RFC 3339, or seconds since 1970.", instant_or_seconds()),
            Field::optional("nbf", "It is good from then on: RFC 3339, or seconds since 1970.", instant_or_seconds()),
            Field::optional("ips", "Good from these IP addresses and networks only.", texts()),
            Field::optional("domains", "Good for players on these sites only: host names, or `*.example.com`.", texts()).example(json!(["example.com"])),
            Field::optional("label", "What it is for, in words for people.", json!({ "type": "string", "maxLength": MAX_NAME_CHARS })),
        ])
        .answers::<Made>("The token, and what it says.")
        .refuses([
            required("expires_in_s"),
            Refusal::NotUnique { parameter: "exp".to_owned() },
            wrong("tags", "either a stream or tags"),
            Refusal::NoSuchStream { stream: "8sKpm-x49nB".to_owned() },
            wrong_state("deleted"),
        ])
}

fn example() -> Value {
    super::json::example(json!({ "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…" }), json!({ "label": null }))
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
        (None, None) => Err(required("expires_in_s")),
    }
}
