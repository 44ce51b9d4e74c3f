//! Events told to an organisation's programs: signed, posted, and tried again until they arrive or a day is over, in the order of each stream. What is told of an
//! event is written where the API's answers are; the *blocking* webhook, which is asked and not told, is the ingest's.

mod composer;
mod deliverer;
mod failing;
mod places;
mod schedule;
mod secret;

use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{EndpointId, UnixMillis};
use tokio::sync::Notify;

pub use self::composer::ComposeError;
pub use self::deliverer::Deliverer;
pub use self::schedule::{GIVE_UP_AFTER_MS, GIVE_UP_UNTRIED_AFTER_MS};
pub use self::secret::{BadSecret, Secret};
use crate::config;
use crate::db::{self, Db, delivery_log, event_deliveries, event_endpoints};
use crate::dial::Reach;

/// How long an endpoint may take to answer, from looking its host up on.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// So long what is over stands in the log.
pub const KEPT_FOR_MS: i64 = 30 * 86_400_000;
/// The most of an endpoint's deliveries that stand in the log, with those that wait, which always do.
pub const MAX_KEPT: u32 = 10_000;
/// A transaction that gives up or deletes what is over does so with so many: others write too.
const AT_ONCE: u32 = 1_000;
/// Why what waited for an endpoint was given up when a person switched it off.
pub const SWITCHED_OFF: &str = "the endpoint was switched off";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    pub reach: Reach,
    pub answer_timeout: Duration,
}

impl From<&config::Webhook> for Settings {
    fn from(config: &config::Webhook) -> Self {
        Self { reach: Reach::with_private(config.allow_private), answer_timeout: ANSWER_TIMEOUT }
    }
}

/// Rung for what is to be sent and was written without an event, such as a test. Clones are handles to the same.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    pub fn ring(&self) {
        self.0.notify_one();
    }

    async fn rung(&self) {
        self.0.notified().await;
    }
}

/// Gives up all that waits for an endpoint that is switched off; nothing of one that is not.
///
/// # Errors
/// Where the database fails; the sweep does the rest.
pub async fn give_up(db: &Db, endpoint: EndpointId, reason: &str, now: UnixMillis) -> db::Result<()> {
    loop {
        let mut tx = db.write().await?;
        let given_up = event_deliveries::give_up(&mut tx, endpoint, reason, AT_ONCE, now).await?;
        tx.commit().await?;
        if given_up < u64::from(AT_ONCE) {
            return Ok(());
        }
    }
}

/// Deletes all that an endpoint was told, and is to be.
///
/// # Errors
/// Where the database fails.
pub async fn forget(db: &Db, endpoint: EndpointId) -> db::Result<()> {
    loop {
        let mut tx = db.write().await?;
        let deleted = delivery_log::delete_of_endpoint(&mut tx, endpoint, AT_ONCE).await?;
        tx.commit().await?;
        if deleted < u64::from(AT_ONCE) {
            return Ok(());
        }
    }
}

/// Deletes what has stood in the log for long enough, and secrets that sign no more. What waits stays, where its endpoint is switched on. Where that is off it is
/// given up: a transaction may have seen it on, and have written what it is to be told after it was switched off.
///
/// # Errors
/// Where the database fails.
pub async fn sweep(db: &Db, now: UnixMillis) -> db::Result<()> {
    let mut tx = db.write().await?;
    event_endpoints::delete_expired(&mut tx, now).await?;
    tx.commit().await?;
    loop {
        let mut tx = db.write().await?;
        let deleted = delivery_log::delete_older(&mut tx, now.plus_ms(-KEPT_FOR_MS), AT_ONCE).await?;
        tx.commit().await?;
        if deleted < u64::from(AT_ONCE) {
            break;
        }
    }
    for endpoint in event_endpoints::switched_off(&mut db.read().await?).await? {
        give_up(db, endpoint, SWITCHED_OFF, now).await?;
    }
    for endpoint in delivery_log::endpoints(&mut db.read().await?).await? {
        loop {
            let mut tx = db.write().await?;
            let deleted = delivery_log::delete_beyond(&mut tx, endpoint, MAX_KEPT, AT_ONCE).await?;
            tx.commit().await?;
            if deleted < u64::from(AT_ONCE) {
                break;
            }
        }
    }
    Ok(())
}
