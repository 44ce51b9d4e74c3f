//! Events told to an organisation's programs: signed, posted, and tried again until they arrive or a day is over, in the order of each stream. What is told of an
//! event is written where the API's answers are; the *blocking* webhook, which is asked and not told, is the ingest's.

mod deliverer;
mod places;
mod schedule;
mod secret;

use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::UnixMillis;
use tokio::sync::Notify;

pub use self::deliverer::{ComposeError, Deliverer};
pub use self::schedule::GIVE_UP_AFTER_MS;
pub use self::secret::{BadSecret, Secret};
use crate::config;
use crate::db::{self, Db, delivery_log, event_endpoints};
use crate::dial::Reach;

/// How long an endpoint may take to answer, from looking its host up on.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// So long what is over stands in the log.
pub const KEPT_FOR_MS: i64 = 30 * 86_400_000;
/// The most of an endpoint's deliveries that stand in the log, with those that wait, which always do.
pub const MAX_KEPT: u32 = 10_000;
/// A transaction of the sweep deletes so many: others write too.
const SWEPT_AT_ONCE: u32 = 1_000;

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

/// Deletes what has stood in the log for long enough, and secrets that sign no more. What waits stays.
///
/// # Errors
/// Where the database fails.
pub async fn sweep(db: &Db, now: UnixMillis) -> db::Result<()> {
    let mut tx = db.write().await?;
    event_endpoints::delete_expired(&mut tx, now).await?;
    tx.commit().await?;
    loop {
        let mut tx = db.write().await?;
        let deleted = delivery_log::delete_older(&mut tx, now.plus_ms(-KEPT_FOR_MS), SWEPT_AT_ONCE).await?;
        tx.commit().await?;
        if deleted < u64::from(SWEPT_AT_ONCE) {
            break;
        }
    }
    for endpoint in delivery_log::endpoints(&mut db.read().await?).await? {
        loop {
            let mut tx = db.write().await?;
            let deleted = delivery_log::delete_beyond(&mut tx, endpoint, MAX_KEPT, SWEPT_AT_ONCE).await?;
            tx.commit().await?;
            if deleted < u64::from(SWEPT_AT_ONCE) {
                break;
            }
        }
    }
    Ok(())
}
