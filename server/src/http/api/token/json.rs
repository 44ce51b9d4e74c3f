//! A playback token's claims as the API writes them. All names are ours, but those that RFC 7519 gives.

use afterlive_domain::{StreamId, Streamname, Tags, TokenId, UnixMillis};
use serde::Serialize;

use crate::service::playback::token::{Claims, Scope, network_text};

#[derive(Serialize)]
pub(super) struct ClaimsJson {
    id: TokenId,
    /// Null where it is not for one stream.
    stream: Option<StreamId>,
    streamname: Option<Streamname>,
    /// Null where it is not for streams with tags.
    tags: Option<Tags>,
    ips: Vec<String>,
    domains: Vec<String>,
    not_before: Option<UnixMillis>,
    expires_at: UnixMillis,
    /// The same in seconds since 1970.
    exp: i64,
}

impl From<Claims> for ClaimsJson {
    fn from(claims: Claims) -> Self {
        let (stream, streamname, tags) = match claims.scope {
            Scope::Organisation => (None, None, None),
            Scope::Stream { id, streamname } => (Some(id), Some(streamname), None),
            Scope::Tags(tags) => (None, None, Some(tags)),
        };
        Self {
            id: claims.id,
            stream,
            streamname,
            tags,
            ips: claims.networks.iter().map(network_text).collect(),
            domains: claims.sites.into_iter().map(String::from).collect(),
            not_before: claims.not_before,
            expires_at: claims.expires_at,
            exp: claims.expires_at.0.div_euclid(1_000),
        }
    }
}
