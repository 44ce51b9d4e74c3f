//! The organisation's webhook: asked before an encoder may publish, told while it does and when it is over. No media ever wait for it. Knows no encoder's
//! protocol, and not who set the URL.

mod attended;
mod form;
mod hush;
mod turns;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{OrganisationId, WebhookUrl};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

pub use self::attended::Attended;
pub use self::form::Facts;
use self::form::{Call, MAX_PASSED_ON_BYTES};
use self::hush::Hush;
pub use self::turns::MAX_ASKED_PER_STREAM;
use self::turns::Turns;
use crate::config;
use crate::db::{self, Db, organisations};
use crate::dial::{self, Reach};
use crate::post::{Failed, Line, Postman};

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

impl Denied {
    /// Whether it may be allowed in a moment: the webhook has not said no, but does not do, or has too much to do.
    #[must_use]
    pub fn passes(self) -> bool {
        match self {
            Self::Refused { status } => status >= 500 || matches!(status, 408 | 429),
            Self::Silent | Self::Unreachable(_) | Self::Busy => true,
            Self::TooLong => false,
        }
    }
}

/// Calls webhooks. Clones are handles to the same.
#[derive(Clone)]
pub(super) struct Webhooks {
    settings: Settings,
    postman: Arc<Postman>,
    turns: Turns,
    hush: Hush,
    db: Db,
    tasks: TaskTracker,
}

impl Webhooks {
    /// `tasks` is to be waited for at the server's end: the last calls are made there.
    pub(super) fn new(settings: Settings, db: Db, tasks: TaskTracker) -> Self {
        Self { settings, postman: Arc::default(), turns: Turns::default(), hush: Hush::default(), db, tasks }
    }

    /// Whether the publish may be; takes no longer than an answer may. To drop this is not to want to know any more. Once it is being asked, the answer is
    /// heard all the same: a publish that it allows is then told to be over.
    ///
    /// # Errors
    /// Where it may not, for whatever reason.
    pub(super) async fn ask(&self, organisation: OrganisationId, url: WebhookUrl, facts: Facts) -> Result<Attended, Denied> {
        if facts.query.as_ref().is_some_and(|query| query.len() > MAX_PASSED_ON_BYTES) {
            return Err(Denied::TooLong);
        }
        let until = Instant::now() + self.settings.answer_timeout;
        let queued = self.turns.queue(organisation, &facts.streamname, facts.address);
        let in_turn = async {
            let queued = queued.ok()?;
            let turn = timeout_at(until, queued.turn()).await.ok()?;
            Some((queued, turn))
        };
        let Some(place) = in_turn.await else {
            self.complain(organisation, &url, &facts, Call::Publish, &Denied::Busy);
            return Err(Denied::Busy);
        };
        let webhooks = self.clone();
        let asking = self.tasks.spawn(async move {
            let answer = webhooks.ask_now(organisation, url, facts, until).await;
            drop(place);
            answer
        });
        asking.await.unwrap_or_else(|panic| {
            error!(error = %panic, "asking a webhook failed");
            Err(Denied::Unreachable("the server cannot ask anybody at the moment"))
        })
    }

    async fn ask_now(
        &self,
        organisation: OrganisationId,
        url: WebhookUrl,
        facts: Facts,
        until: Instant,
    ) -> Result<Attended, Denied> {
        let line = match timeout_at(until, self.open(organisation, &url)).await {
            Ok(Ok(line)) => line,
            Ok(Err(failed)) => {
                self.complain(organisation, &url, &facts, Call::Publish, &failed);
                return Err(Denied::Unreachable(failed.words()));
            }
            Err(_) => {
                self.complain(organisation, &url, &facts, Call::Publish, &dial::Error::NotInTime);
                return Err(Denied::Silent);
            }
        };
        let denied = match timeout_at(until, post(line, facts.form(Call::Publish))).await {
            Ok(Ok(StatusCode::OK)) => {
                debug!(stream = facts.streamname, webhook = ?url, "a webhook has allowed a publish");
                return Ok(Attended::new(self.clone(), organisation, url, facts));
            }
            Ok(Ok(status)) => {
                let denied = Denied::Refused { status: status.as_u16() };
                if denied.passes() {
                    self.complain(organisation, &url, &facts, Call::Publish, &status);
                }
                return Err(denied);
            }
            Ok(Err(failed)) => {
                self.complain(organisation, &url, &facts, Call::Publish, &failed);
                Denied::Unreachable(failed.words())
            }
            Err(_) => {
                self.complain(organisation, &url, &facts, Call::Publish, &Denied::Silent);
                Denied::Silent
            }
        };
        // It has been asked, and may allow it, or have done so, without being heard.
        Attended::unheard(self.clone(), organisation, url, facts);
        Err(denied)
    }

    /// Tells, once it is its turn. `None` where nothing was answered: that is logged here.
    async fn tell(&self, organisation: OrganisationId, url: &WebhookUrl, facts: &Facts, call: Call) -> Option<StatusCode> {
        let mut turn = std::pin::pin!(self.turns.tell(organisation));
        let _turn = loop {
            match timeout(self.settings.answer_timeout, &mut turn).await {
                Ok(turn) => break turn,
                // An end has time until the server stops; that something goes on is told again.
                Err(_) if matches!(call, Call::Done { .. }) && !self.tasks.is_closed() => {}
                Err(_) => {
                    self.complain(organisation, url, facts, call, &Denied::Busy);
                    return None;
                }
            }
        };
        let telling = async { post(self.open(organisation, url).await?, facts.form(call)).await };
        match timeout(self.settings.answer_timeout, telling).await {
            Ok(Ok(status)) => return Some(status),
            Ok(Err(failed)) => self.complain(organisation, url, facts, call, &failed),
            Err(_) => self.complain(organisation, url, facts, call, &Denied::Silent),
        }
        None
    }

    async fn open(&self, organisation: OrganisationId, url: &WebhookUrl) -> Result<Line, Failed> {
        self.postman.open(url, organisation, self.settings.reach, self.settings.answer_timeout).await
    }

    /// Whether the organisation still has this webhook.
    async fn is_current(&self, organisation: OrganisationId, url: &WebhookUrl) -> db::Result<bool> {
        Ok(organisations::webhook_of(&mut self.db.read().await?, organisation).await?.as_ref() == Some(url))
    }

    /// Logs that the webhook does not do, though not for each encoder that comes.
    fn complain(&self, organisation: OrganisationId, url: &WebhookUrl, facts: &Facts, call: Call, cause: &dyn std::fmt::Display) {
        let (stream, address) = (&facts.streamname, facts.address);
        let call = call.name();
        match self.hush.says(organisation) {
            Some(unsaid) => {
                warn!(%organisation, %stream, %address, webhook = ?url, call, %cause, unsaid, "a webhook does not do as it should");
            }
            None => debug!(%organisation, %stream, %address, webhook = ?url, call, %cause, "a webhook does not do as it should"),
        }
    }
}

/// Posts the facts as a form.
async fn post(line: Line, form: String) -> Result<StatusCode, Failed> {
    line.post([(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))], form.into()).await
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_webhook_has_five_seconds_for_an_answer_and_hears_each_thirty_that_a_publish_goes_on() {
        let configured = Settings::from(&Config::from_sources(None, []).unwrap().webhook);
        for settings in [configured, Settings::default()] {
            assert_eq!(settings.answer_timeout, Duration::from_secs(5));
            assert_eq!(settings.update_every, Some(Duration::from_secs(30)));
        }
    }
}
