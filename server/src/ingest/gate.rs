//! The gate: from the name that an encoder gives to the right to publish, for all protocols alike; and the way back, on which a publish
//! ends exactly once however it ends. Knows no protocol.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{Mode, OrganisationId, Region, SessionId, StreamId, StreamState, Streamname, UnixMillis};
use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::audit::Audit;
use crate::clock::Clock;
use crate::db::sessions::{self, EndReason, GoLive, NewSession};
use crate::db::streams::{self, PublishTarget};
use crate::db::{self, Db};
use crate::hub::{Hub, Publisher, Recorder, Recording};
use crate::hush::Hush;
use crate::ingest::key_check::{BadKey, KeyCheck};
use crate::ingest::turned_away;
use crate::ingest::webhook::{self, Attended, Denied, Facts, Webhooks};
use crate::publish_key;

/// How long a publish waits for the end of the stream's previous one to be written, when an encoder is back at once.
const PREVIOUS_END_WAIT: Duration = Duration::from_secs(3);
/// How long the end of a publish that gives way may take.
const GIVE_WAY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often at the most the end of a publish is tried once the server stops; the next start repairs it. While it runs there is no giving up:
/// a stream whose end is not written takes no encoder.
const END_ATTEMPTS_AT_STOP: u32 = 8;
/// The wait after the first failure; doubles with each, up to the longest.
const END_RETRY_WAIT: Duration = Duration::from_millis(100);
const LONGEST_END_RETRY_WAIT: Duration = Duration::from_secs(5);

/// An encoder's wish to publish, in words that every protocol has. Not `Debug`: its query may hold a key, and goes in no log.
#[derive(Clone)]
pub struct PublishRequest {
    pub mode: Mode,
    /// As sent, without the query.
    pub streamname: String,
    /// What stood behind a `?` in the stream's name, and by RTMP then what stood behind one in the application's.
    pub query: Option<String>,
    /// The host in the URL that the encoder was given: decides the region.
    pub host: Option<String>,
    pub peer: SocketAddr,
    /// `rtmp`, `whip`, …
    pub protocol: &'static str,
}

/// Why an encoder is sent away, in words for the one who looks at it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Also for a deleted one: its name means nothing any more.
    #[error("stream name unknown")]
    UnknownStream,
    /// The organisation requires one.
    #[error(transparent)]
    PublishKey(#[from] BadKey),
    #[error("the organisation is suspended: ask who runs this server")]
    Suspended,
    #[error("stream is locked")]
    Locked,
    #[error("already live from another encoder")]
    AlreadyLive,
    /// The organisation's webhook does not allow it.
    #[error(transparent)]
    Webhook(#[from] Denied),
    #[error("recording is not possible: {0}")]
    CannotRecord(String),
    #[error("the server cannot take streams at the moment, try again")]
    Unavailable,
}

/// Who may publish.
#[async_trait]
pub trait Gatekeeper: Send + Sync + 'static {
    /// Whether there is such a stream, and it may be published, as far as that can be told at once. A gate that cannot tell says yes.
    async fn look(&self, request: PublishRequest) -> Result<Permit, Refusal> {
        Ok(Permit::unasked(request))
    }

    /// Asks who else has a say, where the permit [is to be asked about](Permit::is_to_be_asked_about), for as long as they may take. Nothing is held
    /// meanwhile, and dropping it is not to want to know any more.
    async fn ask(&self, permit: Permit) -> Result<Permit, Refusal> {
        Ok(permit)
    }

    /// Claims the stream for the encoder and puts it on air. When this returns, the recorder, where there is one, is listening.
    async fn let_in(&self, permit: Permit) -> Result<Grant, Refusal>;

    /// All of it, for who has nothing to do in between.
    async fn admit(&self, request: PublishRequest) -> Result<Grant, Refusal> {
        self.let_in(self.ask(self.look(request).await?).await?).await
    }
}

