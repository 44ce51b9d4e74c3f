//! What goes into the audit log beside the changes that callers make, which note themselves in their own transactions: attempts that were denied, and what the
//! server did by itself. Whoever notes such a thing waits for nothing, and nothing of it fails for want of the log: it is counted in memory, and written by one
//! task once in a while. Decides nothing of who may do what, and has no SQL.

mod waiting;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use afterlive_domain::{Act, OrganisationHash, OrganisationId, UnixMillis};
use tokio_util::sync::CancellationToken;

use self::waiting::{Waiting, Written};
use crate::db::audit::{self as rows, NewEntry, Thing, Who};
use crate::db::counts::DAY_MS;
use crate::db::{self, Db, organisations};

pub use self::waiting::{MAX_OF_ORGANISATION, MAX_WAITING};

/// What is alike within so long is one row.
const WINDOW: Duration = Duration::from_mins(1);
/// Rows in one transaction: who wants to write meanwhile waits for some milliseconds.
const BATCH: usize = 200;
/// Rows that are deleted in one transaction.
const AT_ONCE: u32 = 1_000;
/// What is noted last may hold up the end of the process for so long.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Whose it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Whose {
    Organisation(OrganisationId),
    /// Of the organisation of that hash, where there is one; nobody's otherwise, and then it is not written.
    Hash(OrganisationHash),
}

/// Deletes what is older than so many days, some at a time; with none, nothing is ever too old.
///
/// # Errors
/// Where the database fails.
pub async fn sweep(db: &Db, keep_days: u64, now: UnixMillis) -> db::Result<()> {
    let Some(days) = i64::try_from(keep_days).ok().filter(|days| *days > 0) else { return Ok(()) };
    let before = now.plus_ms(-days.saturating_mul(DAY_MS));
    loop {
        let mut tx = db.write().await?;
        let deleted = rows::delete_older(&mut tx, before, AT_ONCE).await?;
        tx.commit().await?;
        if deleted < u64::from(AT_ONCE) {
            return Ok(());
        }
    }
}

/// What is to be noted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub whose: Whose,
    pub at: UnixMillis,
    pub act: Act,
    pub who: Who,
    pub from: Option<IpAddr>,
    pub on: Option<Thing>,
    pub detail: Option<String>,
}

/// What waits to be written. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Audit(Arc<Mutex<Waiting>>);

impl Audit {
    /// Notes it, some time soon. What is one too many of an organisation is counted without saying who; beyond [`MAX_WAITING`] it is lost, and the server's log says
    /// how much was.
    pub fn note(&self, seen: Seen) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(seen);
    }

    /// Writes what waits, and says how many rows those are. What cannot be written waits on.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn write(&self, db: &Db) -> db::Result<usize> {
        let (waiting, lost) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if lost > 0 {
            tracing::warn!(lost, "too much was to be noted in the audit log at once: some of it is in this line alone");
        }
        let mut rows = 0;
        let mut left = waiting.into_iter().peekable();
        while left.peek().is_some() {
            let batch: Vec<Written> = left.by_ref().take(BATCH).collect();
            match write_batch(db, &batch).await {
                Ok(written) => rows += written,
                Err(cause) => {
                    self.0.lock().unwrap_or_else(PoisonError::into_inner).give_back(batch.into_iter().chain(left));
                    return Err(cause);
                }
            }
        }
        Ok(rows)
    }

    /// Writes once in a while until the server stops. What is noted later is [`Audit::write_last`]'s.
    pub async fn run(self, db: Db, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(WINDOW) => {}
            }
            if let Err(cause) = self.write(&db).await {
                tracing::error!(%cause, "the audit log cannot be written; what was denied is counted on");
            }
        }
    }

    /// Writes what is left, and does not take long over it.
    pub async fn write_last(&self, db: &Db) {
        match tokio::time::timeout(LAST_WORDS, self.write(db)).await {
            Ok(Ok(_)) => {}
            Ok(Err(cause)) => tracing::error!(%cause, "what was last to be noted in the audit log is lost"),
            Err(_) => tracing::error!("what was last to be noted in the audit log is lost: the database does not answer"),
        }
    }
}

async fn write_batch(db: &Db, batch: &[Written]) -> db::Result<usize> {
    let mut rows = Vec::with_capacity(batch.len());
    {
        let mut connection = db.read().await?;
        for written in batch {
            let organisation = match &written.whose {
                Whose::Organisation(id) => Some(*id),
                Whose::Hash(hash) => match organisations::by_hash(&mut connection, hash).await {
                    // Of a later version's making: nobody else's line waits for it.
                    Err(db::Error::Unreadable { .. }) => None,
                    found => found?.map(|organisation| organisation.id),
                },
            };
            rows.extend(organisation.map(|organisation| row(organisation, written)));
        }
    }
    if rows.is_empty() {
        return Ok(0);
    }
    let written = rows.len();
    let mut tx = db.write().await?;
    for row in rows {
        tx.note(row);
    }
    tx.commit().await?;
    Ok(written)
}

fn row(organisation: OrganisationId, written: &Written) -> NewEntry {
    NewEntry {
        organisation,
        at: written.at,
        first_at: written.first_at,
        times: written.times,
        act: written.act,
        who: written.who.clone(),
        address: written.from,
        on: written.on.clone(),
        detail: written.detail.clone(),
    }
}
