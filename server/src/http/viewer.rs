//! Who watches, as a request shows it: the token in its query or its `Authorization`, the site in its `Origin` or `Referer`, the key, the browser session.
//! What the viewer may then watch is `service/`'s to say.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use afterlive_domain::{Error as Refusal, OrganisationHash, Streamname};
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, REFERER};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use url::{Url, form_urlencoded};

use super::browser_session;
use super::credentials::{self, CREDENTIAL_HEADERS};
use super::error::ApiError;
use super::request::{Asked, ClientAddress};
use super::vod::Guard;
use crate::service::playback::token::{MAX_TOKEN_BYTES, Refused, TOKEN};
use crate::service::playback::{self, Admitted, Right, Secret, Viewer, Withdrawn};
use crate::service::{self, Caller, Service};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who may watch a stream live.
#[derive(Debug)]
pub struct Admission {
    pub right: Right,
    pub streamname: Streamname,
    pub viewer: Viewer,
}

/// The stream, where who sent the request may watch it live. The one question of every route below `/live`; cheap enough for every part of a playlist.
///
/// # Errors
/// As [`Service::watch_live`], and 401 for a key that is none.
pub async fn watch_live(service: &Service, streamname: &str, request: &Parts) -> Result<Admission, ApiError> {
    let no_such_stream = || Refusal::NoSuchStream { stream: streamname.chars().take(100).collect() };
    let streamname: Streamname = streamname.parse().map_err(|_| no_such_stream())?;
    let viewer = viewer(service, request, service.is_live_public(&streamname).await?).await?;
    let right = service.watch_live(streamname.as_str(), &viewer).await?;
    Ok(Admission { right, streamname, viewer })
}

/// For who watches on after the answer to their request: completes when that request would be refused.
#[must_use]
pub fn withdrawn(service: &Arc<Service>, streamname: &Streamname, request: &Parts) -> Withdrawn {
    let asked = Arc::new((Arc::clone(service), streamname.clone(), who_asked(request)));
    async move {
        let (service, streamname, _) = &*asked;
        let ask = || {
            let asked = Arc::clone(&asked);
            async move {
                let (service, streamname, request) = &*asked;
                let admission = watch_live(service, streamname.as_str(), request).await;
                admission.map(|admission| admission.right.until).map_err(ApiError::into_reason)
            }
        };
        playback::words(service.until_refused(&streamname.organisation_hash(), ask).await)
    }
    .boxed()
}

/// What of a request says who sent it. Not its connection's place, nor whatever else is counted while it is held.
pub(super) fn who_asked(request: &Parts) -> Parts {
    let (mut kept, ()) = Request::new(()).into_parts();
    kept.uri = request.uri.clone();
    for name in CREDENTIAL_HEADERS.into_iter().chain([COOKIE, ORIGIN, REFERER]) {
        for value in request.headers.get_all(&name) {
            kept.headers.append(&name, value.clone());
        }
    }
    if let Some(ClientAddress(address)) = request.extensions.get() {
        kept.extensions.insert(ClientAddress(*address));
    }
    kept
}

/// The viewer behind a request. Where all may watch, nobody asks who that is.
///
/// # Errors
/// `BadCredentials` for a key that is none; `PlaybackDenied` for what is too long to be a token, also where none is needed.
pub async fn viewer(service: &Service, request: &Parts, is_public: bool) -> Result<Viewer, ApiError> {
    let token = token(request);
    if token.as_ref().is_some_and(|Secret(token)| token.len() > MAX_TOKEN_BYTES) {
        return Err(Refusal::PlaybackDenied { reason: Refused::TooLong.to_string() }.into());
    }
    let caller = match credentials::of_viewer(&request.headers)? {
        _ if is_public => None,
        Some(credential) => Some(credential.caller(service, address(request)).await?),
        None if token.is_some() => None,
        None => browser_session::caller_by_cookie(service, &request.headers).await?,
    };
    if let (Some(caller), Some(asked)) = (caller, request.extensions.get::<Asked>()) {
        asked.tell(caller);
    }
    Ok(Viewer { caller, token, address: address(request), site: site(&request.headers) })
}

/// The viewer behind a request of whom is known already who is signed in.
#[must_use]
pub fn of(request: &Parts, caller: Option<Caller>) -> Viewer {
    Viewer { caller, token: token(request), address: address(request), site: site(&request.headers) }
}

fn address(request: &Parts) -> IpAddr {
    ClientAddress::of(request).0
}

/// In the query, where players that send no headers have it, or in `Authorization: Bearer`.
#[must_use]
pub fn token(request: &Parts) -> Option<Secret> {
    let bearer = || {
        let (scheme, token) = request.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    };
    token_in_query(request).or_else(bearer).map(Secret)
}

/// What a player gets is named with it too, as players carry no query on by themselves.
#[must_use]
pub fn token_in_query(request: &Parts) -> Option<String> {
    let query = request.uri.query().unwrap_or_default();
    let token = form_urlencoded::parse(query.as_bytes()).find(|(name, token)| name == TOKEN && !token.is_empty());
    token.map(|(_, token)| token.into_owned())
}

