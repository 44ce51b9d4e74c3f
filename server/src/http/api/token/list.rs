//! `GET /token/playback`: the tokens that were given a label and have neither expired nor been revoked, newest first. What they say, never themselves.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, UnixMillis};
use axum::extract::State;
use serde::Serialize;

use super::json::ClaimsJson;
use crate::http::api::json::Json;
use crate::http::api::query::Query;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

#[derive(Serialize)]
pub struct Listed {
    label: String,
    #[serde(flatten)]
    claims: ClaimsJson,
    made_by: String,
    created_at: UnixMillis,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<Json<Vec<Listed>>, ApiError> {
    let stream = match query.text("stream") {
        Some(text) => {
            let found = service.stream_called(&caller, text).await?;
            Some(found.ok_or_else(|| Refusal::NoSuchStream { stream: text.chars().take(100).collect() })?)
        }
        None => None,
    };
    let issued = service.playback_tokens(&caller, stream).await?;
    let listed = issued.into_iter().map(|token| Listed {
        label: token.label,
        claims: token.claims.into(),
        made_by: token.made_by,
        created_at: token.created_at,
    });
    Ok(Json(listed.collect()))
}
