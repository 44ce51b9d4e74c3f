//! WHIP (RFC 9725): publishes of browsers and encoders by WebRTC, from an offer that the gate admits to frames in the hub.
//! Knows nothing of HTTP, and decides nothing about who may publish.

mod publish;
mod tracks;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::info;
use uuid::Uuid;

use super::gate::{Gatekeeper, Grant, PublishRequest, Refusal};
use crate::rtc::{Answer, Heard, NotAccepted, Peer, Transport};

/// How long the gate may take to answer.
const GATE_TIMEOUT: Duration = Duration::from_secs(15);
/// A publish of which nothing has been heard for so long gives way to one that comes for the same stream: the encoder has lost its network, and is back.
/// Browsers are heard 50 times a second.
const GIVE_WAY_AFTER: Duration = Duration::from_secs(2);
/// How long the end of a publish that gives way may take.
const GIVE_WAY_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of a name that means nothing is shown in the log.
const NAME_LOG_CHARS: usize = 40;

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

/// A publish that is under way.
struct Running {
    streamname: String,
    heard: Heard,
    /// By the publisher's word.
    deleted: CancellationToken,
    gives_way: CancellationToken,
    /// Cancelled when all about it is over.
    over: CancellationToken,
}

/// All WHIP publishes of the node. Clones are handles to the same.
#[derive(Clone)]
pub struct Whip {
    parts: Arc<Parts>,
}

struct Parts {
    transport: Transport,
    gate: Arc<dyn Gatekeeper>,
    running: Mutex<HashMap<Uuid, Running>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Whip {
    #[must_use]
    pub fn new(transport: Transport, gate: Arc<dyn Gatekeeper>, stop: CancellationToken) -> Self {
        Self { parts: Arc::new(Parts { transport, gate, running: Mutex::default(), tasks: TaskTracker::new(), stop }) }
    }

    /// Admits and answers. The publish goes on by itself, under the id with which [`Whip::end`] ends it.
    ///
    /// # Errors
    /// [`Refused`], without effect.
    pub async fn publish(&self, request: PublishRequest, offer: &str) -> Result<(Uuid, Answer), Refused> {
        let (peer, answer) = self.parts.transport.accept(offer, request.peer.ip())?;
        refuse_other_codecs(offer, &answer.sdp)?;
        let grant = match self.parts.admit(request.clone()).await {
            Ok(grant) => grant,
            Err(refusal) => {
                let stream: String = request.streamname.escape_debug().take(NAME_LOG_CHARS).collect();
                info!(peer = %request.peer, stream, %refusal, "a publish was refused");
                return Err(refusal.into());
            }
        };
        Ok((self.parts.start(request, peer, grant), answer))
    }

    /// Ends a publish by its publisher's word. `false` where there is none of this id.
    #[must_use]
    pub fn end(&self, id: Uuid) -> bool {
        self.parts.running().get(&id).inspect(|running| running.deleted.cancel()).is_some()
    }

    /// Whether there is a publish of this id.
    #[must_use]
    pub fn has(&self, id: Uuid) -> bool {
        self.parts.running().contains_key(&id)
    }

    /// Waits until the server stops and the last publish has ended.
    pub async fn serve(self) {
        self.parts.stop.cancelled().await;
        self.parts.tasks.close();
        self.parts.tasks.wait().await;
    }
}

impl Parts {
    /// Nothing panics while it holds the lock, so a poisoned one is as good as new.
    fn running(&self) -> MutexGuard<'_, HashMap<Uuid, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn admit(&self, request: PublishRequest) -> Result<Grant, Refusal> {
        if self.stop.is_cancelled() {
            return Err(Refusal::Unavailable);
        }
        let ask = async |request| timeout(GATE_TIMEOUT, self.gate.admit(request)).await.unwrap_or(Err(Refusal::Unavailable));
        match ask(request.clone()).await {
            Err(Refusal::AlreadyLive) if self.make_way(&request.streamname).await => ask(request).await,
            answer => answer,
        }
    }

    /// Ends the publish of this stream that has fallen silent. `false` where there is none.
    async fn make_way(&self, streamname: &str) -> bool {
        let over = {
            let running = self.running();
            let silent =
                running.values().find(|other| other.streamname == streamname && other.heard.silent_for() >= GIVE_WAY_AFTER);
            let Some(silent) = silent else { return false };
            silent.gives_way.cancel();
            silent.over.clone()
        };
        timeout(GIVE_WAY_TIMEOUT, over.cancelled()).await.is_ok()
    }

    fn start(self: &Arc<Self>, request: PublishRequest, peer: Peer, grant: Grant) -> Uuid {
        // Who knows it ends the publish: 122 bits by chance.
        let id = Uuid::new_v4();
        let running = Running {
            streamname: request.streamname,
            heard: peer.heard(),
            deleted: CancellationToken::new(),
            gives_way: CancellationToken::new(),
            over: CancellationToken::new(),
        };
        let orders = publish::Orders {
            deleted: running.deleted.clone(),
            gives_way: running.gives_way.clone(),
            server_stops: self.stop.clone(),
        };
        let place = Place { parts: Arc::clone(self), id, _over: running.over.clone().drop_guard() };
        self.running().insert(id, running);
        self.tasks.spawn(async move {
            // Its stream is free when it is over, and it is over before the peer is told.
            let closing = publish::run(peer, request.peer, grant, orders).await;
            drop(place);
            if let Some(closing) = closing {
                closing.close().await;
            }
        });
        id
    }
}

/// A publish's place in the list; left when dropped.
struct Place {
    parts: Arc<Parts>,
    id: Uuid,
    _over: DropGuard,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.parts.running().remove(&self.id);
    }
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
