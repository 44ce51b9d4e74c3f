//! Who calls the API: the credential in the headers, looked up. What the caller may do is `service/`'s to say.

use std::net::IpAddr;
use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::error::ApiError;
use super::request::{Asked, ClientAddress};
use crate::service::{self, Caller, Holder, MAX_CREDENTIAL_BYTES, Service};

const API_KEY: HeaderName = HeaderName::from_static("x-bintu-apikey");
const TOKEN: HeaderName = HeaderName::from_static("x-bintu-token");
const PLAYER_KEY: HeaderName = HeaderName::from_static("x-bintu-playerkey");

/// Every header that can carry a credential.
pub const CREDENTIAL_HEADERS: [HeaderName; 4] = [API_KEY, TOKEN, PLAYER_KEY, AUTHORIZATION];

/// Whether something is sent by which one may be shown more than everybody is. A player key is no such thing: everybody has it.
#[must_use]
pub(super) fn are_sent(headers: &HeaderMap) -> bool {
    [API_KEY, TOKEN, AUTHORIZATION].iter().any(|name| headers.contains_key(name))
}

/// A caller with a good credential; all else is answered with 401.
#[derive(Debug)]
pub struct Authenticated(pub Caller);

/// A caller with a good credential, or one without any; a bad one is answered with 401.
#[derive(Debug)]
pub struct MaybeAuthenticated(pub Option<Caller>);

/// For what players may ask for: a caller, or who has a player key; nobody where there is no credential; a bad one is answered with 401.
#[derive(Debug)]
pub struct MaybeHolder(pub Option<Holder>);

/// What a request has in its headers to show who sends it. Nothing of it is known to be true.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential<'a> {
    Key(&'a str),
    SessionToken(&'a str),
}

impl Credential<'_> {
    /// # Errors
    /// `BadCredentials` where it is good for nothing (any more).
    pub(super) async fn caller(self, service: &Service, address: IpAddr) -> service::Result<Caller> {
        match self {
            Self::Key(key) => service.key_caller(key, address).await,
            Self::SessionToken(token) => service.token_caller(token, address).await,
        }
    }
}

impl FromRequestParts<Arc<Service>> for MaybeAuthenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, ApiError> {
        match of_call(&parts.headers)? {
            None => Ok(Self(None)),
            Some(credential) => {
                let caller = credential.caller(service, ClientAddress::of(parts).0).await?;
                if let Some(asked) = parts.extensions.get::<Asked>() {
                    asked.tell(caller);
                }
                Ok(Self(Some(caller)))
            }
        }
    }
}

impl FromRequestParts<Arc<Service>> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, ApiError> {
        let MaybeAuthenticated(caller) = MaybeAuthenticated::from_request_parts(parts, service).await?;
        caller.map(Self).ok_or_else(|| Refusal::BadCredentials.into())
    }
}

impl FromRequestParts<Arc<Service>> for MaybeHolder {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, ApiError> {
        // A program that has both sends its own key for what it may do with it. What `Authorization` has beside a player key is no credential of the API: a
        // playback token, or what a proxy asked for. Were it a session token, the caller would be taken for less than it is, never for more.
        let has_other = [API_KEY, TOKEN].iter().any(|name| parts.headers.contains_key(name));
        if let (false, Some(key)) = (has_other, parts.headers.get(PLAYER_KEY)) {
            return Ok(Self(Some(Holder::Player(service.player(readable(key)?).await?))));
        }
        let MaybeAuthenticated(caller) = MaybeAuthenticated::from_request_parts(parts, service).await?;
        Ok(Self(caller.map(Holder::Caller)))
    }
}

/// Of a call of the API. A player key is good for none but those that ask for a [`MaybeHolder`].
fn of_call(headers: &HeaderMap) -> Result<Option<Credential<'_>>, Refusal> {
    if let Some(credential) = of_viewer(headers)? {
        return Ok(Some(credential));
    }
    match headers.get(AUTHORIZATION) {
        Some(value) => bearer(value).map(|token| Some(Credential::SessionToken(token))),
        None if headers.contains_key(PLAYER_KEY) => Err(Refusal::BadCredentials),
        None => Ok(None),
    }
}

/// Of who watches: `Authorization` then means something else, a playback token.
pub(super) fn of_viewer(headers: &HeaderMap) -> Result<Option<Credential<'_>>, Refusal> {
    if let Some(key) = headers.get(API_KEY) {
        return readable(key).map(|key| Some(Credential::Key(key)));
    }
    headers.get(TOKEN).map(|token| readable(token).map(Credential::SessionToken)).transpose()
}

fn readable(value: &HeaderValue) -> Result<&str, Refusal> {
    match value.to_str() {
        Ok(text) if !text.is_empty() && text.len() <= MAX_CREDENTIAL_BYTES => Ok(text),
        _ => Err(Refusal::BadCredentials),
    }
}

fn bearer(value: &HeaderValue) -> Result<&str, Refusal> {
    let (scheme, token) = readable(value)?.split_once(' ').ok_or(Refusal::BadCredentials)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Refusal::BadCredentials) }
}
