//! `GET /stream`: a page of the caller's streams. With a player key, as the original's SDK asks, what `GET /stream/public` answers.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, StreamState};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderName;
use http::header::LINK;
use serde_json::json;

use super::cursor;
use super::json::{DEFAULT_RECORDINGS, StreamJson};
use crate::db::stream_search::{Order, Search};
use crate::http::api::doc::{Access, Doc, Field, instant, required};
use crate::http::api::json::Json;
use crate::http::api::query::{Query, cursor_field, quantity_field, search_field, tags_field, wrong};
use crate::http::credentials::MaybeHolder;
use crate::http::error::ApiError;
use crate::service::{Holder, MAX_PAGE, PlayerList, Service, Shown, StreamList, StreamPage};

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
    let Shown { streams: page, organisation, recordings } =
        service.shown_streams(&caller, &list(&query)?, DEFAULT_RECORDINGS).await?;
    let next = next(&service, &query, &page, "/stream");
    let shown = Shown { streams: page.streams, organisation, recordings };
    Ok((next, Json(StreamJson::list(&service, &caller, shown))).into_response())
}

pub fn doc() -> Doc {
    Doc::new("Lists streams", Access::Players)
        .about("With a player key as `GET /stream/public`.")
        .query(filters(&StreamState::ALL))
        .answers_page::<StreamJson>("A page of streams, in the order asked for.")
        .refuses(refusals())
}

/// The parameters of a list of streams.
pub(super) fn filters(states: &[StreamState]) -> Vec<Field> {
    let states: Vec<&str> = std::iter::once("all").chain(states.iter().map(|state| state.as_str())).collect();
    vec![
        Field::optional(
            "state",
            "Only streams in this state. `all` are all but the deleted.",
            json!({ "enum": states, "default": "all" }),
        )
        .example("ended"),
        tags_field("Only streams that have each of these tags."),
        quantity_field(DEFAULT_QUANTITY, MAX_PAGE),
        cursor_field(),
        Field::optional("from", "Only streams made at that time or later.", instant()),
        Field::optional("to", "Only streams made before that time.", instant()),
        search_field("Only streams with this text in their streamname or in a tag."),
        Field::optional(
            "sort",
            "`created`: the newest first. `updated`: those first that were changed last. `name`: by streamname.",
            json!({ "enum": ["created", "updated", "name"], "default": "created" }),
        ),
    ]
}

pub(super) fn refusals() -> Vec<Refusal> {
    vec![
        wrong("quantity", "integer"),
        wrong("state", "all, created, live, ended, locked or deleted"),
        wrong("cursor", "cursor from a Link header"),
        required("tags"),
        Refusal::TooMany { retry_after_s: 5 },
    ]
}

/// The same list as players see it.
pub(super) async fn public(service: &Service, holder: &Holder, query: &Query, path: &str) -> Result<Response, ApiError> {
    let PlayerList { page, organisation, place } = service.public_streams(holder, &list(query)?).await?;
    let next = next(service, query, &page, path);
    let streams = StreamJson::public_list(service, organisation, page.streams).await?;
    let answer = (next, Json(streams)).into_response();
    drop(place);
    Ok(answer)
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
