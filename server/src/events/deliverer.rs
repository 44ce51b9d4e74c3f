//! Sends what waits: leases what is due, posts it, and writes what came of it. Several nodes may do so over one database.

use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{Event, WebhookUrl, endpoint};
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

use super::composer::{ComposeError, Composer, More};
use super::failing::Failing;
use super::places::Places;
use super::schedule::{GIVE_UP_AFTER_MS, GIVE_UP_UNTRIED_AFTER_MS, next_try};
use super::{AT_ONCE, Bell, Settings, give_up};
use crate::clock::{Clock, SetBacks};
use crate::db::event_bodies::Happening;
use crate::db::event_deliveries::{self, Claimed, Due, Failure};
use crate::db::event_endpoints::{self, Endpoint};
use crate::db::{self, Db};
use crate::post::{Failed, Postman};

/// A node that dies loses what it sends to another after so long: longer than an answer may take, so that nothing is sent twice at a time.
const LEASE_MS: i64 = 60_000;
/// A clock that is set back by more has what is due wait for longer than it should.
const SET_BACK_MS: i64 = 60_000;
/// Without news the table is looked at this often: for what other nodes have written, and for waits that are over.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// An endpoint that another node holds is looked at again after this: it does for as long as a transaction takes.
const HELD_FOR: Duration = Duration::from_millis(100);
/// What is old is given up untried only where this process has seen the endpoint failing for so long: who failed once before the server was off for days may be well.
const SEEN_FAILING_FOR_MS: i64 = 600_000;
const GONE: &str = "it answered 410, that it is gone";
const DOES_NOT_TAKE: &str = "the endpoint has taken nothing for a day";
const UNREADABLE: &str = "this version cannot read the endpoint's URL or its secret";

