//! An endpoint and a delivery as the API writes them. All names are ours; the secret is in no list.

use afterlive_domain::{AssetId, DeliveryState, EndpointId, MessageId, StreamId, ToldKinds, UnixMillis};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::db::delivery_log::Delivery;
use crate::db::event_endpoints::Endpoint;
use crate::http::api::doc::{EXAMPLE_ASSET, EXAMPLE_DELIVERY, EXAMPLE_ENDPOINT, EXAMPLE_STREAM};

/// Where events are told.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Endpoint", example = example())]
pub struct EndpointJson {
    id: EndpointId,
    url: String,
    /// Of what it is told.
    kinds: ToldKinds,
    /// While it is false nothing is sent, and what happens is not told later.
    enabled: bool,
    /// When it answered 410 and was switched off for that; null where it did not, or was switched since.
    gone_at: Option<UnixMillis>,
    /// Since then no try has succeeded; null where the last one did, or there was none.
    failing_since: Option<UnixMillis>,
    created_at: UnixMillis,
    updated_at: UnixMillis,
}

impl From<Endpoint> for EndpointJson {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            id: endpoint.id,
            url: endpoint.url.into(),
            kinds: endpoint.kinds,
            enabled: endpoint.enabled,
            gone_at: endpoint.gone_at,
            failing_since: endpoint.failing_since,
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
        }
    }
}

/// The example in the document.
pub(super) fn example() -> Value {
    json!({
        "id": EXAMPLE_ENDPOINT,
        "url": "https://example.com/events",
        "kinds": ["asset.ready", "asset.failed"],
        "enabled": true,
        "gone_at": null,
        "failing_since": null,
        "created_at": "2026-11-04T17:09:19.899Z",
        "updated_at": "2026-11-04T17:09:19.899Z",
    })
}

/// What signs.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "EndpointSecret", example = example_secret())]
pub struct SecretJson {
    id: EndpointId,
    /// `whsec_` and base64: as the Standard Webhooks libraries take it.
    secret: String,
    /// The one before signs too, until then; null where none does.
    old_secret_until: Option<UnixMillis>,
}

impl SecretJson {
    pub fn new(endpoint: &Endpoint, now: UnixMillis) -> Self {
        let until = endpoint.old_secret.as_ref().map(|(_, until)| *until).filter(|until| *until > now);
        Self { id: endpoint.id, secret: endpoint.secret.as_str().to_owned(), old_secret_until: until }
    }
}

fn example_secret() -> Value {
    json!({ "id": EXAMPLE_ENDPOINT, "secret": EXAMPLE_SECRET, "old_secret_until": null })
}

/// The one of the convention's own tests.
pub(super) const EXAMPLE_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An event that an endpoint was told, or is to be.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Delivery", example = example_delivery())]
pub struct DeliveryJson {
    /// As it stands in the header `webhook-id`: the same in every try.
    id: MessageId,
    /// The event's, or `test`.
    r#type: String,
    stream: Option<StreamId>,
    asset: Option<AssetId>,
    /// When it happened.
    at: UnixMillis,
    state: DeliveryState,
    /// Tries so far.
    attempts: u32,
    /// HTTP status of the last answer; null where there was none.
    last_status: Option<u16>,
    /// Why the last try did not succeed; null where it did.
    last_reason: Option<String>,
    last_attempt_at: Option<UnixMillis>,
    /// Null where it is not waiting for one.
    next_attempt_at: Option<UnixMillis>,
    /// When it was delivered or given up.
    finished_at: Option<UnixMillis>,
}

impl From<Delivery> for DeliveryJson {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.message,
            r#type: delivery.kind,
            stream: delivery.stream,
            asset: delivery.asset,
            at: delivery.at,
            state: delivery.state,
            attempts: delivery.attempts,
            last_status: delivery.last_status,
            last_reason: delivery.last_reason,
            last_attempt_at: delivery.last_at,
            next_attempt_at: delivery.next_at,
            finished_at: delivery.finished_at,
        }
    }
}

fn example_delivery() -> Value {
    json!({
        "id": EXAMPLE_DELIVERY,
        "type": "asset.ready",
        "stream": EXAMPLE_STREAM,
        "asset": EXAMPLE_ASSET,
        "at": "2026-11-04T17:12:13.002Z",
        "state": "waiting",
        "attempts": 2,
        "last_status": 503,
        "last_reason": "it answered 503",
        "last_attempt_at": "2026-11-04T17:12:18.120Z",
        "next_attempt_at": "2026-11-04T17:12:46.011Z",
        "finished_at": null,
    })
}
