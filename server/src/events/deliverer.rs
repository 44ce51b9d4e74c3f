//! Sends what waits: gives each its body, leases what is due, posts it, and writes what came of it. Several nodes may do so over one database.

use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{Event, endpoint};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use rand::RngExt as _;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::places::Places;
use super::schedule::next_try;
use super::{Bell, Settings};
use crate::clock::Clock;
use crate::db::event_deliveries::{self, Bare, Claimed, Due, Failure};
use crate::db::event_endpoints::{self, Endpoint};
use crate::db::{self, Db};
use crate::post::{Failed, Postman};

/// A node that dies loses what it sends to another after so long: longer than an answer may take, so that nothing is sent twice at a time.
const LEASE_MS: i64 = 60_000;
/// Without news the table is looked at this often: for what other nodes have written, and for waits that are over.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// So many bodies are made in a row.
const BODIES_AT_ONCE: u32 = 100;

/// Makes what is told of an event.
type Compose = Arc<dyn Fn(Bare) -> BoxFuture<'static, Result<String, ComposeError>> + Send + Sync>;
pub type ComposeError = Box<dyn std::error::Error + Send + Sync>;

/// Clones are handles to the same.
#[derive(Clone)]
pub struct Deliverer {
    settings: Settings,
    db: Db,
    clock: Clock,
    bell: Bell,
    postman: Arc<Postman>,
    places: Places,
    compose: Compose,
}

/// How one try ended.
enum Outcome {
    Delivered(StatusCode),
    /// It answered that nobody is there for this any more.
    Gone,
    Failed(Option<StatusCode>, String),
}

impl Deliverer {
    pub fn new(
        settings: Settings,
        db: Db,
        clock: Clock,
        bell: Bell,
        compose: impl Fn(Bare) -> BoxFuture<'static, Result<String, ComposeError>> + Send + Sync + 'static,
    ) -> Self {
        let compose: Compose = Arc::new(compose);
        Self { settings, db, clock, bell, postman: Arc::default(), places: Places::default(), compose }
    }

