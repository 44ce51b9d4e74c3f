//! What every request gets before any handler sees it: an id, the client's address, a span, and a line in the log when it is answered.
//! The path is logged without what looks like a key, the query never: it can hold keys.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::response::Response;
use http::header::COOKIE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tracing::Instrument as _;
use uuid::Builder;

use super::error;
use crate::address::{Networks, subscriber};
use crate::hush::Hush;
use crate::service::{Caller, Service};

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Names are short, and ids have hyphens: as many letters, digits and underscores in a row as this may be half a key. Those that are written as `%6b` count too.
const MIN_KEY_CHARS: usize = 32;
/// The parts of a token may have hyphens; that many in a row are no id either, which has 36.
const MIN_TOKEN_CHARS: usize = 40;

/// Under which the log has what happened. Ours, never the client's.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

impl RequestId {
    pub const CHARS: usize = uuid::fmt::Simple::LENGTH;

    /// From the thread's own generator: `Uuid::new_v4` asks the kernel each time, and nothing hangs on an id being hard to guess.
    pub fn random() -> Self {
        Self(Self::random_text(&mut [0; Self::CHARS]).into())
    }

    /// The same where it need not be kept.
    pub fn random_text(text: &mut [u8; Self::CHARS]) -> &str {
        Builder::from_random_bytes(rand::random()).into_uuid().simple().encode_lower(text)
    }
}

/// Who asks: the peer, or, where the peer is a proxy that the configuration trusts, who the proxy says.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

impl ClientAddress {
    /// The router gives every request one; who has none shares one.
    pub(super) fn of(parts: &Parts) -> Self {
        parts.extensions.get().copied().unwrap_or(Self(IpAddr::from([0, 0, 0, 0])))
    }
}

/// Whom the answer is for, once their credential was found to be good: told by who finds it, read when it is known that they were denied something.
#[derive(Clone, Debug, Default)]
pub struct Asked(Arc<OnceLock<Caller>>);

impl Asked {
    pub fn tell(&self, caller: Caller) {
        // Of two that are found in one request the first asked for it.
        let _ = self.0.set(caller);
    }

    #[must_use]
    pub fn caller(&self) -> Option<Caller> {
        self.0.get().copied()
    }
}

/// What the server's log says of who comes without a good credential or with one that does not open so much: one line in a while, by address and by which of the
/// two it was. The audit log has the second.
pub struct TurnedAway {
    hush: Hush<(IpAddr, u16)>,
    service: Arc<Service>,
}

impl TurnedAway {
    #[must_use]
    pub fn new(service: Arc<Service>) -> Self {
        Self { hush: Hush::default(), service }
    }
}

/// Whether the log has a line for each request.
pub fn is_each_logged() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

/// Around everything.
pub async fn observe(
    trusted_proxies: &Networks,
    turned_away: &TurnedAway,
    mut request: Request,
    answer: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let id = RequestId::random().0;
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::from([0, 0, 0, 0]), |info| info.0.ip());
    let address = client_address(peer, request.headers(), trusted_proxies);
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    request.extensions_mut().insert(ClientAddress(address));
    let asked = Asked::default();
    request.extensions_mut().insert(asked.clone());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let span = tracing::info_span!("request", %id);
    let started = Instant::now();
    async move {
        let mut response = answer(request).await;
        error::disclose_to_log(&mut response, &id);
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
        let status = response.status().as_u16();
        if is_each_logged() {
            let ms = started.elapsed().as_millis();
            tracing::debug!(%method, path = without_keys(uri.path()), status, ms, "answered");
        }
        let what = || format!("{method} {}", without_keys(uri.path()));
        if error::is_of_one_turned_away(&mut response) {
            if let (StatusCode::FORBIDDEN, Some(caller)) = (response.status(), asked.0.get()) {
                turned_away.service.note_denied(caller, &what());
            }
            if let Some(unsaid) = turned_away.hush.says((subscriber(address), status)) {
                tracing::info!(%address, %method, path = without_keys(uri.path()), status, unsaid, "a request was turned away");
            }
        }
        if error::is_of_nothing(&mut response)
            && let Some(caller) = asked.0.get()
        {
            turned_away.service.note_missing(caller, &what());
        }
        response
    }
    .instrument(span)
    .await
}

