//! `GET /token/playback`: the tokens that were given a label and have neither expired nor been revoked, newest first. What they say, never themselves.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, Role, UnixMillis};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::json::ClaimsJson;
use crate::http::api::doc::{Access, Doc, Field};
use crate::http::api::json::Json;
use crate::http::api::query::Query;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

/// A playback token that was given a label.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PlaybackToken", example = example())]
pub struct Listed {
    /// What it is for, in words for people.
    label: String,
    #[serde(flatten)]
    claims: ClaimsJson,
    /// The e-mail address of a user, or the label of a key.
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

pub fn doc() -> Doc {
    Doc::new("Lists the playback tokens that have a label", Access::Role(Role::User))
        .about("Those that have neither expired nor been revoked, newest first. What they say, never themselves.")
        .query([Field::optional(
            "stream",
            "The id or the streamname of a stream: only those that open it.",
            json!({ "type": "string" }),
        )])
        .answers::<Vec<Listed>>("The tokens.")
        .refuses([Refusal::NoSuchStream { stream: "8sKpm-x49nB".to_owned() }])
}

fn example() -> Value {
    super::json::example(
        json!({ "label": "Website" }),
        json!({ "made_by": "ada@example.com", "created_at": "2026-11-04T17:09:19.899Z" }),
    )
}
