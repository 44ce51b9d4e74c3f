//! WHEP: viewers by WebRTC, with the least delay there is. Takes frames from the hub as they are; who may watch is decided before.
//! Knows nothing of HTTP.

mod burst;
mod session;
mod tracks;

use std::net::IpAddr;

use afterlive_domain::StreamId;
use afterlive_media::frame::CodecConfig;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::hub::{Hub, Message, ViewerSubscription};
use crate::rtc::{Answer, NotAccepted, Role, Sessions, Transport};
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
    transport: Transport,
    hub: Hub,
    interpreter: Interpreter,
    sessions: Sessions,
}

impl Whep {
    #[must_use]
    pub fn new(transport: Transport, hub: Hub, interpreter: Interpreter, stop: CancellationToken) -> Self {
        Self { transport, hub, interpreter, sessions: Sessions::new(stop) }
    }

    /// Answers who may watch the stream. The session goes on by itself, under the id with which [`Sessions::end`] ends it, until `withdrawn` completes, with the
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
        let subscription = self.hub.subscribe(stream).ok_or(Refused::NotLive)?;
        refuse_unshowable(subscription)?;
        let (peer, answer) = self.transport.accept(offer, Role::Viewer, client)?;
        if offer.lines().any(|line| line.starts_with("m=video ")) && !answer.sdp.contains(" H264/90000") {
            return Err(Refused::NoH264);
        }
        let source = (self.hub.clone(), self.interpreter.clone());
        let stop = self.sessions.stop().clone();
        let id = self.sessions.begin(|place, deleted| async move {
            let peer = session::run(peer, source, stream, withdrawn, deleted, stop).await;
            drop(place);
            peer.close().await;
        });
        Ok((id, answer))
    }

    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
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
