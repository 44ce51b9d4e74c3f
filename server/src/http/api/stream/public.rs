//! `GET /stream/public`: a page of streams as players see them, for who has a player key or any other credential of the organisation.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, StreamState};
use axum::extract::State;
use axum::response::Response;

use super::json::StreamJson;
use super::list;
use crate::http::api::doc::{Access, Doc};
use crate::http::api::query::Query;
use crate::http::credentials::MaybeHolder;
use crate::http::error::ApiError;
use crate::service::{MAX_PLAYER_PAGE, Service};

pub async fn handle(
    State(service): State<Arc<Service>>,
    MaybeHolder(holder): MaybeHolder,
    query: Query,
) -> Result<Response, ApiError> {
    list::public(&service, &holder.ok_or(Refusal::BadCredentials)?, &query, "/stream/public").await
}

pub fn doc() -> Doc {
    let states = StreamState::ALL.into_iter().filter(|state| *state != StreamState::Deleted);
    Doc::new("Lists streams as players see them", Access::Players)
        .about(format!(
            "Without `ingest` and `pushUrl`, and with recordings only where those are public. A player key has to name at least one tag, gets at most {MAX_PLAYER_PAGE} \
             at a time, and takes no `q`, `sort`, `from` or `to`; its pages may be short, and even empty, with more behind them as long as there is a `Link`."
        ))
        .query(list::filters(&states.collect::<Vec<_>>()))
        .answers_page::<StreamJson>("A page of streams, in the order asked for.")
        .refuses(list::refusals())
}
