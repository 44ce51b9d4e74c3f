//! `PUT /organisation/recording`: limits, reconnect window and retention. A field that is left out stays as it is; null goes back to the server's default.

use std::sync::Arc;

use afterlive_domain::organisation::RecordingSettings;
use axum::extract::State;

use super::json::OrganisationJson;
use crate::http::api::body::Fields;
use crate::http::api::json::Json;
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