/// The host of the page that asks. A page that is to be nobody's (`Origin: null`) is none.
#[must_use]
pub fn site(headers: &HeaderMap) -> Option<String> {
    let host = |name| Url::parse(headers.get(name)?.to_str().ok()?).ok()?.host_str().map(str::to_owned);
    if headers.contains_key(ORIGIN) { host(ORIGIN) } else { host(REFERER) }
}

/// Whether a page of another site sends the request, by the rule of the guard before our forms: as the browser says, or else by whether the page's origin is the
/// host that is asked. Who says neither is no browser.
#[must_use]
pub fn is_of_other_site(headers: &HeaderMap) -> bool {
    match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
        Some(b"same-origin" | b"none") => false,
        None | Some(b"") => headers.get(ORIGIN).is_some_and(|origin| {
            let host = |origin: &str| origin.split_once("://").map(|(_, host)| host.to_owned().into_bytes());
            let (page, asked) = (origin.to_str().ok().and_then(host), headers.get(HOST).map(HeaderValue::as_bytes));
            !page.zip(asked).is_some_and(|(page, asked)| page.eq_ignore_ascii_case(asked))
        }),
        Some(_) => true,
    }
}

/// Lets the service decide about the files of recordings.
pub struct RecordingGuard(Arc<Service>);

impl RecordingGuard {
    #[must_use]
    pub fn new(service: &Arc<Service>) -> Self {
        Self(Arc::clone(service))
    }

    async fn decide(&self, streamname: &Streamname, request: &Parts) -> Result<Admitted, ApiError> {
        let is_public = self.0.are_recordings_public(streamname).await?;
        let viewer = viewer(&self.0, request, is_public).await?;
        Ok(self.0.watch_recording(streamname, &viewer).await?)
    }
}

impl fmt::Debug for RecordingGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordingGuard")
    }
}

impl Guard for RecordingGuard {
    fn is_public(&self, organisation: &OrganisationHash) -> Option<bool> {
        self.0.has_public_recordings(organisation)
    }

    fn admit<'a>(&'a self, streamname: &'a Streamname, request: &'a Parts) -> BoxFuture<'a, Result<Admitted, Option<Response>>> {
        let answer = |refused: ApiError| match refused.reason() {
            service::Error::Refused(Refusal::NoSuchStream { .. }) => None,
            _ => Some(refused.into_response()),
        };
        async move { self.decide(streamname, request).await.map_err(answer) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let request = headers.iter().fold(Request::builder().uri(uri), |request, (name, value)| request.header(*name, *value));
        request.body(Body::empty()).unwrap().into_parts().0
    }

    #[test]
    fn a_token_stands_in_the_query_or_in_the_header() {
        let found = |uri, headers: &[(&str, &str)]| token(&parts(uri, headers)).map(|Secret(token)| token);
        assert_eq!(found("/a?x=1&token=a.b.c", &[("authorization", "Bearer d")]).as_deref(), Some("a.b.c"));
        assert_eq!(found("/a?token=a%2Eb", &[]).as_deref(), Some("a.b"));
        assert_eq!(found("/a?token=", &[("authorization", "bearer d")]).as_deref(), Some("d"));
        assert_eq!(found("/a", &[("authorization", "Basic d")]), None);
        assert_eq!(found("/a?tokens=a", &[]), None);
    }

    #[test]
    fn what_is_kept_of_a_request_says_the_same_of_who_sent_it_and_holds_nothing_else() {
        let headers = [("authorization", "Bearer d"), ("cookie", "a=b"), ("cookie", "c=d"), ("user-agent", "x")];
        let mut request = parts("/live/8sKpm-x49nB/ws?token=a", &headers);
        request.extensions.insert(ClientAddress([192, 0, 2, 7].into()));
        request.extensions.insert("a place");
        let kept = who_asked(&request);
        assert_eq!((token(&kept), address(&kept)), (token(&request), address(&request)));
        assert_eq!((kept.headers.len(), kept.extensions.len()), (3, 1));
    }

    #[test]
    fn a_page_of_another_site_is_told_by_what_the_browser_says() {
        let found = |headers: &[(&str, &str)]| {
            is_of_other_site(&parts("/", &[headers, &[("host", "live.example.com:3000")]].concat()).headers)
        };
        let (own, other) = (("origin", "http://LIVE.example.com:3000"), ("origin", "https://example.org"));
        for ours in [&[][..], &[own], &[("sec-fetch-site", "same-origin"), other], &[("sec-fetch-site", ""), own]] {
            assert!(!found(ours), "{ours:?}");
        }
        for theirs in [
            &[other][..],
            &[("origin", "null")],
            &[("origin", "http://live.example.com")],
            &[("sec-fetch-site", "same-site"), own],
        ] {
            assert!(found(theirs), "{theirs:?}");
        }
    }

    #[test]
    fn the_site_is_the_origins_or_else_the_referers() {
        let found = |headers: &[(&str, &str)]| site(&parts("/", headers).headers);
        let referer = ("referer", "https://User:Pass@Player.example.com:8443/page?x");
        assert_eq!(found(&[referer]).as_deref(), Some("player.example.com"));
        assert_eq!(found(&[referer, ("origin", "http://localhost:3000")]).as_deref(), Some("localhost"));
        for nobody in [&[][..], &[("origin", "null")], &[referer, ("origin", "null")], &[("referer", "about:blank")]] {
            assert_eq!(found(nobody), None, "{nobody:?}");
        }
    }
}
