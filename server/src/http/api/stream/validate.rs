//! `POST /stream/validate`: whether a streamname is taken, as far as the caller's organisation goes.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::State;
use serde::Serialize;

use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

#[derive(Serialize)]
pub struct Verdict {
    success: bool,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<Verdict>, ApiError> {
    let streamname = fields.text("streamname")?;
    let streamname = streamname.ok_or_else(|| Refusal::ParameterRequired { parameter: "streamname".to_owned() })?;
    Ok(Json(Verdict { success: service.is_streamname_taken(&caller, streamname).await? }))
}
