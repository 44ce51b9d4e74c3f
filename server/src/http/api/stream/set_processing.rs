//! `POST /stream/{id}/processing`: the stream, unchanged. There is nothing yet that the original's steps could switch on: they are read, and kept nowhere, as
//! those of `POST /stream` are.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::State;

use super::json::StreamJson;
use super::path::StreamPath;
use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    StreamPath(id): StreamPath,
    fields: Fields,
) -> Result<Json<StreamJson>, ApiError> {
    if !fields.has_lists("processing")? {
        return Err(Refusal::ParameterRequired { parameter: "processing".to_owned() }.into());
    }
    let stream = service.stream_to_edit(&caller, id).await?;
    Ok(Json(StreamJson::for_caller(&service, &caller, stream).await?))
}
