//! An ID token, and whether it says who somebody is (OpenID Connect Core §3.1.3.7): signed by the provider, for us, for this very sign-in, now. Pure; asks nobody.

use afterlive_domain::UnixMillis;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::keys::ALGORITHMS;

/// Clocks may differ by so much.
const SKEW_S: f64 = 60.0;
/// A token was made for this sign-in a moment ago: one that is older is another's, or the clocks are wrong.
const MAX_AGE_S: f64 = 600.0;
/// No token is longer.
const MAX_TOKEN_BYTES: usize = 64 << 10;
/// OpenID Connect Core §2.
const MAX_SUBJECT_BYTES: usize = 255;

/// Why a token says nothing. For the log; none has anything of the token in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unfit {
    #[error("it is no signed token")]
    Malformed,
    #[error("it is signed in a way that is not taken")]
    Algorithm,
    #[error("it is signed by a key that the provider does not list")]
    UnknownKey,
    #[error("its signature is not the key's")]
    Signature,
    #[error("it is by another issuer")]
    Issuer,
    #[error("it is for somebody else")]
    Audience,
    #[error("it has expired")]
    Expired,
    #[error("it is of the future or of long ago: look at both clocks")]
    Time,
    #[error("it is not for this sign-in")]
    Nonce,
    #[error("it says nobody")]
    Subject,
}

/// What a token says of its own signature.
#[derive(Deserialize)]
pub(super) struct Header {
    alg: String,
    pub(super) kid: Option<String>,
    crit: Option<Value>,
}

/// What it must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: UnixMillis,
}

/// What it says.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    pub(super) sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    nonce: Option<String>,
    preferred_username: Option<Value>,
    name: Option<Value>,
    #[serde(flatten)]
    pub(super) mailbox: Mailbox,
}

/// The address that the provider knows somebody by.
#[derive(Deserialize, Default)]
pub(super) struct Mailbox {
    pub(super) email: Option<String>,
    email_verified: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Claims {
    /// What the provider calls somebody, beside their address. Nothing hangs on it, and so it may be anything.
    pub(super) fn name(&self) -> Option<String> {
        [&self.preferred_username, &self.name].into_iter().flatten().find_map(Value::as_str).map(str::to_owned)
    }
}

impl Mailbox {
    /// Some write the word rather than the value.
    pub(super) fn is_verified(&self) -> bool {
        matches!(&self.email_verified, Some(Value::Bool(true)))
            || self.email_verified.as_ref().and_then(Value::as_str) == Some("true")
    }
}

/// How the token is signed, by its own word.
pub(super) fn header(token: &str) -> Result<(Header, Algorithm), Unfit> {
    let is_whole = token.len() <= MAX_TOKEN_BYTES && token.split('.').count() == 3;
    let first = token.split('.').next().filter(|_| is_whole).ok_or(Unfit::Malformed)?;
    let header = BASE64_URL_SAFE_NO_PAD.decode(first).ok().and_then(|bytes| serde_json::from_slice::<Header>(&bytes).ok());
    let header = header.ok_or(Unfit::Malformed)?;
    // What must be understood and is not (RFC 7515 §4.1.11).
    if header.crit.is_some() {
        return Err(Unfit::Malformed);
    }
    let algorithm = header.alg.parse().ok().filter(|algorithm| ALGORITHMS.contains(algorithm)).ok_or(Unfit::Algorithm)?;
    Ok((header, algorithm))
}

/// What the token says, where all of it is as it must be.
pub(super) fn read(token: &str, algorithm: Algorithm, key: &DecodingKey, expected: &Expected<'_>) -> Result<Claims, Unfit> {
    let mut signature_alone = Validation::new(algorithm);
    // What is claimed is judged below, by a clock of ours.
    signature_alone.required_spec_claims.clear();
    signature_alone.validate_exp = false;
    signature_alone.validate_aud = false;
    let read = jsonwebtoken::decode::<Value>(token, key, &signature_alone).map_err(|_| Unfit::Signature)?;
    let claims: Claims = serde_json::from_value(read.claims).map_err(|_| Unfit::Malformed)?;
    judge(&claims, expected).map(|()| claims)
}

fn judge(claims: &Claims, expected: &Expected<'_>) -> Result<(), Unfit> {
    if claims.iss != expected.issuer {
        return Err(Unfit::Issuer);
    }
    let (is_for_us, is_for_others) = match &claims.aud {
        Audience::One(one) => (one == expected.client_id, false),
        Audience::Several(all) => {
            (all.iter().any(|one| one == expected.client_id), all.iter().any(|one| one != expected.client_id))
        }
    };
    // One that is for others too must have been made for us.
    let made_for_us = claims.azp.as_deref().map(|azp| azp == expected.client_id);
    if !is_for_us || !made_for_us.unwrap_or(!is_for_others) {
        return Err(Unfit::Audience);
    }
    #[expect(clippy::cast_precision_loss, reason = "exact for the next hundred thousand years")]
    let now_s = expected.now.0 as f64 / 1_000.0;
    // What is no number compares as false.
    let is_valid_still = claims.exp > now_s - SKEW_S;
    if !is_valid_still {
        return Err(Unfit::Expired);
    }
    let is_recent = claims.iat < now_s + SKEW_S && claims.iat > now_s - MAX_AGE_S;
    if !is_recent || claims.nbf.is_some_and(|from| from > now_s + SKEW_S) {
        return Err(Unfit::Time);
    }
    let nonce = claims.nonce.as_deref().unwrap_or_default();
    if expected.nonce.is_empty() || !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(Unfit::Nonce);
    }
    let is_somebody = !claims.sub.is_empty() && claims.sub.len() <= MAX_SUBJECT_BYTES && !claims.sub.contains(char::is_control);
    if is_somebody { Ok(()) } else { Err(Unfit::Subject) }
}

#[cfg(test)]
mod tests;