/// A publish against which nothing was found. It takes no place; dropping it is as good as not to publish.
pub struct Permit {
    pub request: PublishRequest,
    session: SessionId,
    found: Option<(Streamname, PublishTarget)>,
    attended: Option<Attended>,
    /// How long others took to allow it, by [`Clock::monotonic`].
    waited: Duration,
}

impl Permit {
    /// As who asks nobody gives it.
    #[must_use]
    pub fn unasked(request: PublishRequest) -> Self {
        Self { request, session: SessionId(Uuid::new_v4()), found: None, attended: None, waited: Duration::ZERO }
    }

    /// Whether [`Gatekeeper::ask`] has somebody to wait for.
    #[must_use]
    pub fn is_to_be_asked_about(&self) -> bool {
        self.attended.is_none() && self.found.as_ref().is_some_and(|(_, target)| target.webhook.is_some())
    }
}

/// A publish that was admitted. Dropping it, or [`Grant::end`], ends it: once, whatever the way.
pub struct Grant {
    /// Goes first when the grant is dropped, so that the hub's subscribers hear of the end before the database does.
    publisher: Option<Publisher>,
    mode: Mode,
    region: Region,
    on_end: Option<OnEnd>,
    attended: Option<Attended>,
    /// What the encoder was sent.
    bytes_out: u64,
    /// So long the encoder is waited for where its connection breaks.
    window: Duration,
    reason: EndReason,
}

/// Is told why the publish ended, and how many bytes of media had come.
type OnEnd = Box<dyn FnOnce(EndReason, u64) + Send>;

impl Grant {
    #[must_use]
    pub fn new(publisher: Publisher, mode: Mode, region: Region, on_end: impl FnOnce(EndReason, u64) + Send + 'static) -> Self {
        let on_end: OnEnd = Box::new(on_end);
        let (on_end, reason) = (Some(on_end), EndReason::Disconnected);
        Self { publisher: Some(publisher), mode, region, on_end, attended: None, bytes_out: 0, window: Duration::ZERO, reason }
    }

    /// What the publish is: `Rec` only where it is being recorded.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// # Panics
    /// Never: the publisher leaves only with the grant.
    #[must_use]
    pub fn publisher(&mut self) -> &mut Publisher {
        self.publisher.as_mut().expect("the publisher leaves only with the grant")
    }

    /// What the encoder was sent, where that is known.
    pub fn set_bytes_out(&mut self, bytes: u64) {
        self.bytes_out = bytes;
    }

    /// Ends the publish for a known reason. A grant that is merely dropped ends as [`EndReason::Disconnected`].
    pub fn end(mut self, reason: EndReason) {
        self.reason = reason;
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let bytes_in = self.publisher.take().map_or(0, |mut publisher| {
            if self.reason.is_interruption() {
                publisher.wait_for_return(self.window);
            }
            publisher.bytes_in()
        });
        if let Some(attended) = self.attended.take() {
            attended.over(bytes_in, self.bytes_out);
        }
        if let Some(on_end) = self.on_end.take() {
            on_end(self.reason, bytes_in);
        }
    }
}

/// Which region the host in an encoder's URL means.
#[derive(Clone, Debug)]
pub struct IngestRegions {
    /// Of hosts that are not listed.
    pub node: Region,
    /// By host name in lower case.
    pub by_host: BTreeMap<String, Region>,
}

impl IngestRegions {
    fn of(&self, host: Option<&str>) -> &Region {
        host.and_then(|host| self.by_host.get(&host.to_ascii_lowercase())).unwrap_or(&self.node)
    }
}

/// The gate over the database. Clones are handles to the same gate.
#[derive(Clone)]
pub struct Gate {
    parts: Arc<Parts>,
}

struct Parts {
    hub: Hub,
    db: Db,
    clock: Clock,
    regions: IngestRegions,
    recorder: Arc<dyn Recorder>,
    tasks: TaskTracker,
    webhooks: Webhooks,
    key_check: KeyCheck,
    lost_keys: Hush<OrganisationId>,
    audit: Audit,
    /// Where an organisation has set nothing else.
    reconnect_window: Duration,
    /// Is told whenever the end of a publish has been written.
    ended: Notify,
}

