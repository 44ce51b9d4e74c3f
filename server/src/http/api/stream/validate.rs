//! `POST /stream/validate`: whether a streamname is taken, as far as the caller's organisation goes.

use std::sync::Arc;

use axum::extract::State;

use crate::http::api::body::Fields;
use crate::http::api::json::{Json, Verdict};
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<Verdict>, ApiError> {
    let success = service.is_streamname_taken(&caller, fields.required_text("streamname")?).await?;
    Ok(Json(Verdict { success }))
}
