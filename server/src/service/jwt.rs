//! JSON Web Tokens (RFC 7519) with HMAC-SHA-256 (RFC 7518 §3.2): signed, and read where the signature is the key's. What is claimed is the callers' to judge.
//!
//! There is one header, compared byte for byte: no other algorithm, and none at all, can be talked into.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;

/// `{"alg":"HS256","typ":"JWT"}`
pub(super) const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unreadable {
    Malformed,
    BadSignature,
}

/// `claims` is JSON.
pub(super) fn sign(key: &hmac::Key, claims: &str) -> String {
    let signed = format!("{HEADER}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(key, signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
}

/// The claims of a token that this key signed; without a key there is none. The comparison takes as long wherever they differ.
pub(super) fn read(key: Option<&hmac::Key>, token: &str) -> Result<String, Unreadable> {
    let (signed, tag) = token.rsplit_once('.').ok_or(Unreadable::Malformed)?;
    let payload = signed.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('.')).ok_or(Unreadable::Malformed)?;
    let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).map_err(|_| Unreadable::Malformed)?;
    let key = key.ok_or(Unreadable::BadSignature)?;
    hmac::verify(key, signed.as_bytes(), &tag).map_err(|_| Unreadable::BadSignature)?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    payload.ok_or(Unreadable::Malformed)
}
