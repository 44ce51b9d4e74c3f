//! The worker: claims due jobs, keeps their leases while they run, and settles them.

use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::UnixMillis;
use futures::future::BoxFuture;
use rand::RngExt as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{LONGEST_RETRY_MS, Task, delay_ms, retry_delay_ms};
use crate::claims::{Claim, Claims};
use crate::clock::{Clock, SetBacks};
use crate::db::jobs::{self, Claimed, Priority};
use crate::db::{self, Db};

/// Jobs that run at a time on a node.
const JOBS_AT_ONCE: usize = 3;
/// Of these, those that can wait: they decode video, beside the recordings that go on. Fewer than [`JOBS_AT_ONCE`], so that a file that is to be moved
/// never waits for a picture.
const LATER_AT_ONCE: usize = 2;
/// A worker that dies loses its jobs to another after so long.
const LEASE_MS: i64 = 60_000;
const RENEW_EVERY: Duration = Duration::from_millis(LEASE_MS as u64 / 3);
/// A clock that is set back by more has jobs wait for longer than they should.
const SET_BACK_MS: i64 = 60_000;
/// No job waits for longer than this; one that seems to has its time from a clock that was ahead.
const FARTHEST_MS: i64 = 2 * LONGEST_RETRY_MS;
/// Without news the queue is looked at this often: for jobs of other nodes, and for waits that are over.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How one try ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Done,
    /// Worth another try later, because of this.
    Retry(String),
    /// It could not be tried, because of this: what it needs is away for now, which is no fault of the job. Later, however often that takes.
    PutOff(String),
    /// No try will ever succeed, because of this.
    Hopeless(String),
}

/// What does the tasks.
type Perform = Arc<dyn Fn(Task) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// Takes jobs from the queue and has them done.
#[derive(Clone)]
pub struct Worker {
    db: Db,
    clock: Clock,
    perform: Perform,
    set_backs: Arc<SetBacks>,
    /// The jobs, by their ids, of which a try goes on here, also one that has lost its lease.
    tried: Claims<i64>,
}

impl Worker {
    pub fn new(db: Db, clock: Clock, perform: impl Fn(Task) -> BoxFuture<'static, Outcome> + Send + Sync + 'static) -> Self {
        Self { db, clock, perform: Arc::new(perform), set_backs: Arc::default(), tried: Claims::default() }
    }

