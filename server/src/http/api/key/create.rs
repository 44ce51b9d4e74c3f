//! `POST /organisation/apikey`: makes a key. This answer is the only one that has it.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, KeyUse, Role};
use axum::extract::State;
use serde::Serialize;

use super::json::KeyJson;
use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::playback::Expiry;
use crate::service::{Opens, Service};

#[derive(Serialize)]
pub struct Made {
    key: String,
    #[serde(flatten)]
    row: KeyJson,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<Made>, ApiError> {
    let made = service.create_api_key(&caller, fields.required_text("label")?, opens(&fields)?, expiry(&fields)?).await?;
    Ok(Json(Made { key: made.secret, row: KeyJson::new(made.row, service.clock().now()) }))
}

/// A role, or of the kind `player`, which has none.
fn opens(fields: &Fields) -> Result<Opens, Refusal> {
    let wrong = |name: &str, expected: String| Refusal::WrongType { parameter: name.to_owned(), expected };
    let kind = fields.text("kind")?.map_or(Ok(KeyUse::Api), str::parse);
    let kind = kind.map_err(|()| wrong("kind", "api or player".to_owned()))?;
    match (kind, fields.text("role")?) {
        (KeyUse::Player, None) => Ok(Opens::Playout),
        (KeyUse::Player, Some(_)) => Err(wrong("role", "no role, for a player key".to_owned())),
        (KeyUse::Api, None) => Err(Refusal::ParameterRequired { parameter: "role".to_owned() }),
        (KeyUse::Api, Some(role)) => {
            let expected = || format!("one of {}", Role::ALL.map(Role::as_str).join(", "));
            role.parse().map(Opens::Role).map_err(|_| wrong("role", expected()))
        }
    }
}

/// Without one the key is good until it is revoked.
fn expiry(fields: &Fields) -> Result<Option<Expiry>, Refusal> {
    match (fields.number("expires_in_s")?.flatten(), fields.instant("exp")?) {
        (Some(_), Some(_)) => Err(Refusal::NotUnique { parameter: "exp".to_owned() }),
        (Some(seconds), None) => Ok(Some(Expiry::In(seconds))),
        (None, at) => Ok(at.map(Expiry::At)),
    }
}
