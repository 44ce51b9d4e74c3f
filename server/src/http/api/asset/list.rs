//! `GET /asset`: a page of the organisation's recordings, or of its bin.

use std::sync::Arc;

use afterlive_domain::{AssetState, Error as Refusal, Region, Role, StreamId};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::LINK;
use serde_json::json;

use super::json::AssetJson;
use crate::db::asset_search::{Place, Search};
use crate::http::api::doc::{Access, Doc, Field, instant, schema_of};
use crate::http::api::json::Json;
use crate::http::api::query::{Query, cursor_field, quantity_field, search_field, tags_field, wrong};
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{AssetList, MAX_PAGE, Service};

const DEFAULT_QUANTITY: u32 = 50;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<Response, ApiError> {
    let page = service.assets(&caller, &list(&query)?).await?;
    let next = page.next.map(|next| {
        let query = query.with("cursor", &next.to_string());
        [(LINK, format!("<{}/asset?{query}>; rel=\"next\"", service.config().http.public_url))]
    });
    let assets: Vec<AssetJson> = page.assets.into_iter().map(|asset| AssetJson::new(&service, asset)).collect();
    Ok((next, Json(assets)).into_response())
}

pub fn doc() -> Doc {
    let states: Vec<&str> = std::iter::once("all").chain(AssetState::ALL.map(AssetState::as_str)).collect();
    Doc::new("Lists recordings", Access::Role(Role::ReadOnly))
        .about("Those of all streams, newest first. What was removed for good is on no list.")
        .query([
            Field::optional("stream", "Only those of this stream.", schema_of::<StreamId>()),
            tags_field("Only those of streams that have each of these tags."),
            Field::optional("region", "Only those in this region.", schema_of::<Region>()).example("eu"),
            Field::optional(
                "state",
                "Only those in this state. `all` are all but those in the bin, which are `deleted`.",
                json!({ "enum": states, "default": "all" }),
            )
            .example("ready"),
            quantity_field(DEFAULT_QUANTITY, MAX_PAGE),
            cursor_field(),
            Field::optional("from", "Only those that began at that time or later.", instant()),
            Field::optional("to", "Only those that began before that time.", instant()),
            search_field("Only those with this text in the name of their file, or in their stream's name or a tag."),
        ])
        .answers_page::<AssetJson>("A page of recordings.")
        .refuses([
            wrong("stream", "a UUID"),
            wrong("quantity", "integer"),
            wrong("cursor", "cursor from a Link header"),
            Refusal::TooMany { retry_after_s: 5 },
        ])
}

fn list(query: &Query) -> Result<AssetList, Refusal> {
    let state = match query.text("state") {
        None | Some("all") => None,
        Some(state) => Some(
            state.parse::<AssetState>().map_err(|()| wrong("state", "all, recording, ready, incomplete, failed or deleted"))?,
        ),
    };
    Ok(AssetList {
        search: Search {
            stream: query.parsed("stream", "a UUID")?,
            tags: query.filter_tags()?,
            region: query.parsed("region", "a region's name")?,
            state,
            held: false,
            text: query.search_text(),
            from: query.instant("from")?,
            to: query.instant("to")?,
        },
        after: query.parsed::<Place>("cursor", "cursor from a Link header")?,
        limit: query.count("quantity")?.unwrap_or(DEFAULT_QUANTITY),
    })
}