impl Gate {
    /// `tasks` is to be waited for at the server's end: the last publishes' ends are written there.
    #[must_use]
    pub fn new(
        hub: Hub,
        db: Db,
        clock: Clock,
        regions: IngestRegions,
        recorder: Arc<dyn Recorder>,
        tasks: TaskTracker,
        webhook: webhook::Settings,
    ) -> Self {
        let webhooks = Webhooks::new(webhook, db.clone(), tasks.clone());
        let (key_check, lost_keys, audit) = (KeyCheck::default(), Hush::default(), Audit::default());
        let ended = Notify::new();
        let reconnect_window = Duration::ZERO;
        let parts =
            Parts { hub, db, clock, regions, recorder, tasks, webhooks, key_check, lost_keys, audit, reconnect_window, ended };
        Self { parts: Arc::new(parts) }
    }

    /// With how long an encoder that is cut off is waited for, where its organisation says nothing else. Of a gate that has no other handle.
    #[must_use]
    pub fn with_reconnect_window(mut self, window: Duration) -> Self {
        if let Some(parts) = Arc::get_mut(&mut self.parts) {
            parts.reconnect_window = window;
        }
        self
    }

    /// With where it is noted who was not let in. Of a gate that has just been made, and has no other handle.
    #[must_use]
    pub fn with_audit(mut self, audit: Audit) -> Self {
        if let Some(parts) = Arc::get_mut(&mut self.parts) {
            parts.audit = audit;
        }
        self
    }
}

#[async_trait]
impl Gatekeeper for Gate {
    async fn look(&self, request: PublishRequest) -> Result<Permit, Refusal> {
        let found = Some(self.parts.find(&request).await?);
        Ok(Permit { found, ..Permit::unasked(request) })
    }

    async fn ask(&self, mut permit: Permit) -> Result<Permit, Refusal> {
        if !permit.is_to_be_asked_about() {
            return Ok(permit);
        }
        let Some((streamname, target @ PublishTarget { stream, organisation, webhook: Some(url), .. })) = &permit.found else {
            return Ok(permit);
        };
        // Who would be refused in any case is not asked about. It can still become live before the answer.
        if self.parts.hub.is_taken(*stream) {
            return Err(Refusal::AlreadyLive);
        }
        let facts = Facts {
            // The key is nobody's but the encoder's and ours. Where none is required `key` is a pair like others, but for the stream's own: it may count again.
            query: permit.request.query.as_deref().map(|query| match (target.publish_key_required, &target.publish_key) {
                (true, _) => publish_key::without_key(query, |_| true),
                (false, Some(own)) => publish_key::without_key(query, |key| own.is(key)),
                (false, None) => query.to_owned(),
            }),
            streamname: streamname.as_str().to_owned(),
            app: permit.request.mode.as_str(),
            address: webhook::address_of(permit.request.peer),
            client_id: webhook::client_id(permit.session.0),
        };
        let began = self.parts.clock.monotonic();
        let asked = self.parts.webhooks.ask(*organisation, url.clone(), facts).await;
        let asked = asked.map_err(|denied| self.parts.refused(&permit.request, streamname, Some(target), denied.into()));
        permit.attended = Some(asked?);
        permit.waited = self.parts.clock.monotonic().saturating_sub(began);
        // Much may have been set meanwhile.
        permit.found = None;
        Ok(permit)
    }

    async fn let_in(&self, permit: Permit) -> Result<Grant, Refusal> {
        let parts = Arc::clone(&self.parts);
        // A task of its own: an encoder that hangs up in between must not leave a half-done commit. The grant is then dropped there.
        let admission = self.parts.tasks.spawn(async move { Parts::admit(&parts, permit).await });
        admission.await.unwrap_or_else(|panic| {
            error!(error = %panic, "admitting a publish failed");
            Err(Refusal::Unavailable)
        })
    }
}

