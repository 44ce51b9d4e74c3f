//! Work that follows a commit and may be tried again: what there is, how it is enqueued, how long it waits after a failure.
//! Each task is idempotent: it reads the state as it is now and makes the world agree. What a task does stands in the room that knows.

mod worker;

use afterlive_domain::{AssetId, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::db::jobs::Priority;
use crate::db::{self, Tx};

pub use worker::{Outcome, Worker};

/// What can be done after a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Task {
    /// Open a finished recording with a decoder, check what we say of it, make its poster.
    Probe { asset: AssetId },
    /// Make the pictures for scrubbing in a finished recording.
    Storyboard { asset: AssetId },
    /// Put an asset's files where its state says: in their place, in the bin, or nowhere any more.
    Place { asset: AssetId },
    /// Put the index in front of a recording that plays without, for want of room.
    Finish { asset: AssetId },
    /// Take to the bin what is too old or in the way, and remove from it what has had its time. There is one, which comes again and again.
    Retain,
}

impl Task {
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Probe { .. } => "probe",
            Self::Storyboard { .. } => "storyboard",
            Self::Place { .. } => "place",
            Self::Finish { .. } => "finish",
            Self::Retain => "retain",
        }
    }

    /// After so many tries it is left for a person to look at; `None` for what must be done however long it takes: a deleted recording whose file stays
    /// in its place can still be seen.
    #[must_use]
    pub fn max_attempts(&self) -> Option<u32> {
        match self {
            Self::Probe { .. } | Self::Storyboard { .. } => Some(8),
            Self::Place { .. } | Self::Finish { .. } | Self::Retain => None,
        }
    }

    /// A deleted recording can be seen until its files are moved, and a full disk takes nothing until retention has made room: neither waits for pictures.
    #[must_use]
    pub fn priority(&self) -> Priority {
        match self {
            Self::Place { .. } | Self::Retain => Priority::First,
            Self::Probe { .. } | Self::Storyboard { .. } | Self::Finish { .. } => Priority::Later,
        }
    }

    fn dedup_key(&self) -> String {
        match self {
            Self::Probe { asset } | Self::Storyboard { asset } | Self::Place { asset } | Self::Finish { asset } => {
                format!("{}:{asset}", self.kind())
            }
            Self::Retain => self.kind().to_owned(),
        }
    }
}

/// Adds the task to the transaction; it is done soon after the commit. Twice the same is once.
///
/// # Errors
/// Where the database fails.
pub async fn enqueue(tx: &mut Tx, task: Task, now: UnixMillis) -> db::Result<()> {
    enqueue_at(tx, task, now, now).await
}

/// As [`enqueue`], for many tasks at once, no two of which are the same.
///
/// # Errors
/// Where the database fails.
pub async fn enqueue_all(tx: &mut Tx, tasks: impl IntoIterator<Item = Task> + Send, now: UnixMillis) -> db::Result<()> {
    let jobs: Vec<db::jobs::NewJob> = tasks.into_iter().map(|task| job(task, now)).collect();
    db::jobs::enqueue_all(tx, &jobs, now).await
}

/// As [`enqueue`], to be done at `run_at` or soon after.
///
/// # Errors
/// Where the database fails.
pub async fn enqueue_at(tx: &mut Tx, task: Task, run_at: UnixMillis, now: UnixMillis) -> db::Result<()> {
    db::jobs::enqueue(tx, &job(task, run_at), now).await
}

/// As [`enqueue`], unless it waits or runs already: then that one is left alone. One that was given up starts over.
///
/// # Errors
/// Where the database fails.
pub async fn ensure(tx: &mut Tx, task: Task, now: UnixMillis) -> db::Result<()> {
    db::jobs::ensure(tx, &job(task, now), now).await
}

fn job(task: Task, run_at: UnixMillis) -> db::jobs::NewJob {
    // An enum of ids always has a JSON form.
    let payload = serde_json::to_string(&task).unwrap_or_default();
    db::jobs::NewJob { kind: task.kind(), priority: task.priority(), dedup_key: task.dedup_key(), payload, run_at }
}

const FIRST_RETRY_MS: i64 = 1_000;
const LONGEST_RETRY_MS: i64 = 600_000;

/// How long to wait after try number `attempt` (from 1). `None` after the last.
fn retry_delay_ms(attempt: u32, max_attempts: Option<u32>, jitter: f64) -> Option<i64> {
    max_attempts.is_none_or(|most| attempt < most).then(|| delay_ms(attempt, jitter))
}

/// How long to wait after the `nth` time (from 1) that it came to nothing: doubles each time up to ten minutes, less up to a half by `jitter`
/// in `0..=1`, so that what failed together is not tried together.
fn delay_ms(nth: u32, jitter: f64) -> i64 {
    let longest = LONGEST_RETRY_MS.min(FIRST_RETRY_MS << nth.clamp(1, 20).saturating_sub(1));
    longest - (longest as f64 / 2.0 * jitter.clamp(0.0, 1.0)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end() {
        let some = Some(8);
        assert_eq!(retry_delay_ms(1, some, 0.0), Some(1_000));
        assert_eq!(retry_delay_ms(1, some, 1.0), Some(500));
        assert_eq!(retry_delay_ms(4, some, 0.0), Some(8_000));
        assert_eq!(retry_delay_ms(7, some, 0.0), Some(64_000));
        assert_eq!(retry_delay_ms(8, some, 0.0), None);
        assert_eq!(retry_delay_ms(u32::MAX, None, 0.0), Some(LONGEST_RETRY_MS));
    }

    #[test]
    fn a_task_is_read_back() {
        let task = Task::Probe { asset: AssetId(uuid::Uuid::nil()) };
        let text = serde_json::to_string(&task).unwrap();
        assert_eq!(text, r#"{"kind":"probe","asset":"00000000-0000-0000-0000-000000000000"}"#);
        assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), task);
    }
}
