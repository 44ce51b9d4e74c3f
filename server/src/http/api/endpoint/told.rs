//! What endpoints are told of an event. Recordings are written as in all answers of the API.

use std::sync::Arc;

use afterlive_domain::{EventKind, OrganisationId, StreamId, Streamname, Tags, UnixMillis};
use serde::Serialize;

use crate::db::event_bodies::Happening;
use crate::db::streams::Stream;
use crate::events::ComposeError;
use crate::http::api::asset::json::AssetJson;
use crate::service::Service;

#[derive(Serialize)]
struct Told {
    r#type: &'static str,
    /// When it happened.
    timestamp: UnixMillis,
    data: Data,
}

#[derive(Serialize)]
struct Data {
    organisation: OrganisationId,
    stream: Option<StreamOf>,
    /// As it was right after it happened; absent where it is no recording's event.
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<AssetJson>,
    /// Why nothing is recorded on; only of that, and while it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct StreamOf {
    id: StreamId,
    streamname: Streamname,
    tags: Tags,
}

impl From<Stream> for StreamOf {
    fn from(stream: Stream) -> Self {
        Self { id: stream.id, streamname: stream.streamname, tags: stream.tags }
    }
}

/// The body of a delivery.
///
/// # Errors
/// Where the database fails.
pub async fn body(service: Arc<Service>, happening: Happening) -> Result<String, ComposeError> {
    let happened = service.happened(&happening).await?;
    let reason = match (happening.kind, happening.stream) {
        (EventKind::AssetStalled, Some(stream)) => service.stands_still(stream),
        _ => None,
    };
    let data = Data {
        reason,
        organisation: happening.organisation,
        stream: happened.stream.map(StreamOf::from),
        asset: happened.asset.map(|asset| AssetJson::new(&service, asset)),
    };
    Ok(serde_json::to_string(&Told { r#type: happening.kind.as_str(), timestamp: happening.at, data })?)
}
