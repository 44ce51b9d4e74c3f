//! `POST /organisation/apikey`: makes a key. This answer is the only one that has it.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, KeyUse, Role};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::json::KeyJson;
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, instant_or_seconds, required, schema_of, wrong_state};
use crate::http::api::json::Json;
use crate::http::api::query::wrong;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::playback::Expiry;
use crate::service::{MAX_KEY_LIFETIME_S, MAX_KEYS, MAX_NAME_CHARS, Opens, Service};

/// A key that was just made.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "MadeKey", example = example())]
pub struct Made {
    /// The key itself: it is shown this once.
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

pub fn doc() -> Doc {
    let lifetime = json!({ "type": "integer", "minimum": 1, "maximum": MAX_KEY_LIFETIME_S });
    Doc::new("Makes a key", Access::Role(Role::Admin))
        .about("The answer is the only one that has the key. Without an end it is good until it is revoked.")
        .body([
            Field::required(
                "label",
                "What it is for, in words for people.",
                json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS }),
            )
            .example("Website"),
            Field::optional(
                "role",
                "What it may. Asked for where the kind is `api`, refused where it is `player`.",
                schema_of::<Role>(),
            )
            .example("nanoReadOnly"),
            Field::optional("kind", "`api` where it is left out.", schema_of::<KeyUse>()),
            Field::optional("expires_in_s", "It is good for so many seconds from now on.", lifetime),
            Field::optional(
                "exp",
                "It is good until then: RFC 3339, or seconds since 1970. Not beside `expires_in_s`.",
                instant_or_seconds(),
            ),
        ])
        .answers::<Made>("The key, and what is known of it from now on.")
        .refuses([
            required("label"),
            Refusal::NotUnique { parameter: "exp".to_owned() },
            wrong("kind", "api or player"),
            wrong_state(&format!("{MAX_KEYS} keys, which is the most")),
        ])
}

fn example() -> Value {
    let mut made = json!({ "key": "4f1f6c".repeat(11).get(..64) });
    if let (Some(made), Value::Object(row)) = (made.as_object_mut(), super::json::example()) {
        made.extend(row);
    }
    made
}

/// A role, or of the kind `player`, which has none.
fn opens(fields: &Fields) -> Result<Opens, Refusal> {
    let kind = fields.text("kind")?.map_or(Ok(KeyUse::Api), str::parse);
    let kind = kind.map_err(|()| wrong("kind", "api or player"))?;
    match (kind, fields.text("role")?) {
        (KeyUse::Player, None) => Ok(Opens::Playout),
        (KeyUse::Player, Some(_)) => Err(wrong("role", "no role, for a player key")),
        (KeyUse::Api, None) => Err(required("role")),
        (KeyUse::Api, Some(role)) => {
            let expected = format!("one of {}", Role::ALL.map(Role::as_str).join(", "));
            role.parse().map(Opens::Role).map_err(|_| wrong("role", &expected))
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