impl Parts {
    async fn find(&self, request: &PublishRequest) -> Result<(Streamname, PublishTarget), Refusal> {
        let name: Streamname = request.streamname.parse().map_err(|_| Refusal::UnknownStream)?;
        let target: db::Result<_> = async { streams::publish_target(&mut self.db.read_briefly().await?, &name).await }.await;
        let target = target.map_err(unavailable)?.filter(|target| target.state != StreamState::Deleted);
        match &target {
            Some(found) => self.may_come(request, found),
            None => Err(Refusal::UnknownStream),
        }
        .map_err(|refusal| self.refused(request, &name, target.as_ref(), refusal))?;
        Ok((name, target.ok_or(Refusal::UnknownStream)?))
    }

    /// Whether it shows what must be shown, and the stream is taken at the moment.
    fn may_come(&self, request: &PublishRequest, target: &PublishTarget) -> Result<(), Refusal> {
        match (target.publish_key_required, &target.publish_key) {
            (false, _) => {}
            (true, Some(key)) => {
                self.key_check.check(key, request.query.as_deref(), request.peer.ip(), self.clock.now())?;
            }
            (true, None) => {
                let organisation = target.organisation;
                if let Some(unsaid) = self.lost_keys.says(organisation) {
                    error!(%organisation, unsaid, "publish keys are required, and what they are made of is gone from the database: an administrator saves them anew");
                }
                return Err(BadKey::Lost.into());
            }
        }
        if target.is_suspended {
            return Err(Refusal::Suspended);
        }
        if target.state == StreamState::Locked { Err(Refusal::Locked) } else { Ok(()) }
    }

    /// Notes that an encoder was not let in, where that is its doing. Nobody waits for it.
    fn refused(&self, request: &PublishRequest, name: &Streamname, target: Option<&PublishTarget>, refusal: Refusal) -> Refusal {
        if let Some(seen) = turned_away::seen(request, name, target, &refusal, self.clock.now()) {
            self.audit.note(seen);
        }
        refusal
    }

    async fn admit(parts: &Arc<Self>, permit: Permit) -> Result<Grant, Refusal> {
        let Permit { request, session, found, attended, waited } = permit;
        let (streamname, target) = match found {
            Some(found) => found,
            None => parts.find(&request).await?,
        };
        let mode = if target.settings.recording_enabled { request.mode } else { Mode::Live };
        let region = parts.regions.of(request.host.as_deref()).clone();
        let session = NewSession {
            id: session,
            stream: target.stream,
            mode,
            region: region.clone(),
            protocol: request.protocol,
            peer: request.peer.to_string(),
        };

        // The claim comes first, so that of two encoders only one gets as far as the database.
        let started_at = parts.clock.now();
        let publisher = parts.claim(target.stream, started_at).await?;
        if let Some(attended) = &attended {
            attended.on_air(publisher.remote());
        }
        let frames = (mode == Mode::Rec).then(|| publisher.subscribe_recorder());
        // The grant comes before the commit: what fails half-way is undone by dropping it, and undoing nothing does no harm.
        let mut grant = Grant::new(publisher, mode, region.clone(), Self::on_end(parts, session.id, streamname.clone()));
        grant.attended = attended;
        grant.window = target.reconnect_window_s.map_or(parts.reconnect_window, Duration::from_secs);
        let live = parts.go_live(&session, started_at).await;
        live.map_err(|refusal| parts.refused(&request, &streamname, Some(&target), refusal))?;
        info!(stream = %streamname, mode = mode.as_str(), region = %region, protocol = session.protocol, peer = %session.peer, "live");

        if let Some(frames) = frames {
            let recording = Recording {
                organisation: target.organisation,
                stream: target.stream,
                streamname: streamname.clone(),
                session: session.id,
                region,
                started_at,
                waited,
            };
            if let Err(cause) = parts.recorder.start(recording, frames).await {
                warn!(stream = %streamname, %cause, "a publish is refused, for it cannot be recorded");
                grant.end(EndReason::CannotRecord);
                return Err(Refusal::CannotRecord(cause.to_string()));
            }
        }
        Ok(grant)
    }

