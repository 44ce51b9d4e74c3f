//! `GET /stream`: a page of the caller's streams.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, StreamState};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::LINK;

use super::cursor;
use super::json::StreamJson;
use crate::db::stream_search::{Order, Search};
use crate::http::api::json::Json;
use crate::http::api::query::{Query, wrong};
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{Service, StreamList};

const DEFAULT_QUANTITY: u32 = 50;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<Response, ApiError> {
    let list = list(&query)?;
    let page = service.streams(&caller, &list).await?;
    let next = page.next.as_ref().map(|next| {
        let query = query.with("cursor", &cursor::write(next));
        [(LINK, format!("<{}/stream?{query}>; rel=\"next\"", service.config().http.public_url))]
    });
    let streams = StreamJson::list(&service, &caller, page.streams).await?;
    Ok((next, Json(streams)).into_response())
}

fn list(query: &Query) -> Result<StreamList, Refusal> {
    let state = match query.text("state") {
        None | Some("all") => None,
        Some(state) => {
            Some(state.parse::<StreamState>().map_err(|()| wrong("state", "all, created, live, ended, locked or deleted"))?)
        }
    };
    let order = match query.text("sort") {
        None | Some("created") => Order::NewestFirst,
        Some("updated") => Order::LastUpdatedFirst,
        Some("name") => Order::ByName,
        Some(_) => return Err(wrong("sort", "created, updated or name")),
    };
    let (tags, text) = (query.filter_tags()?, query.search_text());
    let after =
        query.text("cursor").map(|text| cursor::read(text, order).ok_or_else(|| wrong("cursor", "cursor from a Link header")));
    Ok(StreamList {
        search: Search { state, tags, text, from: query.instant("from")?, to: query.instant("to")?, order },
        after: after.transpose()?,
        limit: query.count("quantity")?.unwrap_or(DEFAULT_QUANTITY),
    })
}
