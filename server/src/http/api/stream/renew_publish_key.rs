//! `POST /stream/{id}/publish_key`: makes the stream's publish key another one; the answer has it, where one is required.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;

use super::json::StreamJson;
use super::path::StreamPath;
use crate::http::api::doc::{Access, Doc, wrong_state};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    StreamPath(id): StreamPath,
) -> Result<Json<StreamJson>, ApiError> {
    let stream = service.renew_publish_key(&caller, id).await?;
    Ok(Json(StreamJson::for_caller(&service, &caller, stream).await?))
}

pub fn doc() -> Doc {
    let doc = Doc::new("Makes a stream's publish key another one", Access::Role(Role::Admin))
        .about("From then on the one before is refused; who publishes with it already goes on. It is drawn whether one is required or not.")
        .answers::<StreamJson>("The stream; where a publish key is required, `ingest.rtmp.streamname` has the new one.")
        .refuses([wrong_state("deleted")]);
    StreamPath::of(doc)
}