/// The path as it may be logged, and noted: `POST /apikey/{key}` has a key in it, which nobody is to find in a log, wherever in a path somebody puts it. Of a segment with a
/// key or a token in it nothing is left.
#[must_use]
pub fn without_keys(path: &str) -> String {
    let mut after_apikey = false;
    let segments = path.split('/').map(|segment| {
        let hidden = after_apikey || may_have_secret(segment);
        // What is below it is hidden to the end of the path.
        after_apikey |= segment.eq_ignore_ascii_case("apikey");
        if hidden && !segment.is_empty() { "…" } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}

fn may_have_secret(segment: &str) -> bool {
    let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'%');
    let is_of_token = |byte: u8| is_of_key(byte) || byte == b'-';
    longest_run(segment, is_of_key) >= MIN_KEY_CHARS || longest_run(segment, is_of_token) >= MIN_TOKEN_CHARS
}

fn longest_run(text: &str, is_of_it: impl Fn(u8) -> bool) -> usize {
    text.as_bytes().split(|&byte| !is_of_it(byte)).map(<[u8]>::len).max().unwrap_or(0)
}

/// The last address in `X-Forwarded-For` that is no proxy of ours: all before it could have been written by the client.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &Networks) -> IpAddr {
    if !trusted_proxies.have(peer) {
        return peer;
    }
    // In bytes: whatever the client has written, what a proxy wrote behind it counts.
    let forwarded = headers.get_all(X_FORWARDED_FOR).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let forwarded: Vec<&[u8]> = forwarded.collect();
    // From the right: the proxies' own words end at the first that is no address, and the client's begin there.
    let mut from_the_right = forwarded.iter().rev().map_while(|text| forwarded_address(std::str::from_utf8(text).ok()?.trim()));
    from_the_right.find(|address| !trusted_proxies.have(*address)).unwrap_or(peer)
}

/// An address as proxies write it: bare, in brackets, or with the port behind it, as IIS and Azure do.
fn forwarded_address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    text.parse().ok().or_else(with_port).or_else(in_brackets)
}

/// Names and values of the cookies that came with a request, as they are written.
pub(super) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::network;

    #[test]
    fn no_key_is_logged_wherever_in_the_path_it_stands() {
        let key = "0f".repeat(32);
        for (path, logged) in [
            (format!("/apikey/{key}"), "/apikey/…"),
            (format!("/ApiKey/{key}/"), "/ApiKey/…/"),
            (format!("/apikey/x%2F{key}/y"), "/apikey/…/…"),
            (format!("/%61pikey/{key}"), "/%61pikey/…"),
            (format!("/{}", &key[..32]), "/…"),
            (format!("/x-{key}.mp4/y"), "/…/y"),
            (format!("/stream/{}", key.replace('f', "%66")), "/stream/…"),
            ("/live/eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhIjoxfQ.aa-bb_cc/ws".to_owned(), "/live/…/ws"),
            (format!("/x/{}", "abcdefghi-".repeat(4)), "/x/…"),
            ("/organisation/apikey".to_owned(), "/organisation/apikey"),
            ("/stream/5f86a12f-3801-415a-b450-6b6a46842349/tag".to_owned(), "/stream/5f86a12f-3801-415a-b450-6b6a46842349/tag"),
            ("/vod-eu/8sKpm/8sKpm-x49nB.mp4".to_owned(), "/vod-eu/8sKpm/8sKpm-x49nB.mp4"),
            ("/pkg/afterlive_bg.0123456789abcdef.wasm".to_owned(), "/pkg/afterlive_bg.0123456789abcdef.wasm"),
            ("*".to_owned(), "*"),
        ] {
            assert_eq!(without_keys(&path), logged);
        }
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_its_own_word() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("6.6.6.6, 203.0.113.9, 10.0.0.2"))]);
        let trusted: Networks = network("10.0.0.0/30").into_iter().collect();
        assert_eq!(client_address(ip("10.0.0.1"), &headers, &trusted), ip("203.0.113.9"));
        let forged = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("6.6.6.6, x, 203.0.113.9, 10.0.0.2"))]);
        assert_eq!(client_address(ip("10.0.0.1"), &forged, &trusted), ip("203.0.113.9"));
        assert_eq!(client_address(ip("192.0.2.1"), &headers, &trusted), ip("192.0.2.1"));
        assert_eq!(client_address(ip("10.0.0.1"), &HeaderMap::new(), &trusted), ip("10.0.0.1"));
    }

    #[test]
    fn a_client_has_the_address_that_the_proxy_says_however_it_is_written() {
        let trusted: Networks = ["10.0.0.0/30", "fd00::/8"].iter().filter_map(|text| network(text)).collect();
        for (forwarded, client) in [
            ("203.0.113.9:51234", "203.0.113.9"),
            ("203.0.113.9:51234, 10.0.0.2:443", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1] , [fd00::7]:80", "2001:db8::1"),
            ("6.6.6.6, x:1, 203.0.113.9:1", "203.0.113.9"),
            ("\u{e9}, 203.0.113.9", "203.0.113.9"),
            // None of these is an address.
            ("203.0.113.9:", "10.0.0.1"),
            ("203.0.113.9:99999", "10.0.0.1"),
            ("[203.0.113.9]", "10.0.0.1"),
            ("[2001:db8::1", "10.0.0.1"),
            ("unknown", "10.0.0.1"),
        ] {
            let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_bytes(forwarded.as_bytes()).unwrap())]);
            let found = client_address("10.0.0.1".parse().unwrap(), &headers, &trusted);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{forwarded}");
        }
    }
}
