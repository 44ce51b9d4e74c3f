//! `GET /stream`: a page of the caller's streams. With a player key, as the original's SDK asks, what `GET /stream/public` answers.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, StreamState};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderName;
use http::header::LINK;

use super::cursor;
use super::json::StreamJson;
use crate::db::stream_search::{Order, Search};
use crate::http::api::json::Json;
use crate::http::api::query::{Query, wrong};
use crate::http::credentials::MaybeHolder;
use crate::http::error::ApiError;
use crate::service::{Holder, Service, StreamList, StreamPage};

const DEFAULT_QUANTITY: u32 = 50;

pub async fn handle(
    State(service): State<Arc<Service>>,
    MaybeHolder(holder): MaybeHolder,
    query: Query,
) -> Result<Response, ApiError> {
    let caller = match holder.ok_or(Refusal::BadCredentials)? {
        Holder::Caller(caller) => caller,
        player @ Holder::Player(_) => return public(&service, &player, &query, "/stream").await,
    };
    let page = service.streams(&caller, &list(&query)?).await?;
    let next = next(&service, &query, &page, "/stream");
    let streams = StreamJson::list(&service, &caller, page.streams).await?;
    Ok((next, Json(streams)).into_response())
}

/// The same list as players see it.
pub(super) async fn public(service: &Service, holder: &Holder, query: &Query, path: &str) -> Result<Response, ApiError> {
    let (page, organisation) = service.public_streams(holder, &list(query)?).await?;
    let next = next(service, query, &page, path);
    let streams = StreamJson::public_list(service, &organisation, page.streams).await?;
    Ok((next, Json(streams)).into_response())
}

fn next(service: &Service, query: &Query, page: &StreamPage, path: &str) -> Option<[(HeaderName, String); 1]> {
    page.next.as_ref().map(|next| {
        let query = query.with("cursor", &cursor::write(next));
        [(LINK, format!("<{}{path}?{query}>; rel=\"next\"", service.config().http.public_url))]
    })
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
