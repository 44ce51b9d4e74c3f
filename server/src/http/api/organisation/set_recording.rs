//! `PUT /organisation/recording`: limits, reconnect window and retention. A field that is left out stays as it is; null goes back to the server's default.

use std::sync::Arc;

use afterlive_domain::Role;
use afterlive_domain::organisation::{
    MAX_LIMIT, MAX_RECONNECT_WINDOW_S, MAX_RETENTION_DAYS, MIN_BYTES, MIN_DURATION_S, RecordingSettings,
};
use axum::extract::State;
use serde_json::json;

use super::json::OrganisationJson;
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field};
use crate::http::api::json::Json;
use crate::http::api::query::wrong;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<OrganisationJson>, ApiError> {
    let (max_duration_s, max_bytes) = (fields.number("max_duration_s")?, fields.number("max_bytes")?);
    let (reconnect_window_s, retention_days) = (fields.number("reconnect_window_s")?, fields.number("retention_days")?);
    let change = |so_far: RecordingSettings| RecordingSettings {
        max_duration_s: max_duration_s.unwrap_or(so_far.max_duration_s),
        max_bytes: max_bytes.unwrap_or(so_far.max_bytes),
        reconnect_window_s: reconnect_window_s.unwrap_or(so_far.reconnect_window_s),
        retention_days: retention_days.unwrap_or(so_far.retention_days),
    };
    let organisation = service.change_recording_settings(&caller, change).await?;
    Ok(Json(OrganisationJson::new(&service, &caller, organisation)))
}

pub fn doc() -> Doc {
    let none_or =
        |least: u64, most: u64| json!({ "anyOf": [{ "const": 0 }, { "type": "integer", "minimum": least, "maximum": most }] });
    Doc::new("Sets limits, reconnect window and retention of recordings", Access::Role(Role::Admin))
        .about("A field that is left out stays as it is, null goes back to the server's default, and 0 is none: no limit, no window, kept for ever.")
        .body([
            Field::optional("max_duration_s", "The longest recording, in seconds of media; the stream's next one goes on.", none_or(MIN_DURATION_S, MAX_LIMIT)),
            Field::optional("max_bytes", "The largest recording, in bytes; the stream's next one goes on.", none_or(MIN_BYTES, MAX_LIMIT)),
            Field::optional(
                "reconnect_window_s",
                "An encoder that is away for no more than so many seconds goes on in the same recording.",
                none_or(1, MAX_RECONNECT_WINDOW_S),
            )
            .example(30),
            Field::optional("retention_days", "So many days after its end a recording goes to the bin.", none_or(1, MAX_RETENTION_DAYS)),
        ])
        .answers::<OrganisationJson>("The organisation.")
        .refuses([wrong("reconnect_window_s", &format!("at most {MAX_RECONNECT_WINDOW_S} seconds as the reconnect window"))])
}
