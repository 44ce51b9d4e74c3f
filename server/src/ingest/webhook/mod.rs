//! The organisation's webhook: asked before an encoder may publish, told while it does and when it is over. No media ever wait for it. Knows no encoder's
//! protocol, and not who set the URL.

mod attended;
mod form;
mod post;
mod turns;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{OrganisationId, WebhookUrl};
use http::StatusCode;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

pub use self::attended::Attended;
pub use self::form::Facts;
use self::form::{Call, MAX_PASSED_ON_BYTES};
use self::post::{Failed, Postman};
use self::turns::Turns;
pub use self::turns::{MAX_WAITING, MAX_WAITING_PER_ADDRESS};
use crate::config;
use crate::dial::{self, Reach};

/// How long a webhook may take to answer, from looking its host up on.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is told that a publish goes on, as nginx-rtmp does.
const UPDATE_EVERY: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    pub reach: Reach,
    pub answer_timeout: Duration,
    /// `None`: it is not told that a publish goes on.
    pub update_every: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { reach: Reach::Public, answer_timeout: ANSWER_TIMEOUT, update_every: Some(UPDATE_EVERY) }
    }
}

impl From<&config::Webhook> for Settings {
    fn from(config: &config::Webhook) -> Self {
        Self {
            reach: Reach::with_private(config.allow_private),
            answer_timeout: ANSWER_TIMEOUT,
            update_every: config.update_every,
        }
    }
}

/// Why a publish is not allowed, in words for the encoder: whoever knows a stream's name can read them, so that none says where the webhook is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denied {
    #[error("the organisation's webhook refuses it: it answered {status}, and only 200 allows it")]
    Refused { status: u16 },
    #[error("the organisation's webhook does not answer in time")]
    Silent,
    #[error("the organisation's webhook cannot be asked: {0}")]
    Unreachable(&'static str),
    #[error("too many encoders wait for the organisation's webhook, try again")]
    Busy,
    #[error("more than {MAX_PASSED_ON_BYTES} bytes stand behind the ? of the stream name")]
    TooLong,
}

/// Calls webhooks. Clones are handles to the same.
#[derive(Clone)]
pub(super) struct Webhooks {
    settings: Settings,
    postman: Arc<Postman>,
    turns: Turns,
    tasks: TaskTracker,
}

impl Webhooks {
    /// `tasks` is to be waited for at the server's end: the last calls are made there.
    pub(super) fn new(settings: Settings, tasks: TaskTracker) -> Self {
        Self { settings, postman: Arc::default(), turns: Turns::default(), tasks }
    }

    /// Whether the publish may be. To drop this is not to want to know any more: the connection is closed, and the place is free.
    ///
    /// # Errors
    /// Where it may not, for whatever reason.
    pub(super) async fn ask(&self, organisation: OrganisationId, url: WebhookUrl, facts: Facts) -> Result<Attended, Denied> {
        if facts.query.as_ref().is_some_and(|query| query.len() > MAX_PASSED_ON_BYTES) {
            return Err(Denied::TooLong);
        }
        let (stream, address) = (facts.streamname.clone(), facts.address);
        let denied = |denied: Denied, cause: &dyn std::fmt::Display| {
            warn!(stream, %address, webhook = ?url, %cause, "a webhook did not allow a publish");
            denied
        };
        let place = self.turns.wait(organisation, address).ok_or_else(|| denied(Denied::Busy, &Denied::Busy))?;
        let answer = timeout(self.settings.answer_timeout, self.post(&url, &facts, Call::Publish)).await;
        drop(place);
        match answer {
            Ok(Ok(StatusCode::OK)) => {}
            Ok(Ok(status)) => return Err(denied(Denied::Refused { status: status.as_u16() }, &status)),
            Ok(Err(failed)) => return Err(denied(Denied::Unreachable(words(&failed)), &failed)),
            Err(_) => return Err(denied(Denied::Silent, &Denied::Silent)),
        }
        debug!(stream, %address, webhook = ?url, "a webhook has allowed a publish");
        Ok(Attended::new(self.clone(), organisation, url, facts))
    }

    /// Tells, once it is its turn. `None` where nothing was answered: that is logged here.
    async fn tell(&self, organisation: OrganisationId, url: &WebhookUrl, facts: &Facts, call: Call) -> Option<StatusCode> {
        let telling = async {
            let _turn = self.turns.tell(organisation).await;
            self.post(url, facts, call).await
        };
        let stream = &facts.streamname;
        match timeout(self.settings.answer_timeout, telling).await {
            Ok(Ok(status)) => return Some(status),
            Ok(Err(cause)) => warn!(%stream, webhook = ?url, call = call.name(), %cause, "a webhook could not be told"),
            Err(_) => warn!(%stream, webhook = ?url, call = call.name(), "a webhook did not answer in time"),
        }
        None
    }

    async fn post(&self, url: &WebhookUrl, facts: &Facts, call: Call) -> Result<StatusCode, Failed> {
        self.postman.post(url, facts.form(call), self.settings.reach, self.settings.answer_timeout).await
    }
}

/// For who knows nothing of the webhook but that there is one. The log has all of it.
fn words(failed: &Failed) -> &'static str {
    match failed {
        Failed::Dial(dial::Error::NoSuchHost) => "its host cannot be found",
        Failed::Dial(dial::Error::Private) => "its host is in a private network, which webhook.allow_private forbids",
        Failed::Dial(dial::Error::NoConnection(_) | dial::Error::NotInTime) => "no connection to it is to be had",
        Failed::Roots(_) | Failed::Tls(_) => "TLS with it does not come about",
        Failed::Http(_) | Failed::Request(_) => "it does not speak HTTP",
    }
}

/// A number for a publish that a program can keep in 32 bits, signed or not.
#[must_use]
pub(super) fn client_id(session: uuid::Uuid) -> u32 {
    let [.., a, b, c, d] = *session.as_bytes();
    u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff
}

/// The encoder's address as the webhook is told.
pub(super) fn address_of(peer: std::net::SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}