    /// Claims the stream, also from a publish that has fallen silent and gives way.
    async fn claim(&self, stream: StreamId, started_at: UnixMillis) -> Result<Publisher, Refusal> {
        if let Ok(publisher) = self.hub.publish(stream, started_at) {
            return Ok(publisher);
        }
        if let Some(over) = self.hub.make_way(stream) {
            timeout(GIVE_WAY_TIMEOUT, over).await.map_err(|_| Refusal::AlreadyLive)?;
        }
        self.hub.publish(stream, started_at).map_err(|_| Refusal::AlreadyLive)
    }

    async fn go_live(&self, session: &NewSession, now: UnixMillis) -> Result<(), Refusal> {
        let deadline = Instant::now() + PREVIOUS_END_WAIT;
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            // From here on no notice is missed, though it come before the wait below.
            ended.as_mut().enable();
            match self.try_go_live(session, now).await.map_err(unavailable)? {
                GoLive::Started => return Ok(()),
                GoLive::NoSuchStream | GoLive::Refused(StreamState::Deleted) => return Err(Refusal::UnknownStream),
                GoLive::Refused(StreamState::Locked) => return Err(Refusal::Locked),
                // We hold the hub's claim: it is the previous publish, whose end is on its way to the database.
                GoLive::Refused(_) => timeout_at(deadline, ended).await.map_err(|_| Refusal::AlreadyLive)?,
            }
        }
    }

    async fn try_go_live(&self, session: &NewSession, now: UnixMillis) -> db::Result<GoLive> {
        let mut tx = self.db.write().await?;
        let outcome = sessions::go_live(&mut tx, session, now).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// What is left to do when a publish is over: the session's row and the stream's state.
    fn on_end(parts: &Arc<Self>, session: SessionId, streamname: Streamname) -> impl FnOnce(EndReason, u64) + Send + 'static {
        let parts = Arc::clone(parts);
        let runtime = tokio::runtime::Handle::current();
        move |reason, bytes_in| {
            let tasks = parts.tasks.clone();
            let ended_at = parts.clock.now();
            let end = async move {
                if parts.end(session, reason, bytes_in, ended_at).await {
                    info!(stream = %streamname, reason = reason.as_str(), bytes_in, "off air");
                }
            };
            tasks.spawn_on(end, &runtime);
        }
    }

    /// Whether the session was on air, and no longer is.
    async fn end(&self, session: SessionId, reason: EndReason, bytes_in: u64, ended_at: UnixMillis) -> bool {
        let mut wait = END_RETRY_WAIT;
        for attempt in 1.. {
            match self.try_end(session, reason, bytes_in, ended_at).await {
                Ok(ended) => {
                    self.ended.notify_waiters();
                    return ended;
                }
                Err(cause) => error!(%session, attempt, %cause, "the end of a publish could not be written"),
            }
            if attempt >= END_ATTEMPTS_AT_STOP && self.tasks.is_closed() {
                break;
            }
            tokio::time::sleep(wait).await;
            wait = LONGEST_END_RETRY_WAIT.min(wait * 2);
        }
        false
    }

    async fn try_end(&self, session: SessionId, reason: EndReason, bytes_in: u64, ended_at: UnixMillis) -> db::Result<bool> {
        let mut tx = self.db.write().await?;
        let ended = sessions::end_session(&mut tx, session, reason, bytes_in, ended_at).await?;
        tx.commit().await?;
        Ok(ended)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "is handed to map_err")]
fn unavailable(cause: db::Error) -> Refusal {
    error!(%cause, "the gate cannot ask the database");
    Refusal::Unavailable
}
