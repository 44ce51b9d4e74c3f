//! `GET /stream/{id}`: one stream with its recordings; also for players, without a key, where live is public or they have a
//! playback token (`?token=`), and with a player key, beside which a token opens what it opens.
//! `GET /stream/{id}/group` is the same, since a stream is the only one of its group.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::State;
use http::request::Parts;
use serde_json::json;

use super::json::{DEFAULT_RECORDINGS, MAX_RECORDINGS, StreamJson};
use super::path::StreamPath;
use crate::http::api::doc::{Access, Doc, Field};
use crate::http::api::json::Json;
use crate::http::api::query::{Query, wrong};
use crate::http::credentials::MaybeHolder;
use crate::http::error::ApiError;
use crate::http::viewer;
use crate::service::playback::token::{MAX_TOKEN_BYTES, Refused, TOKEN};
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
            StreamJson::shown(&service, &caller, service.shown_stream(&caller, id, recordings).await?)
        }
        None => {
            let viewer = viewer::viewer(&service, &parts, true).await?;
            StreamJson::for_viewer(&service, service.stream_for_viewer(id, &viewer).await?, recordings).await?
        }
    }))
}

pub fn doc() -> Doc {
    let whole_number = json!({ "type": "integer", "minimum": 0, "default": DEFAULT_RECORDINGS });
    let about = format!("So many of its newest recordings are shown, at most {MAX_RECORDINGS}; 0 for none.");
    let doc = Doc::new("A stream with its recordings", Access::Viewers)
        .about(
            "Also for players: without a credential where the organisation's live is public, and with a playback token. They see it without `ingest` and `pushUrl`, \
             and with recordings only where those are public or the token opens them.",
        )
        .query([
            Field::optional("asset_limit", about, whole_number).example(10),
            Field::optional(TOKEN, "A playback token, in place of a credential or beside a player key.", json!({ "type": "string", "maxLength": MAX_TOKEN_BYTES })),
            Field::optional("profile", "Ignored; bintu's players send `player`.", json!({ "type": "string" })),
        ])
        .answers::<StreamJson>("The stream.")
        .refuses([wrong("asset_limit", "integer"), Refusal::PlaybackDenied { reason: Refused::Missing.to_string() }]);
    StreamPath::of(doc)
}

pub fn group_doc() -> Doc {
    Doc { summary: "The streams of a group", ..doc() }
}

fn asset_limit(query: &Query) -> Result<u32, Refusal> {
    Ok(query.count("asset_limit")?.unwrap_or(DEFAULT_RECORDINGS).min(MAX_RECORDINGS))
}
