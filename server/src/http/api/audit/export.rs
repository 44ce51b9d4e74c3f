//! `GET /audit`: the audit log, a line a row, for programs that carry it off.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, Role};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::LINK;
use serde_json::json;

use super::json::LineJson;
use crate::http::api::doc::{Access, Doc, Field, instant};
use crate::http::api::json::Lines;
use crate::http::api::query::{Query, quantity_field, wrong};
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{MAX_EXPORT, Service};

const DEFAULT_QUANTITY: u32 = 1_000;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<Response, ApiError> {
    let after = query.parsed::<i64>("after", "the id of a line")?.unwrap_or(0);
    let between = (query.instant("from")?, query.instant("to")?);
    let quantity = query.count("quantity")?.unwrap_or(DEFAULT_QUANTITY).max(1);
    let page = service.export_audit(&caller, after, between, quantity).await?;
    let next = page.next.map(|next| {
        let (origin, query) = (&service.config().http.public_url, query.with("after", &next.to_string()));
        [(LINK, format!("<{origin}/audit?{query}>; rel=\"next\""))]
    });
    // All of it, read and written out: nothing of the database is held while the client takes its time.
    Ok((next, Lines(page.entries.into_iter().map(LineJson::from))).into_response())
}

pub fn doc() -> Doc {
    let after = "Only lines after that one, by its `id`. Who asks again and again with the last `id` that they have, and no `to`, misses none.";
    Doc::new("Exports the audit log", Access::Role(Role::Admin))
        .about(
            "Who did what, on what, from where and when: each change, and each attempt that was denied, in the order in which they were written. One JSON object a line. \
             An answer may be short, or empty, with more behind it: the `Link` header says so.",
        )
        .query([
            Field::optional("from", "Only what happened at that time or later.", instant()),
            Field::optional("to", "Only what happened before that time.", instant()),
            Field::optional("after", after, json!({ "type": "integer", "minimum": 0 })).example(0),
            quantity_field(DEFAULT_QUANTITY, MAX_EXPORT),
        ])
        .answers_lines::<LineJson>("Lines of JSON, oldest first.")
        .refuses([
            wrong("quantity", "integer"),
            wrong("after", "the id of a line"),
            wrong("from", "RFC 3339 date and time"),
            Refusal::TooMany { retry_after_s: 5 },
        ])
}
