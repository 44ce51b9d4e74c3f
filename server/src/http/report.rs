//! `GET /vod/{id}/report`: the account of a recording as a file, for who is signed in; the same as programs get from the API with a key.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_DISPOSITION;
use tower_sessions::Session;

use super::api::asset::path::AssetPath;
use super::api::asset::report::ReportJson;
use super::api::json::Json;
use super::browser_session;
use super::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    session: Session,
    AssetPath(id): AssetPath,
) -> Result<Response, ApiError> {
    let caller = browser_session::caller(&service, &session).await?.ok_or(Refusal::BadCredentials)?;
    let account = service.asset_report(&caller, id).await?;
    // Names of recordings have letters, digits, `-` and `.` only.
    let name = format!("attachment; filename=\"{}-report.json\"", account.asset.file_name.trim_end_matches(".mp4"));
    let mut response = Json(ReportJson::new(&service, account)).into_response();
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
