//! `POST /organisation/delivery/{id}/resend`: sends it again, with the same id and body.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;

use super::path::DeliveryPath;
use super::test::ToSend;
use crate::db::event_deliveries::{IS_BARE, IS_OFF, IS_QUEUED, IS_SENT, TEST_IS_OPEN};
use crate::http::api::doc::{Access, Doc, wrong_state};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    DeliveryPath(id): DeliveryPath,
) -> Result<Json<ToSend>, ApiError> {
    service.resend_delivery(&caller, id).await?;
    Ok(Json(ToSend { delivery: id }))
}

pub fn doc() -> Doc {
    let doc = Doc::new("Sends an event again", Access::Role(Role::Admin))
        .about(
            "At once, with the same id and body, whether it was delivered or given up; from then on it is tried for a day, beside its stream's order. What waits \
             for its next try is tried now.",
        )
        .answers::<ToSend>("That it is to be sent.")
        .refuses([IS_OFF, IS_SENT, IS_QUEUED, IS_BARE, TEST_IS_OPEN].map(wrong_state));
    DeliveryPath::of(doc)
}
