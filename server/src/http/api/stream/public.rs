//! `GET /stream/public`: a page of streams as players see them, for who has a player key or any other credential of the organisation.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::State;
use axum::response::Response;

use super::list;
use crate::http::api::query::Query;
use crate::http::credentials::MaybeHolder;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    MaybeHolder(holder): MaybeHolder,
    query: Query,
) -> Result<Response, ApiError> {
    list::public(&service, &holder.ok_or(Refusal::BadCredentials)?, &query, "/stream/public").await
}
