//! The queue in which letters wait, and the tries. It lies in memory: the links in letters open accounts, and the database has only their hashes. What waits is
//! lost with the process, and so each outcome is written beside the link's hash, where who made the link sees it.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Failed, Letter, Smtp};
use crate::clock::Clock;
use crate::db::link_mails::{self, Fate};
use crate::db::{self, Db};

/// Orders that nobody has begun with. One more is refused, which its link outlives.
const MAX_ORDERS: usize = 100;
/// Letters that are being sent or wait for another try; a letter is some kilobytes. With more, orders wait.
const MAX_UNDER_WAY: usize = 500;
/// Connections to the mail server at a time.
const TRIES_AT_ONCE: usize = 4;
/// After the first try, and so on: servers that turn strangers away at first (greylisting) let them in after some minutes.
const WAITS: [Duration; 5] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(2), Duration::from_mins(10), Duration::from_mins(20)];
/// What has not been settled by then was lost with the process that had it.
pub const LOST_AFTER_MS: i64 = 2 * 3_600_000;
/// How much longer a try may take that is under way when the server stops.
const LAST_TRY: Duration = Duration::from_secs(5);
const STOPPED: &str = "the server was stopped before it was sent";

/// How often a letter is tried.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long to wait after each try that failed; after the last one there is none.
    pub waits: Vec<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { waits: WAITS.to_vec() }
    }
}

/// A letter, and the hash of the link in it; `None` where there is no link: then what becomes of it is written nowhere.
#[derive(Debug)]
pub struct Posting {
    pub letter: Letter,
    pub secret_hash: Option<String>,
}

/// Makes the letter when its turn comes; `None` where there is nobody to write to.
type Order = BoxFuture<'static, Option<Posting>>;

/// Takes orders. Clones share one queue.
#[derive(Clone)]
pub struct Mailer {
    orders: mpsc::Sender<Order>,
    tried: watch::Sender<u64>,
}

/// What sends what was ordered.
pub struct Outbox {
    orders: mpsc::Receiver<Order>,
    courier: Courier,
}

#[derive(Clone)]
struct Courier {
    smtp: Arc<Smtp>,
    db: Db,
    clock: Clock,
    settings: Arc<Settings>,
    places: Arc<Semaphore>,
    tried: watch::Sender<u64>,
}

impl Mailer {
    #[must_use]
    pub fn open(smtp: Smtp, db: Db, clock: Clock, settings: Settings) -> (Self, Outbox) {
        let (sender, orders) = mpsc::channel(MAX_ORDERS);
        let tried = watch::Sender::new(0);
        let courier = Courier {
            smtp: Arc::new(smtp),
            db,
            clock,
            settings: Arc::new(settings),
            places: Arc::new(Semaphore::new(TRIES_AT_ONCE)),
            tried: tried.clone(),
        };
        (Self { orders: sender, tried }, Outbox { orders, courier })
    }

    /// Waits for nothing. False where too much waits already: then nothing comes of it.
    #[must_use]
    pub fn order(&self, order: impl Future<Output = Option<Posting>> + Send + 'static) -> bool {
        self.orders.try_send(order.boxed()).is_ok()
    }

    /// As [`Mailer::order`], of what strangers ask for: half of the places are left to others.
    #[must_use]
    pub fn order_of_stranger(&self, order: impl Future<Output = Option<Posting>> + Send + 'static) -> bool {
        self.orders.capacity() > MAX_ORDERS / 2 && self.order(order)
    }

    /// What changes with each try that has ended, of any letter of this node.
    #[must_use]
    pub fn tries(&self) -> watch::Receiver<u64> {
        self.tried.subscribe()
    }
}

impl Outbox {
    /// Sends until told to stop. What waits then is given up, and that is written down.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut under_way = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = under_way.join_next() => {}
                Some(order) = self.orders.recv(), if under_way.len() < MAX_UNDER_WAY => {
                    let (courier, stop) = (self.courier.clone(), stop.clone());
                    under_way.spawn(async move { courier.carry_out(order, stop).await });
                }
            }
        }
        self.orders.close();
        while let Some(order) = self.orders.recv().await {
            let (courier, stop) = (self.courier.clone(), stop.clone());
            under_way.spawn(async move { courier.carry_out(order, stop).await });
        }
        while under_way.join_next().await.is_some() {}
    }
}

impl Courier {
    async fn carry_out(self, order: Order, stop: CancellationToken) {
        let Some(Posting { letter, secret_hash }) = order.await else { return };
        let mut waits = self.settings.waits.iter();
        loop {
            let (tried, wait) = (self.try_once(&letter, &stop).await, waits.next());
            let fate = match &tried {
                None => Fate::Failed { problem: STOPPED.to_owned() },
                Some(Ok(())) => Fate::Sent,
                Some(Err(failed)) if failed.is_final() || wait.is_none() => Fate::Failed { problem: failed.words() },
                Some(Err(failed)) => Fate::Waiting { problem: Some(failed.words()) },
            };
            match &tried {
                Some(Ok(())) => tracing::info!("a mail was taken by the mail server"),
                Some(Err(failed)) => {
                    let gives_up = matches!(fate, Fate::Failed { .. });
                    tracing::warn!(cause = failed.without_address(), gives_up, "a mail could not be sent");
                }
                None => {}
            }
            self.write_down(secret_hash.as_deref(), &fate).await;
            let (Fate::Waiting { .. }, Some(wait)) = (&fate, wait) else { return };
            tokio::select! {
                () = stop.cancelled() => {
                    return self.write_down(secret_hash.as_deref(), &Fate::Failed { problem: STOPPED.to_owned() }).await;
                }
                () = sleep(*wait) => {}
            }
            // Nobody is sent a link that opens nothing any more.
            if !self.is_wanted(secret_hash.as_deref()).await {
                return;
            }
        }
    }

    /// `None`: the server stops.
    async fn try_once(&self, letter: &Letter, stop: &CancellationToken) -> Option<Result<(), Failed>> {
        let place = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            place = self.places.acquire() => place.ok()?,
        };
        let mut sending = std::pin::pin!(self.smtp.send(letter));
        let sent = tokio::select! {
            sent = &mut sending => Some(sent),
            () = stop.cancelled() => timeout(LAST_TRY, &mut sending).await.ok(),
        };
        drop(place);
        sent.map(|sent| sent.map(drop))
    }

    async fn write_down(&self, secret_hash: Option<&str>, fate: &Fate) {
        if let Some(secret_hash) = secret_hash {
            let writing = async {
                let mut tx = self.db.write().await?;
                link_mails::settle(&mut tx, secret_hash, fate).await?;
                tx.commit().await
            };
            let written: db::Result<()> = writing.await;
            if let Err(cause) = written {
                tracing::warn!(%cause, "what became of a mail could not be noted");
            }
        }
        self.tried.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// True also where the database cannot say.
    async fn is_wanted(&self, secret_hash: Option<&str>) -> bool {
        let Some(secret_hash) = secret_hash else { return true };
        let asking = async { link_mails::is_wanted(&mut self.db.read().await?, secret_hash, self.clock.now()).await };
        let asked: db::Result<bool> = asking.await;
        asked.unwrap_or(true)
    }
}
