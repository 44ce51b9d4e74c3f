//! `POST /stream`: makes a stream. Of the original's fields `transcodes`, `processing`, `webrtc` and `transcoding` are ignored, since there is
//! nothing yet that they could switch on.

use std::sync::Arc;

use afterlive_domain::stream::MAX_TAGS;
use afterlive_domain::{Error as Refusal, Mode, Role, Tags};
use axum::extract::State;
use serde_json::json;

use super::json::{STREAM_TYPE, StreamJson};
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, schema_of};
use crate::http::api::json::Json;
use crate::http::api::query::wrong;
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

pub fn doc() -> Doc {
    let ignored = || json!({});
    Doc::new("Makes a stream", Access::Role(Role::User))
        .about("Its streamname is drawn by the server and never given again. The names and meaning of tags are yours.")
        .body([
            Field::optional("tags", "Trimmed; empty ones and repetitions are left out.", schema_of::<Tags>())
                .example(json!(["title:Sunday service"])),
            Field::optional("type", format!("`{STREAM_TYPE}`, which is the only one."), json!({ "const": STREAM_TYPE })),
            Field::optional("transcodes", "Ignored.", ignored()),
            Field::optional("processing", "Ignored.", ignored()),
            Field::optional("webrtc", "Ignored: every stream can be published by WebRTC.", ignored()),
            Field::optional("transcoding", "Ignored.", ignored()),
        ])
        .answers::<StreamJson>("The new stream.")
        .refuses([
            wrong("tags", &format!("at most {MAX_TAGS} tags")),
            Refusal::StreamTypeUnavailable { stream_type: "cinema".to_owned() },
        ])
}