    /// Sends until told to stop; then takes nothing new and waits for what is under way.
    pub async fn run(&self, stop: CancellationToken) {
        let mut news = self.db.subscribe();
        let mut running = JoinSet::new();
        loop {
            let wait = self.look(&mut running).await.unwrap_or_else(|cause| {
                error!(%cause, "what endpoints are to be told cannot be read");
                LOOK_EVERY
            });
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = running.join_next() => {}
                () = told_of(&mut news) => {}
                () = self.bell.rung() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Sends all that is due now, and what becomes due by that, one after another, and says how many tries that were.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn run_due(&self) -> db::Result<usize> {
        let mut tries = 0;
        loop {
            self.compose_new().await?;
            let before = tries;
            for due in self.due().await? {
                for claimed in self.claim(&due, 1).await? {
                    tries += 1;
                    self.send(claimed).await;
                }
            }
            if tries == before {
                return Ok(tries);
            }
        }
    }

    /// Starts what is due, as far as there is room; says how long to wait where nothing happens.
    async fn look(&self, running: &mut JoinSet<()>) -> db::Result<Duration> {
        self.compose_new().await?;
        let now = self.clock.now();
        let mut due = self.due().await?;
        // Who has the fewest under way is first, and who is likely to be dead last.
        due.sort_by_key(|due| (self.places.taken_by(due.endpoint), due.is_failing, due.at));
        for due in due.iter().filter(|due| due.at <= now) {
            let room = self.places.left(due);
            if room == 0 {
                continue;
            }
            for claimed in self.claim(due, room).await? {
                let (deliverer, place) = (self.clone(), self.places.take(due));
                running.spawn(async move {
                    deliverer.send(claimed).await;
                    drop(place);
                });
            }
        }
        // What had no room is looked for again when something ends.
        let next_ms = due.iter().map(|due| due.at.ms_since(now)).filter(|ms| *ms > 0).min();
        Ok(LOOK_EVERY.min(Duration::from_millis(next_ms.unwrap_or(i64::MAX).unsigned_abs())))
    }

    async fn due(&self) -> db::Result<Vec<Due>> {
        event_deliveries::due(&mut self.db.read().await?).await
    }

    async fn claim(&self, due: &Due, room: usize) -> db::Result<Vec<Claimed>> {
        let now = self.clock.now();
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let mut tx = self.db.write().await?;
        let claimed = event_deliveries::claim(&mut tx, due.endpoint, limit, now, now.plus_ms(LEASE_MS)).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Right after the commit, so that what is told is what was then, however long it waits.
    async fn compose_new(&self) -> db::Result<()> {
        loop {
            let bare = event_deliveries::without_body(&mut self.db.read().await?, BODIES_AT_ONCE).await?;
            let mut made = 0;
            for bare in &bare {
                match (self.compose)(bare.clone()).await {
                    Ok(body) => {
                        let mut tx = self.db.write().await?;
                        event_deliveries::set_body(&mut tx, bare, &body, self.clock.now()).await?;
                        tx.commit().await?;
                        made += 1;
                    }
                    Err(cause) => error!(%cause, kind = bare.kind.as_str(), "what is told of an event cannot be made"),
                }
            }
            if made < BODIES_AT_ONCE {
                return Ok(());
            }
        }
    }

    async fn send(&self, claimed: Claimed) {
        let found = async { event_endpoints::by_id(&mut self.db.read().await?, claimed.endpoint).await };
        let endpoint = match found.await {
            Ok(Some(endpoint)) if endpoint.enabled => endpoint,
            // Nothing of it waits any more.
            Ok(_) => return,
            Err(cause) => return error!(%cause, "an endpoint cannot be read: what it is told will be sent again"),
        };
        let outcome = match timeout(self.settings.answer_timeout, self.post(&endpoint, &claimed)).await {
            Ok(Ok(status)) => outcome(status),
            Ok(Err(failed)) => {
                debug!(endpoint = %endpoint.id, url = ?endpoint.url, cause = %failed, "an endpoint cannot be told");
                Outcome::Failed(None, failed.words().to_owned())
            }
            Err(_) => Outcome::Failed(None, format!("no answer within {} s", self.settings.answer_timeout.as_secs())),
        };
        if let Err(cause) = self.settle(&endpoint, &claimed, &outcome).await {
            error!(endpoint = %endpoint.id, %cause, "what came of telling an endpoint cannot be written: it will be told again");
        }
    }

    async fn post(&self, endpoint: &Endpoint, claimed: &Claimed) -> Result<StatusCode, Failed> {
        let (organisation, reach) = (endpoint.organisation, self.settings.reach);
        // Looking the name up and connecting leave some of the time, so that what fails is said.
        let patience = self.settings.answer_timeout / 3;
        let line = self.postman.open(&endpoint.url, organisation, reach, patience).await?;
        let now = self.clock.now();
        let (id, at_s) = (claimed.message.to_string(), now.0.div_euclid(1_000));
        let mut signatures = endpoint.secret.sign(&id, at_s, &claimed.body);
        if let Some((old, until)) = &endpoint.old_secret
            && *until > now
        {
            signatures = format!("{signatures} {}", old.sign(&id, at_s, &claimed.body));
        }
        let text = |text: String| HeaderValue::try_from(text).map_err(http::Error::from);
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (HeaderName::from_static("webhook-id"), text(id)?),
            (HeaderName::from_static("webhook-timestamp"), HeaderValue::from(at_s)),
            (HeaderName::from_static("webhook-signature"), text(signatures)?),
        ];
        line.post(headers, Bytes::from(claimed.body.clone())).await
    }

    async fn settle(&self, endpoint: &Endpoint, claimed: &Claimed, outcome: &Outcome) -> db::Result<()> {
        let now = self.clock.now();
        let (id, kind, attempt) = (endpoint.id, &claimed.kind, claimed.attempt);
        let mut tx = self.db.write().await?;
        match outcome {
            Outcome::Delivered(status) => event_deliveries::delivered(&mut tx, claimed, status.as_u16(), now).await?,
            Outcome::Gone => {
                warn!(endpoint = %id, url = ?endpoint.url, "an endpoint says that it is gone: it is switched off");
                let failure = Failure { status: Some(StatusCode::GONE.as_u16()), reason: GONE, retry_at: None };
                event_deliveries::failed(&mut tx, claimed, &failure, now).await?;
                event_endpoints::set_gone(&mut tx, id, now).await?;
                event_deliveries::give_up(&mut tx, id, GONE, now).await?;
            }
            Outcome::Failed(status, reason) => {
                let next = || next_try(attempt, claimed.begun_at, now, rand::rng().random());
                let retry_at = if claimed.is_test() { None } else { next() };
                if retry_at.is_none() {
                    warn!(endpoint = %id, url = ?endpoint.url, kind, attempt, reason, "what an endpoint was to be told is given up");
                }
                let failure = Failure { status: status.map(|status| status.as_u16()), reason, retry_at };
                event_deliveries::failed(&mut tx, claimed, &failure, now).await?;
            }
        }
        tx.commit().await
    }
}

const GONE: &str = "it answered 410, that it is gone: the endpoint is switched off";

fn outcome(status: StatusCode) -> Outcome {
    match status {
        status if status.is_success() => Outcome::Delivered(status),
        StatusCode::GONE => Outcome::Gone,
        status if status.is_redirection() => {
            Outcome::Failed(Some(status), format!("it answered {}, and no redirect is followed", status.as_u16()))
        }
        status => Outcome::Failed(Some(status), format!("it answered {}", status.as_u16())),
    }
}

/// Waits for an event of which endpoints may be told. To have missed some is news too. Those that have come meanwhile are one.
async fn told_of(news: &mut Receiver<Event>) {
    loop {
        match news.recv().await {
            Ok(event) if !endpoint::TOLD.contains(&event.kind) => {}
            Ok(_) | Err(RecvError::Lagged(_)) => break,
            // It lives as long as the database that this holds.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
    while news.try_recv().is_ok() {}
}
