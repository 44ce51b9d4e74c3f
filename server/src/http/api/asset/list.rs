//! `GET /asset`: a page of the organisation's recordings, or of its bin.

use std::sync::Arc;

use afterlive_domain::{AssetState, Error as Refusal};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::LINK;

use super::json::AssetJson;
use crate::db::asset_search::{Place, Search};
use crate::http::api::json::Json;
use crate::http::api::query::{Query, wrong};
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{AssetList, Service};

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
