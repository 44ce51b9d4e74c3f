//! The port to whoever records: the hub's side of it, in domain words. What a recorder does with the frames is its own affair.

use std::time::Duration;

use afterlive_domain::{OrganisationId, Region, SessionId, StreamId, Streamname, UnixMillis};
use async_trait::async_trait;

use super::RecorderSubscription;

/// What a recorder must know of the publish that it is to record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recording {
    pub organisation: OrganisationId,
    pub stream: StreamId,
    pub streamname: Streamname,
    /// Its row is committed.
    pub session: SessionId,
    /// Where the recording is to be kept.
    pub region: Region,
    pub started_at: UnixMillis,
    /// How long before that its encoder was there already, and waited until others allowed it.
    pub waited: Duration,
}

/// The recording cannot begin. The words complete "recording is not possible: …", and reach the encoder.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct CannotRecord(pub String);

/// Records publishes. Implemented where recordings are made; a fake serves the tests of the ingest.
#[async_trait]
pub trait Recorder: Send + Sync + 'static {
    /// Begins a recording and returns; the work itself goes on in a task of the recorder's until `frames` says that the publish has
    /// ended. Is called before the encoder is told to send, so that no frame is missed.
    ///
    /// # Errors
    /// [`CannotRecord`]: the encoder is refused, which is better than a publish whose recording never was.
    async fn start(&self, recording: Recording, frames: RecorderSubscription) -> Result<(), CannotRecord>;
}
