//! Who calls the API: the credential in the headers, looked up. What the caller may do is `service/`'s to say.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::error::ApiError;
use crate::service::{Caller, Service};

const API_KEY: HeaderName = HeaderName::from_static("x-bintu-apikey");
const TOKEN: HeaderName = HeaderName::from_static("x-bintu-token");
const PLAYER_KEY: HeaderName = HeaderName::from_static("x-bintu-playerkey");
/// No credential of ours is longer; a longer one is not looked up.
pub(super) const MAX_CREDENTIAL_BYTES: usize = 512;

/// Every header that can carry a credential.
pub const CREDENTIAL_HEADERS: [HeaderName; 4] = [API_KEY, TOKEN, PLAYER_KEY, AUTHORIZATION];

/// A caller with a good credential; all else is answered with 401.
#[derive(Debug)]
pub struct Authenticated(pub Caller);

/// A caller with a good credential, or one without any; a bad one is answered with 401.
#[derive(Debug)]
pub struct MaybeAuthenticated(pub Option<Caller>);

impl FromRequestParts<Arc<Service>> for MaybeAuthenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, ApiError> {
        match key(&parts.headers)? {
            None => Ok(Self(None)),
            Some(key) => Ok(Self(Some(service.key_caller(key).await?))),
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

/// The API key. Tokens and player keys are made by no call of this version, so that none of them is good.
fn key(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    match api_key(headers)? {
        None if CREDENTIAL_HEADERS.iter().any(|name| headers.contains_key(name)) => Err(Refusal::BadCredentials),
        key => Ok(key),
    }
}

/// The API key, where the other headers mean something else: what is watched takes a playback token in `Authorization`.
pub(super) fn api_key(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(value) = headers.get(API_KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= MAX_CREDENTIAL_BYTES => Ok(Some(key)),
        _ => Err(Refusal::BadCredentials),
    }
}
