//! `POST /live/{streamname}/whep`: a viewer watches by WebRTC; and what can be done with the session.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use http::StatusCode;
use uuid::Uuid;

use super::request::ClientAddress;
use super::{error, sdp, viewer};
use crate::live::whep::Whep;
use crate::service::Service;

type Parts = (Arc<Service>, Whep);

pub(super) fn router(service: &Arc<Service>, whep: Whep) -> Router {
    Router::new()
        .route("/live/{streamname}/whep", post(watch))
        .route("/live/{streamname}/whep/{id}", axum::routing::delete(end).patch(trickle))
        .layer(sdp::cors())
        .with_state((Arc::clone(service), whep))
}

async fn watch(State((service, whep)): State<Parts>, Path(streamname): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let admission = match viewer::watch_live(&service, &streamname, &parts).await {
        Ok(admission) => admission,
        Err(refusal) => return refusal.into_response(),
    };
    let withdrawn = viewer::withdrawn(&service, &admission.streamname, &parts);
    let address = parts.extensions.get().map_or(IpAddr::from([0, 0, 0, 0]), |ClientAddress(address)| *address);
    let offer = match sdp::take_offer(Request::from_parts(parts, body)).await {
        Ok(offer) => offer,
        Err(response) => return response,
    };
    match whep.watch(admission.right.stream, address, &offer, withdrawn) {
        Ok((id, answer)) => sdp::created(&format!("/live/{streamname}/whep/{id}"), answer),
        Err(refused) => error::refuse_watching(&refused),
    }
}

async fn end(State((_, whep)): State<Parts>, Path((_, id)): Path<(String, String)>) -> Response {
    match id.parse().is_ok_and(|id| whep.sessions().end(id)) {
        true => StatusCode::OK.into_response(),
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn trickle(State((_, whep)): State<Parts>, Path((_, id)): Path<(String, String)>, request: Request) -> Response {
    match id.parse::<Uuid>().is_ok_and(|id| whep.sessions().has(id)) {
        true => sdp::trickle(request).await,
        false => StatusCode::NOT_FOUND.into_response(),
    }
}
