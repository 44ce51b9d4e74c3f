//! Who wants to watch live: what of a request says so, for every protocol that begins with HTTP. Whether they may is `service/`'s to say.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use http::HeaderMap;
use http::header::{AUTHORIZATION, ORIGIN, REFERER};
use http::request::Parts;
use tower_sessions::Session;
use url::{Url, form_urlencoded};

use super::browser_session;
use super::credentials::MaybeAuthenticated;
use super::error::ApiError;
use super::request::ClientAddress;
use crate::service::Service;
use crate::service::playback::Viewer;

/// No token of ours is longer; a longer one is none.
const MAX_TOKEN_BYTES: usize = 2 << 10;

/// The viewer, by `?token=` or `Authorization: Bearer`, by an API key, or signed in to the dashboard.
#[derive(Debug)]
pub struct RequestViewer {
    pub viewer: Viewer,
    /// What was given as `?token=`: what links to more must carry it on.
    pub query_token: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for RequestViewer
where
    Arc<Service>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let service = &Arc::from_ref(state);
        let query_token = token_of_query(parts.uri.query().unwrap_or_default());
        let bearer = bearer(&parts.headers);
        // A bearer is a playback token here, and no key.
        let key = if bearer.is_some() { None } else { MaybeAuthenticated::from_request_parts(parts, service).await?.0 };
        let caller = match (key, parts.extensions.get::<Session>()) {
            (Some(caller), _) => Some(caller),
            (None, Some(session)) => browser_session::caller(service, session).await?,
            (None, None) => None,
        };
        let ClientAddress(address) = *parts.extensions.get().expect("the router gives every request its client's address");
        let token = query_token.clone().or(bearer);
        Ok(Self { viewer: Viewer { caller, token, address, site: site(&parts.headers) }, query_token })
    }
}

fn token_of_query(query: &str) -> Option<String> {
    let token = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token").map(|(_, value)| value.into_owned());
    token.filter(|token| (1..=MAX_TOKEN_BYTES).contains(&token.len()))
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && (1..=MAX_TOKEN_BYTES).contains(&token.len())).then(|| token.to_owned())
}

fn site(headers: &HeaderMap) -> Option<String> {
    let url = headers.get(ORIGIN).or_else(|| headers.get(REFERER))?.to_str().ok()?;
    Url::parse(url).ok()?.host_str().map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn tokens_and_sites_are_read_where_they_stand() {
        assert_eq!(token_of_query("a=b&token=x%2By&token=z"), Some("x+y".to_owned()));
        assert_eq!((token_of_query(""), token_of_query("token=")), (None, None));
        assert_eq!(token_of_query(&format!("token={}", "x".repeat(MAX_TOKEN_BYTES + 1))), None);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("bearer  abc"))]);
        assert_eq!(bearer(&headers), Some("abc".to_owned()));
        assert_eq!(bearer(&HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Basic abc"))])), None);
        let headers = HeaderMap::from_iter([
            (REFERER, HeaderValue::from_static("https://b.example.com/page")),
            (ORIGIN, HeaderValue::from_static("https://A.example.com:8443")),
        ]);
        assert_eq!(site(&headers), Some("a.example.com".to_owned()));
        assert_eq!(site(&HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static("null"))])), None);
    }
}
