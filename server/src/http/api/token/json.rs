//! A playback token's claims as the API writes them. All names are ours, but those that RFC 7519 gives.

use afterlive_domain::{StreamId, Streamname, Tags, TokenId, UnixMillis};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::http::api::doc::EXAMPLE_STREAM;
use crate::service::playback::token::{Claims, Scope, network_text};

#[derive(JsonSchema, Serialize)]
pub(super) struct ClaimsJson {
    id: TokenId,
    /// Null where it is not for one stream.
    stream: Option<StreamId>,
    /// Null where it is not for one stream.
    streamname: Option<Streamname>,
    /// It opens the streams that have each of these; null where it is not for streams with tags.
    tags: Option<Tags>,
    /// Good from these addresses and networks only; empty: from all.
    ips: Vec<String>,
    /// Good for players on these sites only; empty: on all.
    domains: Vec<String>,
    /// Null: from the beginning.
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

/// The example in the document, with other fields before and behind.
pub(super) fn example(before: Value, behind: Value) -> Value {
    let claims = json!({
        "id": "0b0d9e0e-6a0c-4cf8-9d3e-2f6a3c1b7d11",
        "stream": EXAMPLE_STREAM,
        "streamname": "8sKpm-x49nB",
        "tags": null,
        "ips": [],
        "domains": ["example.com"],
        "not_before": null,
        "expires_at": "2026-11-04T19:09:19.000Z",
        "exp": 1_793_819_359,
    });
    let parts = [before, claims, behind].into_iter().filter_map(|part| match part {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    parts.flatten().collect::<Map<_, _>>().into()
}
