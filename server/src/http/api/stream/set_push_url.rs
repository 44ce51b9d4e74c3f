//! `PUT /stream/{id}/push_url`: where the stream is also pushed to while it is live; null: nowhere.

use std::sync::Arc;

use afterlive_domain::Role;
use afterlive_domain::push::{MAX_PUSH_URL_BYTES, PushUrl};
use axum::extract::State;
use serde_json::json;

use super::json::StreamJson;
use super::path::StreamPath;
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, required, wrong_state};
use crate::http::api::json::Json;
use crate::http::api::query::wrong;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    StreamPath(id): StreamPath,
    fields: Fields,
) -> Result<Json<StreamJson>, ApiError> {
    let url = fields.nullable_text("url")?.ok_or_else(|| required("url"))?;
    let url = url.filter(|url| !url.trim().is_empty()).map(PushUrl::parse).transpose()?;
    let stream = service.set_push_url(&caller, id, url.as_ref()).await?;
    Ok(Json(StreamJson::for_caller(&service, &caller, stream).await?))
}

pub fn doc() -> Doc {
    let url = json!({ "type": ["string", "null"], "maxLength": MAX_PUSH_URL_BYTES });
    let doc = Doc::new("Sets where a stream is also pushed to", Access::Role(Role::User))
        .about("While it is live, the stream is sent on to that server. A change takes effect at once.")
        .body([Field::required("url", "`rtmp://HOST[:PORT]/APP/NAME`; null or an empty text: nowhere.", url)
            .example("rtmp://live.example.com/app/key")])
        .answers::<StreamJson>("The stream.")
        .refuses([required("url"), wrong("url", "a URL such as rtmp://live.example.com/app/key"), wrong_state("deleted")]);
    StreamPath::of(doc)
}
