//! Where the organisation's programs are told of events, and what each was told.

use afterlive_domain::{AssetId, DeliveryState, EndpointId, MessageId, StreamId, ToldKinds, UnixMillis, WebhookUrl};
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EndpointRow {
    pub id: EndpointId,
    pub url: String,
    pub kinds: ToldKinds,
    pub enabled: bool,
    /// Else it can be deleted, and nothing more: this version of the server cannot read its URL or its secret.
    pub is_readable: bool,
    /// It answered that it is gone, and was switched off for that.
    pub gone_at: Option<UnixMillis>,
    /// Since then no try has succeeded.
    pub failing_since: Option<UnixMillis>,
    pub created_at: UnixMillis,
}

/// An endpoint as people type it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointForm {
    pub url: WebhookUrl,
    pub kinds: ToldKinds,
}

/// One endpoint, and a page of what it was told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EndpointPage {
    pub endpoint: EndpointRow,
    /// What signs; empty where it cannot be read.
    pub secret: String,
    /// The one before signs too, until then.
    pub old_secret_until: Option<UnixMillis>,
    /// Newest first.
    pub deliveries: Vec<DeliveryRow>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DeliveryRow {
    pub id: MessageId,
    /// The event's, or `test`.
    pub kind: String,
    pub stream: Option<StreamId>,
    /// Whether the stream has a page: one that was deleted has none any more.
    pub has_stream: bool,
    pub asset: Option<AssetId>,
    pub at: UnixMillis,
    pub state: DeliveryState,
    pub attempts: u32,
    /// Of the last answer.
    pub last_status: Option<u16>,
    /// Why the last try was none.
    pub last_reason: Option<String>,
    /// Of the next try, while it waits for one.
    pub next_at: Option<UnixMillis>,
}
