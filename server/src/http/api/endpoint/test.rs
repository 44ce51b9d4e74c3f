//! `POST /organisation/endpoint/{id}/test`: something is sent that says that it is a test.

use std::sync::Arc;

use afterlive_domain::{MessageId, Role};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::path::EndpointPath;
use crate::db::event_deliveries::{IS_OFF, TEST_IS_OPEN};
use crate::http::api::doc::{Access, Doc, EXAMPLE_DELIVERY, wrong_state};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

/// Something that is to be sent.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ToSend", example = json!({ "delivery": EXAMPLE_DELIVERY }))]
pub struct ToSend {
    /// Its id in the log.
    pub(super) delivery: MessageId,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    EndpointPath(id): EndpointPath,
) -> Result<Json<ToSend>, ApiError> {
    Ok(Json(ToSend { delivery: service.test_endpoint(&caller, id).await? }))
}

pub fn doc() -> Doc {
    let doc = Doc::new("Tries out an endpoint for events", Access::Role(Role::Admin))
        .about("Sends it an event of the type `test`, signed as all are. There is one try; what came of it stands in the log of its deliveries.")
        .answers::<ToSend>("That it is to be sent.")
        .refuses([wrong_state(IS_OFF), wrong_state(TEST_IS_OPEN)]);
    EndpointPath::of(doc)
}
