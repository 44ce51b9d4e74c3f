//! What happened, for everyone who shows it: the one way in which news travels back towards the users.

use serde::{Deserialize, Serialize};

use crate::{AssetId, OrganisationId, StreamId, UnixMillis};

/// What happened. Carries no data of the thing itself: who hears it reads anew.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum EventKind {
    #[serde(rename = "stream.created")]
    StreamCreated,
    /// Tags or another setting changed, or it was locked or unlocked.
    #[serde(rename = "stream.changed")]
    StreamChanged,
    #[serde(rename = "stream.live")]
    StreamLive,
    #[serde(rename = "stream.ended")]
    StreamEnded,
    #[serde(rename = "stream.deleted")]
    StreamDeleted,
    #[serde(rename = "asset.recording")]
    AssetRecording,
    /// Of a stream that is live and to be recorded nothing has reached the disk for some seconds, or there is no room for it. Of no asset where none is
    /// being recorded at that moment.
    #[serde(rename = "asset.stalled")]
    AssetStalled,
    #[serde(rename = "asset.ready")]
    AssetReady,
    #[serde(rename = "asset.failed")]
    AssetFailed,
    /// Poster or probed facts arrived.
    #[serde(rename = "asset.changed")]
    AssetChanged,
    #[serde(rename = "asset.deleted")]
    AssetDeleted,
}

impl EventKind {
    pub const ALL: [Self; 11] = [
        Self::StreamCreated,
        Self::StreamChanged,
        Self::StreamLive,
        Self::StreamEnded,
        Self::StreamDeleted,
        Self::AssetRecording,
        Self::AssetStalled,
        Self::AssetReady,
        Self::AssetFailed,
        Self::AssetChanged,
        Self::AssetDeleted,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StreamCreated => "stream.created",
            Self::StreamChanged => "stream.changed",
            Self::StreamLive => "stream.live",
            Self::StreamEnded => "stream.ended",
            Self::StreamDeleted => "stream.deleted",
            Self::AssetRecording => "asset.recording",
            Self::AssetStalled => "asset.stalled",
            Self::AssetReady => "asset.ready",
            Self::AssetFailed => "asset.failed",
            Self::AssetChanged => "asset.changed",
            Self::AssetDeleted => "asset.deleted",
        }
    }
}

impl std::str::FromStr for EventKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// One row of the outbox, and one message of `GET /events`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Ascending in the order of the commits on one node.
    pub id: i64,
    pub kind: EventKind,
    pub organisation: OrganisationId,
    pub stream: Option<StreamId>,
    pub asset: Option<AssetId>,
    pub at: UnixMillis,
}
