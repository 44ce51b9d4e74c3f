//! A certificate by ACME (RFC 8555): ordered where there is none that is good, kept in a folder of its own, and renewed before it ends. Knows nothing of HTTP or
//! of listeners: who listens on port 80 asks [`Challenges`], and `tls` serves the files as it does any others.

mod challenges;
mod order;
mod plan;
mod store;
mod wire;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::UnixMillis;
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

pub use self::challenges::Challenges;
pub use self::order::Failed;
use self::order::Wanted;
use self::plan::Next;
use self::store::Store;
pub use self::store::{files, is_given};
use self::wire::Wire;
use crate::clock::Clock;
use crate::config;

/// For all of an order with a hundred names. One that is given up is a failure like others.
const ORDER_PATIENCE: Duration = Duration::from_mins(15);
/// After the first failure; later ones wait longer.
const FIRST_WAIT: Duration = Duration::from_mins(1);
const LONGEST_WAIT: Duration = Duration::from_hours(6);
/// An authority that has had enough is left in peace for so long at the least.
const LIMITED_WAIT: Duration = Duration::from_hours(1);

/// What is wanted, and of whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// DNS names, one at least.
    pub names: Vec<String>,
    /// Where the authority may write to.
    pub email: Option<String>,
    /// Where the authority says what it can do.
    pub directory: Url,
    /// Whom to believe that it is the authority, in place of the authorities of the system.
    pub ca_file: Option<PathBuf>,
    pub first_wait: Duration,
    pub longest_wait: Duration,
}

impl From<&config::Acme> for Settings {
    fn from(config: &config::Acme) -> Self {
        Self {
            names: config.domains.clone(),
            email: config.email.clone(),
            directory: config.directory.clone(),
            ca_file: config.ca_file.clone(),
            first_wait: FIRST_WAIT,
            longest_wait: LONGEST_WAIT,
        }
    }
}

/// Why it cannot begin.
#[derive(Debug, thiserror::Error)]
#[error("what is ordered by ACME cannot be kept in {path}: {cause}. Change data_dir, or its owner.")]
pub struct Error {
    path: String,
    cause: io::Error,
}

/// Sees to it that there is a good certificate.
pub struct Keeper {
    wanted: Wanted,
    waits: (Duration, Duration),
    wire: Wire,
    store: Store,
    challenges: Challenges,
    clock: Clock,
    renewed: Arc<Notify>,
}

impl Keeper {
    /// Makes the folder, and puts a pair to be served into it where none is. Blocks.
    ///
    /// # Errors
    /// Where that is not possible.
    pub fn open(data_dir: &Path, settings: Settings, clock: Clock) -> Result<Self, Error> {
        let opening = || {
            let store = Store::open(data_dir)?;
            if store.ensure(&settings.names)? {
                tracing::warn!(
                    "until an authority has given a certificate one that vouches for itself is served: browsers warn of it, and most players refuse it"
                );
            }
            Ok(store)
        };
        let store = opening().map_err(|cause| Error { path: data_dir.join("acme").display().to_string(), cause })?;
        let wire = Wire::new(&settings.directory, settings.ca_file);
        Ok(Self {
            wanted: Wanted { names: settings.names, email: settings.email, directory: settings.directory.into() },
            waits: (settings.first_wait, settings.longest_wait),
            wire,
            store,
            challenges: Challenges::default(),
            clock,
            renewed: Arc::default(),
        })
    }

    /// What is to be answered on port 80.
    #[must_use]
    pub fn challenges(&self) -> Challenges {
        self.challenges.clone()
    }

    /// Rings when there is another certificate.
    pub fn renewed(&self) -> impl Stream<Item = ()> + Send + Unpin + use<> {
        let bell = Arc::clone(&self.renewed);
        stream::unfold(bell, async |bell| {
            bell.notified().await;
            Some(((), bell))
        })
        .boxed()
    }

    /// Until the server stops.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep()).await;
    }

    async fn keep(&self) {
        // The same for as long as it runs: else each look would move the day a little.
        let chance: f64 = rand::random();
        let mut failures = 0;
        loop {
            let why = match self.next(chance).await {
                Err(cause) => {
                    tracing::error!(%cause, "the certificate that is kept cannot be read: it is looked at again, and none is ordered meanwhile");
                    sleep(self.waits.0).await;
                    continue;
                }
                Ok(Next::RenewAt(at)) => {
                    tracing::info!(renewed_at = %format!("{} UTC", at.to_table_text()), "the certificate is good");
                    self.clock.reached(at).await;
                    continue;
                }
                Ok(Next::OrderNow(why)) => why,
            };
            if let Some(at) = self.not_before().await {
                let until = at.to_table_text();
                tracing::warn!(
                    "names were not believed to be this server's often enough for an hour: the next certificate is ordered at {until} UTC"
                );
                self.clock.reached(at).await;
            }
            let (names, directory) = (self.wanted.names.join(", "), &self.wanted.directory);
            tracing::info!(names, directory, %why, "a certificate is ordered");
            match self.try_once(chance).await {
                Ok(()) => {
                    failures = 0;
                    tracing::info!(names, directory, "there is another certificate");
                    self.renewed.notify_one();
                }
                Err(failed) => {
                    failures += 1;
                    let wait = self.wait(failures, &failed);
                    tracing::warn!(names, next_try_in_s = wait.as_secs(), "no certificate is had: {failed}");
                    sleep(wait).await;
                }
            }
        }
    }

    async fn try_once(&self, chance: f64) -> Result<(), Failed> {
        // A certificate that is had and cannot be kept is ordered again, and an authority gives only so many.
        self.store.on(Store::try_to_keep).await??;
        let ordering = order::order(&self.wanted, &self.wire, &self.store, &self.challenges);
        let issued = match timeout(ORDER_PATIENCE, ordering).await {
            Ok(Err(failed @ Failed::Refused(_))) => {
                let now = self.clock.now();
                self.store.on(move |store| store.note_refused(now)).await??;
                return Err(failed);
            }
            Ok(issued) => issued?,
            Err(_) => return Err(Failed::TooLate),
        };
        let directory = self.wanted.directory.clone();
        self.store.on(move |store| store.put(&issued.chain, &issued.key, Some(&directory))).await??;
        // Else it would be ordered on and on.
        match self.next(chance).await? {
            Next::RenewAt(_) => Ok(()),
            Next::OrderNow(why) => Err(Failed::Useless(why)),
        }
    }

    /// # Errors
    /// Where what is there cannot be read, which says nothing of whether it is good.
    async fn next(&self, chance: f64) -> io::Result<Next> {
        let held = self.store.on(Store::look).await??;
        Ok(plan::next(held.as_ref(), &self.wanted.names, &self.wanted.directory, self.clock.now(), chance))
    }

    async fn not_before(&self) -> Option<UnixMillis> {
        let now = self.clock.now();
        let refused = self.store.on(move |store| store.refused(now)).await.unwrap_or_default();
        plan::not_before(&refused, now)
    }

    fn wait(&self, failures: u32, failed: &Failed) -> Duration {
        let (first, longest) = self.waits;
        let wait = plan::wait(failures, first, longest, rand::random());
        if failed.is_limit() { wait.max(LIMITED_WAIT) } else { wait }
    }
}

/// Asks the authority what it can do, and orders nothing. Returns where its terms stand, where it has any.
///
/// # Errors
/// Why it cannot be asked, in words.
pub async fn try_authority(settings: &Settings) -> Result<Option<String>, String> {
    let wire = Wire::new(&settings.directory, settings.ca_file.clone());
    wire.terms(&settings.directory).await.map_err(|failed| failed.to_string())
}
