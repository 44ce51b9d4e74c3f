//! Every route in one list, and the layers around them in their order.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use super::{
    api, arrival, browser_session, embed, events, health, instructions, known_browser, live, live_still, oidc, reference, report,
    request, unsent, vod, whep, whip,
};
use crate::ingest::whip::Whip;
use crate::live::Feeds;
use crate::live::whep::Whep;
use crate::service::Service;

/// `pages` is the dashboard without its browser sessions; `webrtc` is absent where WebRTC is switched off; `stop` ends what would go on for ever.
pub fn router(
    service: &Arc<Service>,
    pages: Router,
    vod: Arc<vod::Vod>,
    feeds: Feeds,
    webrtc: Option<(Whip, Whep)>,
    stop: CancellationToken,
) -> impl tower::Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + use<> {
    let config = service.config();
    let sessions = browser_session::layer(service.db().clone(), service.clock().clone(), config.http.is_secure());
    let trusted_proxies = config.http.trusted_proxies.clone();
    let pages = pages.route("/events", get(events::handle).with_state(events::Events::new(Arc::clone(service), stop)));
    let pages = pages.route("/vod/{id}/report", get(report::handle).with_state(Arc::clone(service)));
    let pages = pages.route("/live/{streamname}/thumbnail.jpg", get(live_still::handle).with_state(Arc::clone(service)));
    let pages = pages.merge(live::router(service, feeds));
    let pages = pages.route("/embed/{id}", get(embed::page).with_state(Arc::clone(service)));
    let pages = pages.route("/embed/{id}/facts", get(embed::facts).with_state(Arc::clone(service)));
    let pages = pages.merge(oidc::router(service));
    let pages = pages.layer(from_fn_with_state(service.clock().clone(), browser_session::renew)).layer(sessions);
    let pages = pages.layer(from_fn_with_state(Arc::clone(service), known_browser::keep));
    let routes = api::router(Arc::clone(service), pages)
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz).with_state(Arc::clone(service)))
        .merge(reference::router(&config.http.public_url))
        .merge(webrtc.map(|(whip, whep)| whip::router(whip).merge(whep::router(service, whep))).unwrap_or_default());
    let turned_away = Arc::new(request::TurnedAway::new(Arc::clone(service)));
    let unsent = unsent::Unsent::default();
    tower::service_fn(move |request: Request| {
        let (routes, vod, trusted_proxies) = (routes.clone(), Arc::clone(&vod), trusted_proxies.clone());
        let (turned_away, unsent) = (Arc::clone(&turned_away), unsent.clone());
        async move {
            let answer = async |request| vod::before(&routes, &vod, request).await;
            let answer = async |request| arrival::in_time(arrival::BODY_TIMEOUT, request, answer).await;
            let answer = async |request| unsent.within(request, answer).await;
            let mut response = request::observe(&trusted_proxies, &turned_away, request, answer).await;
            instructions::add(&mut response);
            Ok(response)
        }
    })
}
