//! What every request gets before any handler sees it: an id, the client's address, a span, and a line in the log when it is answered.
//! The path is logged, the query never: it can hold keys.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument as _;
use uuid::Builder;

use super::error;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Under which the log has what happened. Ours, never the client's.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// Who asks: the peer, or, where the peer is a proxy that the configuration trusts, who the proxy says.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// Around everything.
pub async fn observe(
    trusted_proxies: &[IpAddr],
    mut request: Request,
    answer: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    // From the thread's own generator: `Uuid::new_v4` asks the kernel each time, and nothing hangs on an id being hard to guess.
    let id: Arc<str> = Builder::from_random_bytes(rand::random()).into_uuid().simple().to_string().into();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::from([0, 0, 0, 0]), |info| info.0.ip());
    let address = client_address(peer, request.headers(), trusted_proxies);
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    request.extensions_mut().insert(ClientAddress(address));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!("request", %id);
    let started = Instant::now();
    async move {
        let mut response = answer(request).await;
        error::disclose_to_log(&mut response, &id);
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
        let (status, ms) = (response.status().as_u16(), started.elapsed().as_millis());
        tracing::debug!(%method, path, status, ms, "answered");
        response
    }
    .instrument(span)
    .await
}

/// The last address in `X-Forwarded-For` that is no proxy of ours: all before it could have been written by the client.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpAddr]) -> IpAddr {
    if !trusted_proxies.contains(&peer.to_canonical()) {
        return peer;
    }
    let forwarded =
        headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let forwarded: Vec<&str> = forwarded.collect();
    // From the right: the proxies' own words end at the first that is no address, and the client's begin there.
    let mut from_the_right = forwarded.iter().rev().map_while(|text| text.trim().parse::<IpAddr>().ok());
    from_the_right.find(|address| !trusted_proxies.contains(&address.to_canonical())).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_its_own_word() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("6.6.6.6, 203.0.113.9, 10.0.0.2"))]);
        let trusted = [ip("10.0.0.1"), ip("10.0.0.2")];
        assert_eq!(client_address(ip("10.0.0.1"), &headers, &trusted), ip("203.0.113.9"));
        let forged = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("6.6.6.6, x, 203.0.113.9, 10.0.0.2"))]);
        assert_eq!(client_address(ip("10.0.0.1"), &forged, &trusted), ip("203.0.113.9"));
        assert_eq!(client_address(ip("192.0.2.1"), &headers, &trusted), ip("192.0.2.1"));
        assert_eq!(client_address(ip("10.0.0.1"), &HeaderMap::new(), &trusted), ip("10.0.0.1"));
    }
}
