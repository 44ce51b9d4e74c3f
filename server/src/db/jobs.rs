//! The table `jobs`: work to be done after a commit, leased to one worker at a time. What the work is and when it is tried again stands in [`crate::jobs`].

use afterlive_domain::UnixMillis;
use sqlx::{Database, Encode, QueryBuilder, Type};
use uuid::Uuid;

use super::{Connection, ROWS_A_STATEMENT, ROWS_PREPARED, Raw, Result, Tx, on};

/// Which jobs are taken first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Priority {
    /// Done in moments, and somebody may wait for it. What this version does not know is among them.
    First,
    /// Takes long, and can wait.
    Later,
}

impl Priority {
    /// As it stands in the column `priority`.
    fn stored(self) -> i64 {
        match self {
            Self::First => 0,
            Self::Later => 1,
        }
    }
}

/// Work to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewJob {
    pub kind: &'static str,
    pub priority: Priority,
    /// At most one job waits under a key.
    pub dedup_key: String,
    /// JSON.
    pub payload: String,
    pub run_at: UnixMillis,
}

/// A job that has been leased to the caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claimed {
    pub id: i64,
    pub kind: String,
    pub priority: Priority,
    pub payload: String,
    /// Which try this is, counted from 1; tries that ended with the process count, those after which it was put off do not.
    pub attempt: u32,
    /// How many those are.
    pub put_off: u32,
    /// Names this lease and no other.
    lease: String,
}

/// Adds a job; it becomes visible with the transaction's commit.
///
/// Where one has the key already, that one starts over with the new payload, also where a worker is at it or has given it up:
/// the state that it was asked for may be newer than the one the worker read. That worker's lease is lost.
pub async fn enqueue(tx: &mut Tx, job: &NewJob, now: UnixMillis) -> Result<()> {
    enqueue_all(tx, std::slice::from_ref(job), now).await
}

/// As [`enqueue`], for many at once; no two of them may have the same key.
pub async fn enqueue_all(tx: &mut Tx, jobs: &[NewJob], now: UnixMillis) -> Result<()> {
    for some in jobs.chunks(ROWS_A_STATEMENT) {
        let is_prepared = some.len() <= ROWS_PREPARED;
        on!(tx, c => inserting(some, now).build().persistent(is_prepared).execute(c).await.map(drop))?;
    }
    Ok(())
}

fn inserting<D: Database>(jobs: &[NewJob], now: UnixMillis) -> QueryBuilder<D>
where
    String: Type<D> + for<'q> Encode<'q, D>,
    i64: Type<D> + for<'q> Encode<'q, D>,
{
    let mut query = QueryBuilder::new("INSERT INTO jobs (kind, dedup_key, payload, state, run_at, created_at, priority) ");
    query.push_values(jobs, |mut row, job| {
        row.push_bind(job.kind.to_owned())
            .push_bind(job.dedup_key.clone())
            .push_bind(job.payload.clone())
            .push("'ready'")
            .push_bind(job.run_at.0)
            .push_bind(now.0)
            .push_bind(job.priority.stored());
    });
    query.push(
        " ON CONFLICT (dedup_key) DO UPDATE SET kind = excluded.kind, payload = excluded.payload, state = 'ready', attempt = 0, put_off = 0,
                run_at = excluded.run_at, locked_by = NULL, locked_until = NULL, last_error = NULL, priority = excluded.priority",
    );
    query
}

