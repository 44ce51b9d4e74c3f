//! WHEP: viewers by WebRTC, with the least delay there is. Takes frames from the hub as they are; who may watch is decided before.
//! Knows nothing of HTTP.

mod burst;
mod session;
mod tracks;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use afterlive_domain::StreamId;
use afterlive_media::frame::CodecConfig;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::hub::{Hub, Message, ViewerSubscription};
use crate::rtc::{Answer, NotAccepted, Transport};
use crate::sound::Interpreter;

/// Why there is nothing to be watched by WebRTC, in words for the viewer.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Offer(#[from] NotAccepted),
    #[error("the SDP offer has no H.264 with packetization-mode=1: no other pictures are sent")]
    NoH264,
    #[error("the stream is not live")]
    NotLive,
    #[error("the stream's pictures are {0}, which browsers do not take by WebRTC: watch by WebSocket or HLS")]
    Codec(&'static str),
    #[error(
        "the stream has B-frames, which WebRTC cannot show: switch them off in the encoder (bf=0), or watch by WebSocket or HLS"
    )]
    BFrames,
}

/// All WHEP viewers of the node. Clones are handles to the same.
#[derive(Clone)]
pub struct Whep {
    parts: Arc<Parts>,
}

struct Parts {
    transport: Transport,
    hub: Hub,
    interpreter: Interpreter,
    /// Cancelled when the viewer says so; its place is left when the session is over.
    running: Mutex<HashMap<Uuid, CancellationToken>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Whep {
    #[must_use]
    pub fn new(transport: Transport, hub: Hub, interpreter: Interpreter, stop: CancellationToken) -> Self {
        let (running, tasks) = (Mutex::default(), TaskTracker::new());
        Self { parts: Arc::new(Parts { transport, hub, interpreter, running, tasks, stop }) }
    }

    /// Answers who may watch the stream. The session goes on by itself, under the id with which [`Whep::end`] ends it, until `withdrawn` completes, with the
    /// reason why the viewer may not watch any more.
    ///
    /// # Errors
    /// [`Refused`], without effect.
    pub fn watch(
        &self,
        stream: StreamId,
        client: IpAddr,
        offer: &str,
        withdrawn: BoxFuture<'static, String>,
    ) -> Result<(Uuid, Answer), Refused> {
        let subscription = self.parts.hub.subscribe(stream).ok_or(Refused::NotLive)?;
        refuse_unshowable(subscription)?;
        let (peer, answer) = self.parts.transport.accept(offer, client)?;
        if offer.lines().any(|line| line.starts_with("m=video ")) && !answer.sdp.contains(" H264/90000") {
            return Err(Refused::NoH264);
        }
        let id = Uuid::new_v4();
        let deleted = CancellationToken::new();
        self.parts.running().insert(id, deleted.clone());
        let place = Place { parts: Arc::clone(&self.parts), id };
        let source = (self.parts.hub.clone(), self.parts.interpreter.clone());
        let stop = self.parts.stop.clone();
        self.parts.tasks.spawn(async move {
            let peer = session::run(peer, source, stream, withdrawn, deleted, stop).await;
            drop(place);
            peer.close().await;
        });
        Ok((id, answer))
    }

    /// Ends a session by its viewer's word. `false` where there is none of this id.
    #[must_use]
    pub fn end(&self, id: Uuid) -> bool {
        self.parts.running().get(&id).inspect(|deleted| deleted.cancel()).is_some()
    }

    /// Whether there is a session of this id.
    #[must_use]
    pub fn has(&self, id: Uuid) -> bool {
        self.parts.running().contains_key(&id)
    }

    /// Waits until the server stops and the last session has ended.
    pub async fn serve(self) {
        self.parts.stop.cancelled().await;
        self.parts.tasks.close();
        self.parts.tasks.wait().await;
    }
}

impl Parts {
    /// Nothing panics while it holds the lock, so a poisoned one is as good as new.
    fn running(&self) -> MutexGuard<'_, HashMap<Uuid, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place in the list; left when dropped.
struct Place {
    parts: Arc<Parts>,
    id: Uuid,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.parts.running().remove(&self.id);
    }
}

/// Looks through what is kept for viewers to come. A stream that has just begun shows nothing yet, and is looked at as it goes by.
fn refuse_unshowable(mut subscription: ViewerSubscription) -> Result<(), Refused> {
    let mut order = tracks::Order::default();
    while let Some(message) = subscription.try_next() {
        match message {
            Message::TrackChanged(track) => refuse_codec(&track.codec)?,
            Message::Frame(frame) if order.is_broken_by(&frame) => return Err(Refused::BFrames),
            Message::Frame(_) => {}
            Message::Ended => return Err(Refused::NotLive),
        }
    }
    Ok(())
}

/// Sound that WebRTC does not have is left out; pictures are what is watched.
fn refuse_codec(codec: &CodecConfig) -> Result<(), Refused> {
    match codec {
        CodecConfig::H264 { .. } | CodecConfig::Aac { .. } | CodecConfig::Opus { .. } => Ok(()),
        other @ (CodecConfig::Hevc { .. } | CodecConfig::Av1 { .. }) => Err(Refused::Codec(other.name())),
    }
}