/// Clones are handles to the same.
#[derive(Clone)]
pub struct Deliverer {
    settings: Settings,
    db: Db,
    clock: Clock,
    bell: Bell,
    postman: Arc<Postman>,
    places: Places,
    failing: Failing,
    composer: Composer,
    set_backs: Arc<SetBacks>,
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
        compose: impl Fn(Happening) -> BoxFuture<'static, Result<String, ComposeError>> + Send + Sync + 'static,
    ) -> Self {
        let composer = Composer::new(db.clone(), clock.clone(), Arc::new(compose));
        Self {
            settings,
            db,
            clock,
            bell,
            postman: Arc::default(),
            places: Places::default(),
            failing: Failing::default(),
            composer,
            set_backs: Arc::default(),
        }
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
                // However much there is to do.
                biased;
                () = stop.cancelled() => break,
                Some(_) = running.join_next() => {}
                () = told_of(&mut news) => {}
                () = self.bell.rung() => {}
                () = tokio::time::sleep(wait) => {}
            }
            // One look is enough for all that have ended.
            while running.try_join_next().is_some() {}
        }
        while running.join_next().await.is_some() {}
    }

    /// Sends all that is due now, and what becomes due by that, one after another, and says how many tries that were.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn run_due(&self) -> db::Result<usize> {
        let mut tries = 0;
        self.bring_forward().await?;
        loop {
            while self.composer.make_some().await? == More::Now {}
            while self.give_up_old(&self.due().await?).await? {}
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

    /// Starts what is due, as far as there is room; says how long to wait where nothing happens. All else that it does is limited: what is due does not wait for it.
    async fn look(&self, running: &mut JoinSet<()>) -> db::Result<Duration> {
        if let Err(cause) = self.bring_forward().await {
            error!(%cause, "what waits by a clock that was set back cannot be made due");
        }
        let made = self.composer.make_some().await.unwrap_or_else(|cause| {
            error!(%cause, "bodies of what endpoints are to be told cannot be made");
            More::None
        });
        let now = self.clock.now();
        let mut due = self.due().await?;
        let gave_up = self.give_up_old(&due).await.unwrap_or_else(|cause| {
            error!(%cause, "what is too old for an endpoint cannot be given up");
            false
        });
        if gave_up {
            due = self.due().await?;
        }
        // Who has the fewest under way is first, and who is likely to be dead last.
        due.sort_by_key(|due| (self.places.taken_by(due.endpoint), due.failing_since.is_some(), due.at));
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
        if made == More::Now || gave_up {
            return Ok(Duration::ZERO);
        }
        let most = if made == More::Soon { HELD_FOR } else { LOOK_EVERY };
        // What had no room is looked for again when something ends.
        let next_ms = due.iter().map(|due| due.at.ms_since(now)).filter(|ms| *ms > 0).min();
        Ok(most.min(Duration::from_millis(next_ms.unwrap_or(i64::MAX).unsigned_abs())))
    }

    /// What a clock that was set back would reach much later is due now, and a lease from before ends as one that begins now: who sends answers for it by its name.
    async fn bring_forward(&self) -> db::Result<()> {
        if !self.set_backs.look(&self.clock, SET_BACK_MS) {
            return Ok(());
        }
        let now = self.clock.now();
        let (lease_end, late) = (now.plus_ms(LEASE_MS), now.plus_ms(LEASE_MS + SET_BACK_MS));
        let mut tx = self.db.write().await?;
        let brought = event_deliveries::bring_forward(&mut tx, now, lease_end, late).await?;
        tx.commit().await?;
        self.set_backs.done();
        if brought > 0 {
            warn!(
                deliveries = brought,
                "what endpoints are told at a time which a clock that was set back would reach much later is due now"
            );
        }
        Ok(())
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

    /// Gives up, tried or not, what is more than a day old, of endpoints that have taken nothing for as long: each of their tries may last as long as an answer may, so
    /// that what waits would never end. A batch of each; says whether there was any.
    async fn give_up_old(&self, due: &[Due]) -> db::Result<bool> {
        let now = self.clock.now();
        let begun = now.plus_ms(-GIVE_UP_UNTRIED_AFTER_MS);
        let mut gave_up = false;
        self.failing.keep(due);
        let takes_nothing = |due: &&Due| {
            due.failing_since.is_some_and(|since| now.ms_since(since) >= GIVE_UP_AFTER_MS)
                && self.failing.for_ms(due.endpoint, now).is_some_and(|ms| ms >= SEEN_FAILING_FOR_MS)
        };
        for due in due.iter().filter(takes_nothing) {
            // Most looks find nothing, and take the one place of who writes from nobody.
            if !event_deliveries::has_old(&mut self.db.read().await?, due.endpoint, begun).await? {
                continue;
            }
            let mut tx = self.db.write().await?;
            let count = event_deliveries::give_up_old(&mut tx, due.endpoint, begun, DOES_NOT_TAKE, AT_ONCE, now).await?;
            tx.commit().await?;
            if count > 0 {
                gave_up = true;
                warn!(endpoint = %due.endpoint, count, "an endpoint has taken nothing for a day: what is older is given up");
            }
        }
        Ok(gave_up)
    }

    async fn send(&self, claimed: Claimed) {
        let found = async { event_endpoints::by_id(&mut self.db.read().await?, claimed.endpoint).await };
        let (url, outcome) = match found.await {
            Ok(Some(endpoint)) if endpoint.enabled => {
                let outcome = self.attempt(&endpoint, &claimed).await;
                (Some(endpoint.url), outcome)
            }
            // Nothing of it waits any more.
            Ok(_) => return,
            Err(cause @ db::Error::Unreadable { .. }) => {
                error!(endpoint = %claimed.endpoint, %cause, "an endpoint cannot be told");
                (None, Outcome::Failed(None, UNREADABLE.to_owned()))
            }
            Err(cause) => return error!(%cause, "an endpoint cannot be read: what it is told will be sent again"),
        };
        if let Err(cause) = self.settle(url.as_ref(), &claimed, &outcome).await {
            error!(endpoint = %claimed.endpoint, %cause, "what came of telling an endpoint cannot be written: it will be told again");
        }
    }

    async fn attempt(&self, endpoint: &Endpoint, claimed: &Claimed) -> Outcome {
        match timeout(self.settings.answer_timeout, self.post(endpoint, claimed)).await {
            Ok(Ok(status)) => outcome(status),
            Ok(Err(failed)) => {
                debug!(endpoint = %endpoint.id, url = ?endpoint.url, cause = %failed, "an endpoint cannot be told");
                Outcome::Failed(None, failed.words().to_owned())
            }
            Err(_) => Outcome::Failed(None, format!("no answer within {} s", self.settings.answer_timeout.as_secs())),
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

    /// Writes what came of a try at that URL. An answer speaks for the URL that gave it: where the endpoint is at another by now it says nothing of that one, and
    /// what did not arrive goes there at once.
    async fn settle(&self, url: Option<&WebhookUrl>, claimed: &Claimed, outcome: &Outcome) -> db::Result<()> {
        let now = self.clock.now();
        let id = claimed.endpoint;
        let mut tx = self.db.write().await?;
        event_endpoints::hold(&mut tx, id).await?;
        let has_moved = match url {
            Some(url) => !event_endpoints::is_at(&mut tx, id, url).await?,
            None => false,
        };
        let (status, reason) = match outcome {
            Outcome::Delivered(status) => {
                event_deliveries::delivered(&mut tx, claimed, url, status.as_u16(), now).await?;
                return tx.commit().await;
            }
            Outcome::Gone => (Some(StatusCode::GONE), GONE),
            Outcome::Failed(status, reason) => (*status, reason.as_str()),
        };
        let retry_at = match outcome {
            _ if claimed.is_test() => None,
            _ if has_moved => Some(now),
            Outcome::Gone => None,
            _ => next_try(claimed.attempt, claimed.begun_at, now, rand::rng().random()),
        };
        let failure = Failure { status: status.map(|status| status.as_u16()), reason, retry_at };
        // Who has lost the lease has no say.
        let is_ours = event_deliveries::failed(&mut tx, claimed, url, &failure, now).await?;
        let gone = url.filter(|_| is_ours && !has_moved && matches!(outcome, Outcome::Gone));
        if let Some(url) = gone {
            event_endpoints::set_gone(&mut tx, id, url, now).await?;
        }
        tx.commit().await?;
        if is_ours && !has_moved {
            self.failing.note(id, now);
        }
        if gone.is_some() {
            warn!(endpoint = %id, ?url, "an endpoint says that it is gone: it is switched off");
            return give_up(&self.db, id, GONE, now).await;
        }
        if is_ours && retry_at.is_none() {
            let (kind, attempt) = (&claimed.kind, claimed.attempt);
            warn!(endpoint = %id, ?url, kind, attempt, reason, "what an endpoint was to be told is given up");
        }
        Ok(())
    }
}

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
