//! `GET /organisation/endpoint/{id}/delivery`: a page of what an endpoint was told, or is to be.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::LINK;

use super::json::DeliveryJson;
use super::path::EndpointPath;
use crate::db::delivery_log::Place;
use crate::events::{KEPT_FOR_MS, MAX_KEPT};
use crate::http::api::doc::{Access, Doc};
use crate::http::api::json::Json;
use crate::http::api::query::{Query, cursor_field, quantity_field, wrong};
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{MAX_DELIVERY_PAGE, Service};

const DEFAULT_QUANTITY: u32 = 50;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    EndpointPath(id): EndpointPath,
    query: Query,
) -> Result<Response, ApiError> {
    let after = query.parsed::<Place>("cursor", "cursor from a Link header")?;
    let page = service.deliveries(&caller, id, after, query.count("quantity")?.unwrap_or(DEFAULT_QUANTITY)).await?;
    let next = page.next.map(|next| {
        let (origin, query) = (&service.config().http.public_url, query.with("cursor", &next.to_string()));
        [(LINK, format!("<{origin}/organisation/endpoint/{id}/delivery?{query}>; rel=\"next\""))]
    });
    let deliveries: Vec<DeliveryJson> = page.deliveries.into_iter().map(DeliveryJson::from).collect();
    Ok((next, Json(deliveries)).into_response())
}

pub fn doc() -> Doc {
    let about = format!(
        "What it was told, or is to be, newest first. What is over stands there for {} days, of the newest {MAX_KEPT}.",
        KEPT_FOR_MS / 86_400_000
    );
    let doc = Doc::new("Lists what an endpoint was told", Access::Role(Role::Admin))
        .about(about)
        .query([quantity_field(DEFAULT_QUANTITY, MAX_DELIVERY_PAGE), cursor_field()])
        .answers_page::<DeliveryJson>("A page of deliveries.")
        .refuses([wrong("quantity", "integer"), wrong("cursor", "cursor from a Link header")]);
    EndpointPath::of(doc)
}
