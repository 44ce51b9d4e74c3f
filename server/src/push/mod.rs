//! Live streams pushed on to other RTMP servers, where a stream has a push URL: begun when both the URL and the publish are there, tried again while they are,
//! ended with either. A room of its own, since it opens connections to strangers by itself, as no way to watch does. Knows nothing of who set the URL.

mod relay;
mod wait;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use afterlive_domain::push::PushUrl;
use afterlive_domain::{EventKind, OrganisationId, StreamId, UnixMillis};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use self::relay::{End, Relay};
use self::wait::{WENT_WELL, wait};
use crate::clock::Clock;
use crate::db::{self, Db, streams};
use crate::dial::Mark;
use crate::hub::Hub;
use crate::random;
use crate::sound::Interpreter;

/// How long nothing is looked at after the database has failed.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Whether targets may be this machine and its neighbours.
    pub allow_private: bool,
    /// Where this server itself takes RTMP.
    pub own_port: u16,
}

/// How a push does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PushStatus {
    Connecting,
    /// `without_sound`: why it is sent without its sound at the moment.
    Pushing {
        since: UnixMillis,
        bytes: u64,
        without_sound: Option<String>,
    },
    Failed {
        reason: String,
        next_try_at: UnixMillis,
    },
}

/// The status as it is read by others while the push writes it.
#[derive(Clone)]
struct Shown(Arc<Mutex<PushStatus>>);

impl Shown {
    fn lock(&self) -> MutexGuard<'_, PushStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, status: PushStatus) {
        *self.lock() = status;
    }

    fn add_bytes(&self, more: u64) {
        if let PushStatus::Pushing { bytes, .. } = &mut *self.lock() {
            *bytes += more;
        }
    }

    fn set_without_sound(&self, why: Option<String>) {
        if let PushStatus::Pushing { without_sound, .. } = &mut *self.lock() {
            *without_sound = why;
        }
    }
}

struct Running {
    url: PushUrl,
    shown: Shown,
    cancel: CancellationToken,
}

/// What is being pushed. Clones are handles to the same.
#[derive(Clone, Default)]
pub struct Pushes {
    running: Arc<Mutex<HashMap<StreamId, Running>>>,
    mark: Mark,
}

impl Pushes {
    /// `None` where the stream is not live, or has no push URL.
    #[must_use]
    pub fn status(&self, stream: StreamId) -> Option<PushStatus> {
        self.running().get(&stream).map(|running| running.shown.lock().clone())
    }

    /// By what their connections are known again where they come in.
    #[must_use]
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    fn running(&self) -> MutexGuard<'_, HashMap<StreamId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins and ends pushes as streams and their URLs come and go.
pub struct Pusher {
    pushes: Pushes,
    db: Db,
    hub: Hub,
    interpreter: Interpreter,
    clock: Clock,
    settings: Settings,
    tasks: TaskTracker,
}

impl Pusher {
    #[must_use]
    pub fn new(pushes: Pushes, db: Db, (hub, interpreter): (Hub, Interpreter), clock: Clock, settings: Settings) -> Arc<Self> {
        Arc::new(Self { pushes, db, hub, interpreter, clock, settings, tasks: TaskTracker::new() })
    }

    /// Works until `stop`, and returns when the last push has ended.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut events = self.db.subscribe();
        loop {
            let heard = tokio::select! {
                heard = events.recv() => heard,
                () = stop.cancelled() => break,
            };
            let looked = match heard {
                Ok(event) => match (event.kind, event.stream) {
                    (
                        EventKind::StreamLive | EventKind::StreamChanged | EventKind::StreamEnded | EventKind::StreamDeleted,
                        Some(stream),
                    ) => self.look_at(stream).await,
                    _ => Ok(()),
                },
                Err(RecvError::Lagged(_)) => self.look_at_all().await,
                Err(RecvError::Closed) => break,
            };
            if let Err(cause) = looked {
                warn!(%cause, "which streams are to be pushed cannot be found out");
                tokio::time::sleep(DATABASE_PAUSE).await;
                // What was to be looked at is among all.
                events = events.resubscribe();
                if let Err(cause) = self.look_at_all().await {
                    warn!(%cause, "which streams are to be pushed cannot be found out");
                }
            }
        }
        for running in self.pushes.running().values() {
            running.cancel.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn look_at_all(self: &Arc<Self>) -> db::Result<()> {
        let mut streams = self.hub.live_streams();
        streams.extend(self.pushes.running().keys());
        for stream in streams {
            self.look_at(stream).await?;
        }
        Ok(())
    }

    /// Begins, changes or ends what is pushed of the stream.
    async fn look_at(self: &Arc<Self>, stream: StreamId) -> db::Result<()> {
        let target = streams::push_target(&mut self.db.read().await?, stream).await?;
        let mut running = self.pushes.running();
        let wanted = target.filter(|_| self.hub.is_live(stream));
        match (running.get(&stream), &wanted) {
            (Some(going), Some((_, url))) if going.url == *url => {}
            (None, None) => {}
            (going, _) => {
                if let Some(going) = going {
                    going.cancel.cancel();
                }
                running.remove(&stream);
                if let Some(target) = wanted {
                    self.begin(&mut running, stream, target);
                }
            }
        }
        Ok(())
    }

    fn begin(self: &Arc<Self>, running: &mut HashMap<StreamId, Running>, stream: StreamId, target: (OrganisationId, PushUrl)) {
        let (shown, cancel) = (Shown(Arc::new(Mutex::new(PushStatus::Connecting))), CancellationToken::new());
        running.insert(stream, Running { url: target.1.clone(), shown: shown.clone(), cancel: cancel.clone() });
        let pusher = Arc::clone(self);
        self.tasks.spawn(async move { pusher.push(stream, target, shown, cancel).await });
    }

    /// Tries until it is not wanted any more, or the publish is over.
    async fn push(&self, stream: StreamId, target: (OrganisationId, PushUrl), shown: Shown, cancel: CancellationToken) {
        let (organisation, url) = target;
        let mut failures = 0;
        loop {
            shown.set(PushStatus::Connecting);
            let began = Instant::now();
            let relay = Relay {
                organisation,
                stream,
                url: &url,
                hub: &self.hub,
                interpreter: &self.interpreter,
                clock: &self.clock,
                settings: self.settings,
                mark: self.pushes.mark(),
                shown: &shown,
                cancel: &cancel,
            };
            match relay.run().await {
                Ok(End::Cancelled) => return,
                Ok(End::Publish) => failures = 0,
                Err(failed) => {
                    failures = if began.elapsed() >= WENT_WELL { 1 } else { failures + 1 };
                    let pause = wait(failures, random::below(1_001));
                    info!(%stream, target = ?url, %failed, "a push has failed");
                    let next_try_at = self.clock.now().plus_ms(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
                    shown.set(PushStatus::Failed { reason: failed.to_string(), next_try_at });
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = cancel.cancelled() => return,
                    }
                }
            }
            // Whoever begins one holds the same lock: it sees either this push, or that there is none.
            let mut running = self.pushes.running();
            if cancel.is_cancelled() {
                return;
            }
            if !self.hub.is_live(stream) {
                running.remove(&stream);
                return;
            }
        }
    }
}
