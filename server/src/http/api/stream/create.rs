//! `POST /stream`: makes a stream. Of the original's fields `transcodes`, `processing`, `webrtc` and `transcoding` are ignored, since there is
//! nothing yet that they could switch on.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, Mode};
use axum::extract::State;

use super::json::{STREAM_TYPE, StreamJson};
use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{NewStream, Service};

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<StreamJson>, ApiError> {
    if let Some(stream_type) = fields.text("type")?.filter(|stream_type| *stream_type != STREAM_TYPE) {
        return Err(Refusal::StreamTypeUnavailable { stream_type: stream_type.to_owned() }.into());
    }
    let tags = fields.tags()?.unwrap_or_default();
    let stream = service.create_stream(&caller, NewStream { tags, default_mode: Mode::Rec }).await?;
    Ok(Json(StreamJson::for_caller(&service, &caller, stream).await?))
}
