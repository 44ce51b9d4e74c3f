//! A playback token: a JWT, its claims, and what each of them asks of a viewer. Pure: clock, secret and database are the caller's.

use std::net::IpAddr;

use afterlive_domain::{OrganisationHash, StreamId, Streamname, Tags, TokenId, UnixMillis};
use ipnet::IpNet;
use ring::hmac;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

pub use crate::address::network;
use crate::service::jwt;

/// The name of the token in a query, on every protocol.
pub const TOKEN: &str = "token";
/// No token of ours is longer, and a longer one is not looked at.
pub const MAX_TOKEN_BYTES: usize = 4_096;
/// The longest time that a token can be good for.
pub const MAX_LIFETIME_S: u64 = 366 * 24 * 3_600;
/// By so much the clocks of the server that makes a token and the one that reads it may differ.
pub const LEEWAY_S: i64 = 5;
/// The most addresses, and the most sites, that a token can be bound to.
pub const MAX_BOUNDS: usize = 32;
/// RFC 1035 §2.3.4.
const MAX_SITE_BYTES: usize = 253;

/// Why a viewer may not watch: about the token alone.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    #[error("this is not public, and no playback token was given")]
    Missing,
    #[error("nothing of this organisation plays at the moment")]
    Suspended,
    #[error("the token is longer than a playback token can be")]
    TooLong,
    #[error("the token is no playback token")]
    Malformed,
    #[error("the token is not of this organisation, or was changed")]
    BadSignature,
    #[error("the token expired at {0}")]
    Expired(UnixMillis),
    #[error("the token is good only from {0} on")]
    NotYet(UnixMillis),
    #[error("the token was revoked")]
    Revoked,
    #[error("the token is for another stream")]
    OtherStream,
    #[error("the token is for streams with other tags")]
    OtherTags,
    #[error("the token is for other addresses than {0}")]
    OtherAddress(IpAddr),
    #[error("the token is for players on other sites than {0}")]
    OtherSite(String),
    #[error("the token is for players on certain sites, and this one does not say on which it is")]
    NoSite,
}

/// Of what a token is good for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    Organisation,
    /// Whatever happens to the stream's tags.
    Stream {
        id: StreamId,
        streamname: Streamname,
    },
    /// Streams that have each of these tags, at the time they are watched.
    Tags(Tags),
}

/// What a token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claims {
    pub id: TokenId,
    pub organisation: OrganisationHash,
    pub scope: Scope,
    /// In whole seconds, as RFC 7519 has them.
    pub not_before: Option<UnixMillis>,
    pub expires_at: UnixMillis,
    /// Empty: from any address.
    pub networks: Vec<IpNet>,
    /// Empty: from any site.
    pub sites: Vec<Site>,
}

/// A host name, or with `*.` in front all names below it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Site(String);

/// The claims as they are written. A claim that is not known here could be a bound, so that it is no token for this version.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    jti: TokenId,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    org: OrganisationHash,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<StreamId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    streamname: Option<Streamname>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Tags>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ips: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    domains: Vec<Site>,
}

impl TryFrom<Wire> for Claims {
    type Error = ();

    fn try_from(wire: Wire) -> Result<Self, ()> {
        let scope = match (wire.stream, wire.streamname, wire.tags) {
            (None, None, None) => Scope::Organisation,
            (Some(id), Some(streamname), None) => Scope::Stream { id, streamname },
            (None, None, Some(tags)) if !tags.as_slice().is_empty() => Scope::Tags(tags),
            _ => return Err(()),
        };
        let networks = wire.ips.iter().map(|text| network(text)).collect::<Option<_>>().ok_or(())?;
        Ok(Self {
            id: wire.jti,
            organisation: wire.org,
            scope,
            not_before: wire.nbf.map(instant),
            expires_at: instant(wire.exp),
            networks,
            sites: wire.domains,
        })
    }
}

/// `url` with the token behind it.
#[must_use]
pub fn with_token(url: &str, token: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    format!("{url}{joint}{TOKEN}={token}")
}

fn instant(seconds: i64) -> UnixMillis {
    UnixMillis(seconds.saturating_mul(1_000))
}

