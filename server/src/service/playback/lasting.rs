//! For how long somebody may watch what is live: until their token's end, or until what let them in holds no more. Cuts nobody by itself: that is done
//! where the viewer is served.

use std::time::Duration;

use afterlive_domain::{Error as Refusal, OrganisationHash, StreamId, UnixMillis};
use futures::future::BoxFuture;
use tracing::warn;

use crate::random;
use crate::service::{Error, Result, Service};

/// Who watches is asked again so often at least, for what this node was not told of: a token that was revoked at another one, a key that is gone, a sign-out.
const ASK_AGAIN_WITHIN_MS: u16 = 10_000;
/// Less up to so much, so that a thousand who came at once, or were all asked for one change, do not go on asking at the same instant.
const ASK_AGAIN_SPREAD_MS: u16 = 2_000;
/// Changes that come one upon the other are one question.
const CHANGES_SETTLE: Duration = Duration::from_millis(100);

/// The right to watch a stream live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Right {
    pub stream: StreamId,
    /// When it ends by itself.
    pub until: Option<UnixMillis>,
}

impl Right {
    /// Whether a token gives it, rather than the viewer's organisation or its being public.
    #[must_use]
    pub fn is_by_token(&self) -> bool {
        self.until.is_some()
    }
}

/// Completes when a viewer may not watch any more; with the reason, for them.
pub type Withdrawn = BoxFuture<'static, String>;

impl Service {
    /// Waits until what `ask` asks, which is for something of that organisation, is refused. It answers with when the right ends by itself. Safe to cancel.
    pub async fn until_refused<F>(&self, organisation: &OrganisationHash, ask: impl Fn() -> F) -> Refusal
    where
        F: Future<Output = Result<Option<UnixMillis>>>,
    {
        let mut bell = self.doors.bells.listen(organisation);
        loop {
            // From before the question, so that no change is missed.
            bell.borrow_and_update();
            let until = match ask().await {
                Ok(until) => until,
                Err(Error::Refused(refusal)) => return refusal,
                Err(cause) => {
                    warn!(%cause, "whether a viewer may still watch cannot be found out: for now they may");
                    None
                }
            };
            let ends = async {
                match until {
                    Some(until) => self.clock.reached(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The bell itself is given up only where nobody listens.
                _ = bell.changed() => tokio::time::sleep(CHANGES_SETTLE).await,
                () = ends => {}
                () = tokio::time::sleep(ask_again_after()) => {}
            }
        }
    }
}

fn ask_again_after() -> Duration {
    Duration::from_millis(u64::from(ASK_AGAIN_WITHIN_MS - random::below(ASK_AGAIN_SPREAD_MS)))
}

/// In words for the viewer.
#[must_use]
pub fn words(refusal: Refusal) -> String {
    match refusal {
        Refusal::PlaybackDenied { reason } => reason,
        Refusal::NoSuchStream { .. } => "there is no such stream any more".to_owned(),
        _ => "you may not watch this any more".to_owned(),
    }
}