    /// Works until told to stop; then takes nothing new and waits for what runs.
    ///
    /// The events of every commit wake it: who enqueues a job changes something that is news.
    pub async fn run(&self, stop: CancellationToken) {
        let mut news = self.db.subscribe();
        let mut running = JoinSet::new();
        let later = Arc::new(Semaphore::new(LATER_AT_ONCE));
        loop {
            let wait = self.start_due(&mut running, &later).await.unwrap_or_else(|error| {
                tracing::error!(%error, "the job queue cannot be read");
                LOOK_EVERY
            });
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = running.join_next() => {}
                // Having missed some is news too.
                _ = news.recv() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Starts what is due, as far as there is room; says how long to wait where nothing happens.
    async fn start_due(&self, running: &mut JoinSet<()>, later: &Arc<Semaphore>) -> db::Result<Duration> {
        let room = JOBS_AT_ONCE.saturating_sub(running.len());
        if room == 0 {
            return Ok(LOOK_EVERY);
        }
        for job in self.claim(room, later.available_permits()).await? {
            let worker = self.clone();
            // There is one: nobody else takes any.
            let place = (job.priority == Priority::Later).then(|| Arc::clone(later).try_acquire_owned());
            running.spawn(async move {
                worker.work(job).await;
                drop(place);
            });
        }
        // Those that could not be started now are looked for again when one ends.
        let next = self.next_run_at(later.available_permits()).await?;
        let ms = next.map_or(i64::MAX, |next| next.ms_since(self.clock.now()).max(1));
        Ok(LOOK_EVERY.min(Duration::from_millis(ms.unsigned_abs())))
    }

    /// Does all that is due now, one after another, and says how many tries that were.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn run_due(&self) -> db::Result<usize> {
        let mut tries = 0;
        loop {
            let due = self.claim(1, 1).await?;
            if due.is_empty() {
                return Ok(tries);
            }
            for job in due {
                tries += 1;
                self.work(job).await;
            }
        }
    }

    /// Up to `room` jobs, of which up to `later` can wait.
    async fn claim(&self, room: usize, later: usize) -> db::Result<Vec<Claimed>> {
        let now = self.clock.now();
        if self.set_backs.look(&self.clock, SET_BACK_MS) {
            let mut tx = self.db.write().await?;
            let brought = jobs::bring_forward(&mut tx, now.plus_ms(FARTHEST_MS), now, now.plus_ms(LEASE_MS)).await?;
            tx.commit().await?;
            self.set_backs.done();
            if brought > 0 {
                tracing::warn!(
                    jobs = brought,
                    "jobs that wait for a time which a clock that was set back would reach much later are due now"
                );
            }
        }
        // Most looks end here, and readers do not wait for the writer.
        if self.next_run_at(later).await?.is_none_or(|next| next > now) {
            return Ok(Vec::new());
        }
        let mut tx = self.db.write().await?;
        let mut claimed = Vec::new();
        for (priority, most) in [(Priority::First, room), (Priority::Later, later)] {
            let limit = u32::try_from(most.min(room - claimed.len())).unwrap_or(u32::MAX);
            if limit > 0 {
                claimed.extend(jobs::claim(&mut tx, priority, limit, now, now.plus_ms(LEASE_MS)).await?);
            }
        }
        tx.commit().await?;
        Ok(claimed)
    }

    /// When the next job wants to run for which there is room.
    async fn next_run_at(&self, later: usize) -> db::Result<Option<UnixMillis>> {
        let mut connection = self.db.read().await?;
        match later {
            0 => jobs::next_run_at_of(&mut connection, Priority::First).await,
            _ => jobs::next_run_at(&mut connection).await,
        }
    }

    async fn work(&self, job: Claimed) {
        let task = serde_json::from_str::<Task>(&job.payload);
        let max_attempts = task.as_ref().ok().and_then(Task::max_attempts);
        let outcome = match task {
            Err(error) => Outcome::Hopeless(format!("unknown to this version: {error}")),
            // Tries that took the process with them are counted too: such a job must not take it for ever.
            Ok(_) if max_attempts.is_some_and(|most| job.attempt > most) => {
                Outcome::Hopeless("every try ended with the server".to_owned())
            }
            Ok(task) => {
                let Some(claim) = self.wait_for_earlier_try(&job).await else {
                    tracing::info!(
                        job = job.id,
                        kind = job.kind,
                        "a try of a job was put off before it had begun: an earlier one was at it"
                    );
                    return;
                };
                let trying = (self.perform)(task);
                let mut trying = tokio::spawn(async move {
                    let _claim = claim;
                    trying.await
                });
                loop {
                    tokio::select! {
                        ended = &mut trying => break ended.unwrap_or_else(|error| Outcome::Retry(error.to_string())),
                        () = tokio::time::sleep(RENEW_EVERY) => if !self.renew(&job).await {
                            tracing::warn!(job = job.id, kind = job.kind, "the lease is lost: someone else does this job");
                            return;
                        },
                    }
                }
            }
        };
        if let Err(error) = self.settle(&job, max_attempts, &outcome).await {
            tracing::error!(job = job.id, kind = job.kind, %error, "how a job ended cannot be written: it will run again");
        }
    }

    /// Until no earlier try of the job goes on here. Its lease may have run out although it lives, as where the clock was set ahead, or have been
    /// taken from it, as where the job was asked for again: beside it this one would do the same once more, or the contrary. `None` where this one's
    /// lease is lost meanwhile: the earlier try has put the job off, or there is another.
    async fn wait_for_earlier_try(&self, job: &Claimed) -> Option<Claim<i64>> {
        if let Some(claim) = self.tried.claim(job.id) {
            return Some(claim);
        }
        let mut ended = std::pin::pin!(self.tried.claim_once_free(job.id));
        loop {
            tokio::select! {
                claim = &mut ended => return self.renew(job).await.then_some(claim),
                () = tokio::time::sleep(RENEW_EVERY) => if !self.renew(job).await {
                    return None;
                },
            }
        }
    }

    /// True also where the database cannot say: then the lease runs out by itself.
    async fn renew(&self, job: &Claimed) -> bool {
        let until = self.clock.now().plus_ms(LEASE_MS);
        let renewing: db::Result<bool> = async {
            let mut tx = self.db.write().await?;
            let kept = jobs::renew(&mut tx, job, until).await?;
            tx.commit().await?;
            Ok(kept)
        }
        .await;
        renewing.unwrap_or(true)
    }

    async fn settle(&self, job: &Claimed, max_attempts: Option<u32>, outcome: &Outcome) -> db::Result<()> {
        let (error, retry_at) = match outcome {
            Outcome::Done => {
                let mut tx = self.db.write().await?;
                jobs::acknowledge(&mut tx, job).await?;
                return tx.commit().await;
            }
            Outcome::PutOff(reason) => return self.put_off(job, reason).await,
            Outcome::Retry(error) => {
                let delay_ms = retry_delay_ms(job.attempt, max_attempts, rand::rng().random());
                (error, delay_ms.map(|ms| self.clock.now().plus_ms(ms)))
            }
            Outcome::Hopeless(error) => (error, None),
        };
        tracing::warn!(
            job = job.id,
            kind = job.kind,
            attempt = job.attempt,
            error,
            gives_up = retry_at.is_none(),
            "a job failed"
        );
        let mut tx = self.db.write().await?;
        jobs::fail(&mut tx, job, error, retry_at).await?;
        tx.commit().await
    }

    async fn put_off(&self, job: &Claimed, reason: &str) -> db::Result<()> {
        let nth = job.put_off.saturating_add(1);
        tracing::warn!(job = job.id, kind = job.kind, put_off = nth, reason, "a job is put off");
        let run_at = self.clock.now().plus_ms(delay_ms(nth, rand::rng().random()));
        let mut tx = self.db.write().await?;
        jobs::put_off(&mut tx, job, reason, run_at).await?;
        tx.commit().await
    }
}
