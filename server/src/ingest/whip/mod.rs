//! WHIP (RFC 9725): publishes of browsers and encoders by WebRTC, from an offer that the gate admits to frames in the hub.
//! Knows nothing of HTTP, and decides nothing about who may publish.

mod publish;
mod tracks;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::gate::{Gatekeeper, Grant, PublishRequest, Refusal};
use super::refusals::Refusals;
use crate::rtc::{Answer, NotAccepted, Peer, Role, Sessions, Transport};

/// How long the gate may take to answer.
const GATE_TIMEOUT: Duration = Duration::from_secs(15);

/// Why an offer does not become a publish, in words for the one who made it.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Offer(#[from] NotAccepted),
    #[error("the SDP offer has no H.264 with packetization-mode=1: other pictures are not taken")]
    NoH264,
    #[error("the SDP offer has no Opus: other sound is not taken")]
    NoOpus,
    #[error("the SDP offer sends neither pictures nor sound")]
    NoMedia,
    #[error(transparent)]
    Gate(#[from] Refusal),
}

/// All WHIP publishes of the node. Clones are handles to the same.
#[derive(Clone)]
pub struct Whip {
    transport: Transport,
    gate: Arc<dyn Gatekeeper>,
    sessions: Sessions,
    refusals: Refusals,
}

impl Whip {
    #[must_use]
    pub fn new(transport: Transport, gate: Arc<dyn Gatekeeper>, stop: CancellationToken) -> Self {
        Self { transport, gate, sessions: Sessions::new(stop), refusals: Refusals::default() }
    }

    /// Admits and answers. The publish goes on by itself, under the id with which [`Sessions::end`] ends it.
    ///
    /// # Errors
    /// [`Refused`], without effect.
    pub async fn publish(&self, request: PublishRequest, offer: &str) -> Result<(Uuid, Answer), Refused> {
        let answer = self.try_publish(request.clone(), offer).await;
        if let Err(Refused::Gate(refusal)) = &answer {
            self.refusals.tell(request.peer, &request.streamname, refusal);
        }
        answer
    }

    async fn try_publish(&self, request: PublishRequest, offer: &str) -> Result<(Uuid, Answer), Refused> {
        if self.sessions.stop().is_cancelled() {
            return Err(Refusal::Unavailable.into());
        }
        // Who may not publish has no offer read, which takes longer than all else, nor one of the peers' places.
        let mut permit = in_time(self.gate.look(request.clone())).await?;
        if permit.is_to_be_asked_about() {
            // Takes no longer than those who are asked may take.
            permit = self.gate.ask(permit).await?;
            if self.sessions.stop().is_cancelled() {
                return Err(Refusal::Unavailable.into());
            }
        }
        let (peer, answer) = self.transport.accept(offer, Role::Publisher, request.peer.ip())?;
        refuse_other_codecs(offer, &answer.sdp)?;
        let grant = in_time(self.gate.let_in(permit)).await?;
        Ok((self.start(request, peer, grant), answer))
    }

    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    fn start(&self, request: PublishRequest, peer: Peer, grant: Grant) -> Uuid {
        let server_stops = self.sessions.stop().clone();
        self.sessions.begin(|place, deleted| async move {
            let orders = publish::Orders { deleted, server_stops };
            // Its stream is free before the peer is told.
            let closing = publish::run(peer, request.peer, grant, orders).await;
            drop(place);
            if let Some(closing) = closing {
                closing.close().await;
            }
        })
    }
}

/// What the gate says.
async fn in_time<T>(answer: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    timeout(GATE_TIMEOUT, answer).await.unwrap_or(Err(Refusal::Unavailable))
}

/// What was offered and is not taken is told, rather than left out of the stream.
fn refuse_other_codecs(offer: &str, answer: &str) -> Result<(), Refused> {
    let offers = |media: &str| offer.lines().any(|line| line.starts_with(media));
    let takes = |codec: &str| answer.contains(codec);
    match (offers("m=video "), offers("m=audio ")) {
        (false, false) => Err(Refused::NoMedia),
        (true, _) if !takes(" H264/90000") => Err(Refused::NoH264),
        (_, true) if !takes(" opus/48000") => Err(Refused::NoOpus),
        _ => Ok(()),
    }
}