/// Adds a job unless one has the key already and waits or runs; one that was given up starts over.
pub async fn ensure(tx: &mut Tx, job: &NewJob, now: UnixMillis) -> Result<()> {
    const STATEMENT: &str =
        "INSERT INTO jobs (kind, dedup_key, payload, state, run_at, created_at, priority) VALUES ($1, $2, $3, 'ready', $4, $5, $6)
         ON CONFLICT (dedup_key) DO UPDATE SET payload = excluded.payload, state = 'ready', attempt = 0, put_off = 0,
                run_at = excluded.run_at, last_error = NULL, priority = excluded.priority WHERE jobs.state = 'dead'";
    on!(tx, c => sqlx::query(STATEMENT)
        .bind(job.kind)
        .bind(&job.dedup_key)
        .bind(&job.payload)
        .bind(job.run_at.0)
        .bind(now.0)
        .bind(job.priority.stored())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// When the next job wants to run, or the next lease runs out; may be in the past. `None` where there is no work.
pub async fn next_run_at(connection: &mut Connection) -> Result<Option<UnixMillis>> {
    let first = next_run_at_of(connection, Priority::First).await?;
    let later = next_run_at_of(connection, Priority::Later).await?;
    Ok(first.into_iter().chain(later).min())
}

/// As [`next_run_at`], of the jobs of one priority.
pub async fn next_run_at_of(connection: &mut Connection, priority: Priority) -> Result<Option<UnixMillis>> {
    let next: Option<i64> = on!(connection, c => sqlx::query_scalar(
        "SELECT MIN(run_at) FROM jobs WHERE state IN ('ready', 'running') AND priority = $1",
    )
    .bind(priority.stored())
    .fetch_one(c)
    .await)?;
    Ok(next.map(UnixMillis))
}

/// Leases up to `limit` jobs of the priority that are due, those that have waited longest first. A job whose lease ran out is due again.
pub async fn claim(tx: &mut Tx, priority: Priority, limit: u32, now: UnixMillis, until: UnixMillis) -> Result<Vec<Claimed>> {
    const SQLITE: &str =
        "UPDATE jobs SET state = 'running', attempt = attempt + 1, locked_by = $1, locked_until = $2, run_at = $2
         WHERE id IN (SELECT id FROM jobs WHERE state IN ('ready', 'running') AND priority = $5 AND run_at <= $3 ORDER BY run_at LIMIT $4)
         RETURNING id, kind, payload, attempt, put_off";
    const POSTGRES: &str =
        "UPDATE jobs SET state = 'running', attempt = attempt + 1, locked_by = $1, locked_until = $2, run_at = $2
         WHERE id IN (SELECT id FROM jobs WHERE state IN ('ready', 'running') AND priority = $5 AND run_at <= $3 ORDER BY run_at LIMIT $4
                      FOR UPDATE SKIP LOCKED)
         RETURNING id, kind, payload, attempt, put_off";
    let lease = Uuid::new_v4().to_string();
    let statement = match tx.raw() {
        Raw::Sqlite(_) => SQLITE,
        Raw::Postgres(_) => POSTGRES,
    };
    let rows: Vec<(i64, String, String, i64, i64)> = on!(tx, c => sqlx::query_as(statement)
        .bind(&lease)
        .bind(until.0)
        .bind(now.0)
        .bind(i64::from(limit))
        .bind(priority.stored())
        .fetch_all(c)
        .await)?;
    let claimed = rows.into_iter().map(|(id, kind, payload, attempt, put_off)| Claimed {
        id,
        kind,
        priority,
        payload,
        attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
        put_off: u32::try_from(put_off).unwrap_or(u32::MAX),
        lease: lease.clone(),
    });
    Ok(claimed.collect())
}

/// Makes due `now` what would be due after `farthest`, and ends leases that last until then at `lease_end`: who is at such a job renews its lease by then. Says how many
/// these were.
pub async fn bring_forward(tx: &mut Tx, farthest: UnixMillis, now: UnixMillis, lease_end: UnixMillis) -> Result<u64> {
    on!(tx, c => sqlx::query(
        "UPDATE jobs SET run_at = CASE state WHEN 'running' THEN $3 ELSE $2 END WHERE state IN ('ready', 'running') AND run_at > $1",
    )
    .bind(farthest.0)
    .bind(now.0)
    .bind(lease_end.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))
    .map_err(Into::into)
}

/// Keeps the lease for longer; false where it is lost.
pub async fn renew(tx: &mut Tx, job: &Claimed, until: UnixMillis) -> Result<bool> {
    let kept = on!(tx, c => sqlx::query("UPDATE jobs SET locked_until = $3, run_at = $3 WHERE id = $1 AND locked_by = $2")
        .bind(job.id)
        .bind(&job.lease)
        .bind(until.0)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(kept == 1)
}

/// The job is done and goes; false where the lease is lost, and the job stays for who has it now.
pub async fn acknowledge(tx: &mut Tx, job: &Claimed) -> Result<bool> {
    let gone = on!(tx, c => sqlx::query("DELETE FROM jobs WHERE id = $1 AND locked_by = $2")
        .bind(job.id)
        .bind(&job.lease)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(gone == 1)
}

/// The job failed: it runs again at `retry_at`, or, where that is `None`, stays as `dead` for a person to look at. False where the lease is lost.
pub async fn fail(tx: &mut Tx, job: &Claimed, error: &str, retry_at: Option<UnixMillis>) -> Result<bool> {
    let state = if retry_at.is_some() { "ready" } else { "dead" };
    let kept = on!(tx, c => sqlx::query(
        "UPDATE jobs SET state = $3, last_error = $4, run_at = COALESCE($5, run_at), locked_by = NULL, locked_until = NULL
         WHERE id = $1 AND locked_by = $2",
    )
    .bind(job.id)
    .bind(&job.lease)
    .bind(state)
    .bind(error)
    .bind(retry_at.map(|at| at.0))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(kept == 1)
}

/// The job could not be tried: it is at `run_at`, and has as many tries left as before. False where the lease is lost.
pub async fn put_off(tx: &mut Tx, job: &Claimed, reason: &str, run_at: UnixMillis) -> Result<bool> {
    let kept = on!(tx, c => sqlx::query(
        "UPDATE jobs SET state = 'ready', attempt = attempt - 1, put_off = put_off + 1, last_error = $3, run_at = $4,
                locked_by = NULL, locked_until = NULL
         WHERE id = $1 AND locked_by = $2",
    )
    .bind(job.id)
    .bind(&job.lease)
    .bind(reason)
    .bind(run_at.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(kept == 1)
}

/// How many jobs were given up.
pub async fn count_dead(connection: &mut Connection) -> Result<u64> {
    let dead: i64 =
        on!(connection, c => sqlx::query_scalar("SELECT COUNT(*) FROM jobs WHERE state = 'dead'").fetch_one(c).await)?;
    Ok(u64::try_from(dead).unwrap_or(0))
}

/// A job that was given up, for a person to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dead {
    pub kind: String,
    /// JSON.
    pub payload: String,
    /// Why the last try failed.
    pub error: String,
}

/// Up to `limit` jobs that were given up, oldest first.
pub async fn dead(connection: &mut Connection, limit: u32) -> Result<Vec<Dead>> {
    let rows: Vec<(String, String, Option<String>)> = on!(connection, c => sqlx::query_as(
        "SELECT kind, payload, last_error FROM jobs WHERE state = 'dead' ORDER BY id LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(c)
    .await)?;
    let dead =
        |(kind, payload, error): (String, String, Option<String>)| Dead { kind, payload, error: error.unwrap_or_default() };
    Ok(rows.into_iter().map(dead).collect())
}
