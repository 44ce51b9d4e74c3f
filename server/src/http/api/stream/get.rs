//! `GET /stream/{id}`: one stream with its recordings; also for players, without a key, where live is public or they have a
//! playback token (`?token=`), and with a player key, beside which a token opens what it opens.
//! `GET /stream/{id}/group` is the same, since a stream is the only one of its group.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::State;
use http::request::Parts;

use super::json::{DEFAULT_RECORDINGS, MAX_RECORDINGS, StreamJson};
use super::path::StreamPath;
use crate::http::api::json::Json;
use crate::http::api::query::Query;
use crate::http::credentials::MaybeHolder;
use crate::http::error::ApiError;
use crate::http::viewer;
use crate::service::{Holder, Service};

pub async fn handle(
    State(service): State<Arc<Service>>,
    MaybeHolder(holder): MaybeHolder,
    StreamPath(id): StreamPath,
    query: Query,
    parts: Parts,
) -> Result<Json<StreamJson>, ApiError> {
    let recordings = asset_limit(&query)?;
    Ok(Json(match holder {
        Some(Holder::Player(player)) => {
            let viewer = viewer::viewer(&service, &parts, true).await?;
            StreamJson::for_viewer(&service, service.stream_for_player(&player, id, &viewer).await?, recordings).await?
        }
        Some(Holder::Caller(caller)) => {
            StreamJson::with_recordings(&service, &caller, service.stream(&caller, id).await?, recordings).await?
        }
        None => {
            let viewer = viewer::viewer(&service, &parts, true).await?;
            StreamJson::for_viewer(&service, service.stream_for_viewer(id, &viewer).await?, recordings).await?
        }
    }))
}

fn asset_limit(query: &Query) -> Result<u32, Refusal> {
    Ok(query.count("asset_limit")?.unwrap_or(DEFAULT_RECORDINGS).min(MAX_RECORDINGS))
}