/// As it is written: without a length where it is a single address.
#[must_use]
pub fn network_text(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

impl Claims {
    /// The claims as the token has them, in JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let (stream, streamname, tags) = match &self.scope {
            Scope::Organisation => (None, None, None),
            Scope::Stream { id, streamname } => (Some(*id), Some(streamname.clone()), None),
            Scope::Tags(tags) => (None, None, Some(tags.clone())),
        };
        let wire = Wire {
            jti: self.id,
            exp: self.expires_at.0.div_euclid(1_000),
            nbf: self.not_before.map(|at| at.0.div_euclid(1_000)),
            org: self.organisation.clone(),
            stream,
            streamname,
            tags,
            ips: self.networks.iter().map(network_text).collect(),
            domains: self.sites.clone(),
        };
        // Texts and numbers alone: this does not fail.
        serde_json::to_string(&wire).unwrap_or_default()
    }

    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str::<Wire>(text).ok()?.try_into().ok()
    }

    #[must_use]
    pub fn sign(&self, key: &hmac::Key) -> String {
        jwt::sign(key, &self.to_json())
    }

    /// Reads a token that this key signed. What it says may still not be met.
    ///
    /// # Errors
    /// Where it is none, or not of this key; the comparison takes as long wherever they differ.
    pub fn read(key: Option<&hmac::Key>, token: &str) -> Result<Self, Refused> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refused::TooLong);
        }
        // An organisation that has made no token has no key.
        let claims = jwt::read(key, token).map_err(|unreadable| match unreadable {
            jwt::Unreadable::Malformed => Refused::Malformed,
            jwt::Unreadable::BadSignature => Refused::BadSignature,
        })?;
        Self::from_json(&claims).ok_or(Refused::Malformed)
    }

    /// From then on it is good for nothing.
    #[must_use]
    pub fn good_until(&self) -> UnixMillis {
        self.expires_at.plus_ms(LEEWAY_S * 1_000)
    }

    /// # Errors
    /// Before its time, or after.
    pub fn check_time(&self, now: UnixMillis) -> Result<(), Refused> {
        let leeway_ms = LEEWAY_S * 1_000;
        if now >= self.good_until() {
            return Err(Refused::Expired(self.expires_at));
        }
        match self.not_before.filter(|from| now < from.plus_ms(-leeway_ms)) {
            Some(from) => Err(Refused::NotYet(from)),
            None => Ok(()),
        }
    }

    /// # Errors
    /// From an address that it does not name.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Refused> {
        let address = address.to_canonical();
        if self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        Err(Refused::OtherAddress(address))
    }

    /// # Errors
    /// From a site that it does not name.
    pub fn check_site(&self, site: Option<&str>) -> Result<(), Refused> {
        if self.sites.is_empty() {
            return Ok(());
        }
        let site = site.ok_or(Refused::NoSite)?;
        if self.sites.iter().any(|allowed| allowed.covers(site)) { Ok(()) } else { Err(Refused::OtherSite(site.to_owned())) }
    }
}

impl Site {
    /// As typed by people: `example.com`, `*.example.com`; also with what surrounds it in a URL.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let host = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default();
        let host = match host.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => host,
        };
        let name = host.strip_prefix("*.").unwrap_or(host);
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let fine = host.len() <= MAX_SITE_BYTES && name.split('.').all(is_label);
        fine.then(|| Self(host.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn covers(&self, site: &str) -> bool {
        let site = site.trim_end_matches('.');
        match self.0.strip_prefix('*') {
            // With the dot: neither `example.com` itself nor `badexample.com`.
            Some(below) => site.len() > below.len() && ends_with(site, below),
            None => site.eq_ignore_ascii_case(&self.0),
        }
    }
}

fn ends_with(text: &str, end: &str) -> bool {
    text.is_char_boundary(text.len() - end.len()) && text[text.len() - end.len()..].eq_ignore_ascii_case(end)
}

impl TryFrom<String> for Site {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(&text).ok_or("not a host name")
    }
}

impl From<Site> for String {
    fn from(site: Site) -> Self {
        site.0
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
