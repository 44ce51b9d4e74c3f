//! `POST /organisation/apikey`: makes a key. This answer is the only one that has it.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, Role};
use axum::extract::State;
use serde::Serialize;

use super::json::KeyJson;
use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;
use crate::service::playback::Expiry;

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
    let required = |name: &str| Refusal::ParameterRequired { parameter: name.to_owned() };
    let label = fields.text("label")?.ok_or_else(|| required("label"))?;
    let role = fields.text("role")?.ok_or_else(|| required("role"))?;
    let role: Role = role.parse().map_err(|_| {
        let expected = Role::ALL.map(Role::as_str).join(", ");
        Refusal::WrongType { parameter: "role".to_owned(), expected: format!("one of {expected}") }
    })?;
    let made = service.create_api_key(&caller, label, role, expiry(&fields)?).await?;
    Ok(Json(Made { key: made.secret, row: KeyJson::new(made.row, service.clock().now()) }))
}

/// Without one the key is good until it is revoked.
fn expiry(fields: &Fields) -> Result<Option<Expiry>, Refusal> {
    match (fields.number("expires_in_s")?.flatten(), fields.instant("exp")?) {
        (Some(_), Some(_)) => Err(Refusal::NotUnique { parameter: "exp".to_owned() }),
        (Some(seconds), None) => Ok(Some(Expiry::In(seconds))),
        (None, at) => Ok(at.map(Expiry::At)),
    }
}
