//! Who hears what is made of a stream's sound: the process of a stream and codec is started for the first who listens, and ends after the last.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use afterlive_domain::StreamId;
use afterlive_media::frame::Frame;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use super::{Target, process};
use crate::hub::Hub;

/// Packets of some 20 ms that wait for a listener; who is slower loses the oldest.
const MAX_WAITING_PACKETS: usize = 100;
/// Packets of AAC that are kept for listeners to come: eight seconds, so that sound begins where their pictures do.
const MAX_KEPT_PACKETS: usize = 400;
/// How long a process that died is not started anew: what brought it down may be in each frame.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Makes of the sound of live streams what their viewers can hear. Clones are handles to the same.
#[derive(Clone)]
pub struct Interpreter {
    hub: Hub,
    program: PathBuf,
    streams: Arc<Mutex<Streams>>,
}

type Streams = HashMap<(StreamId, Target), Weak<Running>>;

/// Whether there is sound.
#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Going,
    /// There is none for a while: why.
    Failed(String),
    /// The publish is over.
    Over,
}

/// What the task that runs the process and its listeners share.
struct Shared {
    kept: Mutex<VecDeque<Frame>>,
    packets: broadcast::Sender<Frame>,
    state: watch::Sender<State>,
}

struct Running {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

/// One listener's end.
pub struct Interpretation {
    /// From before it began to listen.
    kept: VecDeque<Frame>,
    packets: broadcast::Receiver<Frame>,
    state: watch::Receiver<State>,
    _running: Arc<Running>,
}

impl Interpretation {
    /// The next packet; its time is in 48 000 ticks a second, of the stream's timeline. Never ends by itself: listeners hear from the hub that the stream is
    /// over. Safe to cancel.
    pub async fn next(&mut self) -> Frame {
        loop {
            if let Some(packet) = self.kept.pop_front() {
                return packet;
            }
            match self.packets.recv().await {
                Ok(packet) => return packet,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// The next packet, where one waits.
    pub fn try_next(&mut self) -> Option<Frame> {
        loop {
            if let Some(packet) = self.kept.pop_front() {
                return Some(packet);
            }
            match self.packets.try_recv() {
                Ok(packet) => return Some(packet),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    /// Whether the publish is over: nothing more will come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        *self.state.borrow() == State::Over
    }

    /// Why there is no sound for a while, in words for people; `None` where there is some, or soon will be.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        if let State::Failed(why) = &*self.state.borrow() { Some(why.clone()) } else { None }
    }
}

impl Shared {
    fn new() -> Self {
        Self {
            kept: Mutex::default(),
            packets: broadcast::Sender::new(MAX_WAITING_PACKETS),
            state: watch::Sender::new(State::Going),
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Frame>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept, and what comes from now on: no packet is in neither or in both.
    fn begin_to_listen(&self) -> (VecDeque<Frame>, broadcast::Receiver<Frame>) {
        let kept = self.kept();
        (kept.clone(), self.packets.subscribe())
    }

    fn tell(&self, packet: Frame, target: Target) {
        // Held until it is sent: see above.
        let mut kept = self.kept();
        if target == Target::Aac {
            if kept.len() == MAX_KEPT_PACKETS {
                kept.pop_front();
            }
            kept.push_back(packet.clone());
        }
        // Nobody may listen at this moment.
        let _ = self.packets.send(packet);
        self.set(State::Going);
    }

    fn set(&self, state: State) {
        self.state.send_if_modified(|now| {
            let changes = *now != state;
            *now = state;
            changes
        });
    }
}

impl Interpreter {
    /// `program` is the binary `afterlive`.
    #[must_use]
    pub fn new(hub: Hub, program: impl Into<PathBuf>) -> Self {
        Self { hub, program: program.into(), streams: Arc::default() }
    }

    /// Listens to a stream. To AAC from the last keyframe on, as far as that is kept, for RTMP begins with all since then; to Opus from now on, for what a
    /// browser hears late it plays late for ever.
    #[must_use]
    pub fn listen(&self, stream: StreamId, target: Target) -> Interpretation {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|_, running| running.strong_count() > 0);
        let running = streams.get(&(stream, target)).and_then(Weak::upgrade);
        // Somebody may still hold one of a publish that is over.
        let running = running.filter(|running| *running.shared.state.borrow() != State::Over).unwrap_or_else(|| {
            let running = Arc::new(self.start(stream, target));
            streams.insert((stream, target), Arc::downgrade(&running));
            running
        });
        let state = running.shared.state.subscribe();
        let (kept, packets) = running.shared.begin_to_listen();
        Interpretation { kept, packets, state, _running: running }
    }

    fn start(&self, stream: StreamId, target: Target) -> Running {
        let shared = Arc::new(Shared::new());
        let work = interpret(self.hub.clone(), self.program.clone(), stream, target, Arc::clone(&shared));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(work).await });
        Running { shared, _stop: stop.drop_guard() }
    }
}

/// Until the stream is over.
async fn interpret(hub: Hub, program: PathBuf, stream: StreamId, target: Target, shared: Arc<Shared>) {
    // What is kept has been told before the first failure.
    let mut with_kept = target == Target::Aac;
    while let Some(subscription) = hub.subscribe(stream) {
        // Who listens is counted where they watch.
        subscription.headcount().set(0);
        match process::run(&program, target, with_kept, subscription, |packet| shared.tell(packet, target)).await {
            Ok(()) => break,
            Err(failed) => {
                warn!(%stream, %failed, ?target, "the sound of a live stream is not to be had for a while");
                shared.set(State::Failed(failed.to_string()));
                // What comes next may be another publish's.
                shared.kept().clear();
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                with_kept = false;
            }
        }
    }
    shared.set(State::Over);
}
