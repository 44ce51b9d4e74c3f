//! A publish that its webhook has allowed: told that it goes on, and once, however it ends, that it is over.

use std::time::Duration;

use afterlive_domain::{OrganisationId, WebhookUrl};
use http::StatusCode;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::{error, info};

use super::Webhooks;
use super::form::{Call, Facts};
use crate::hub::Remote;

/// What becomes of a publish: that it is on air, and that it is over.
const NEWS: usize = 2;
/// When the end of a publish is told again that was not heard.
const TRY_AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

enum News {
    OnAir(Remote),
    Over { bytes_in: u64, bytes_out: u64 },
}

/// Whoever has it publishes, or is about to. Dropping it says that it has come to nothing.
pub struct Attended {
    news: mpsc::Sender<News>,
}

impl Attended {
    pub(super) fn new(webhooks: Webhooks, organisation: OrganisationId, url: WebhookUrl, facts: Facts) -> Self {
        let (news, heard) = mpsc::channel(NEWS);
        let tasks = webhooks.tasks.clone();
        let attendant = Attendant { webhooks, organisation, url, facts };
        tasks.spawn(attendant.attend(heard));
        Self { news }
    }

    /// Of a publish whose answer was not heard, and that is none: its end is told, once, in case it was allowed.
    pub(super) fn unheard(webhooks: Webhooks, organisation: OrganisationId, url: WebhookUrl, facts: Facts) {
        let tasks = webhooks.tasks.clone();
        let attendant = Attendant { webhooks, organisation, url, facts };
        tasks.spawn(async move { attendant.tell_end((0, 0), &[]).await });
    }

    pub(in crate::ingest) fn on_air(&self, publish: Remote) {
        // There is room for all that is ever said.
        let _ = self.news.try_send(News::OnAir(publish));
    }

    /// `bytes_in`: of media. `bytes_out`: what the encoder was sent.
    pub(in crate::ingest) fn over(self, bytes_in: u64, bytes_out: u64) {
        let _ = self.news.try_send(News::Over { bytes_in, bytes_out });
    }
}

struct Attendant {
    webhooks: Webhooks,
    organisation: OrganisationId,
    url: WebhookUrl,
    facts: Facts,
}

impl Attendant {
    async fn attend(self, mut heard: mpsc::Receiver<News>) {
        let mut over = (0, 0);
        match heard.recv().await {
            Some(News::OnAir(publish)) => over = self.while_on_air(&mut heard, &publish).await,
            Some(News::Over { bytes_in, bytes_out }) => over = (bytes_in, bytes_out),
            None => {}
        }
        self.tell_end(over, &TRY_AGAIN_AFTER).await;
    }

    /// One call at a time, and the last one is waited for: what is told comes in its order.
    async fn while_on_air(&self, heard: &mut mpsc::Receiver<News>, publish: &Remote) -> (u64, u64) {
        let began = Instant::now();
        let every = self.webhooks.settings.update_every;
        let mut updates = every.map(|every| interval_at(began + every, every));
        if let Some(updates) = &mut updates {
            updates.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let next = async |updates: &mut Option<tokio::time::Interval>| match updates {
            Some(updates) => drop(updates.tick().await),
            None => std::future::pending().await,
        };
        loop {
            tokio::select! {
                news = heard.recv() => match news {
                    Some(News::Over { bytes_in, bytes_out }) => return (bytes_in, bytes_out),
                    Some(News::OnAir(_)) => {}
                    None => return (0, 0),
                },
                () = next(&mut updates) => {
                    let update = Call::Update { time_s: began.elapsed().as_secs(), timestamp_ms: publish.position_ms() };
                    let Some(status) = self.tell(update).await else { continue };
                    if ends(status) {
                        if self.withdraw(publish, status).await == Withdrawal::NotTheirs {
                            updates = None;
                        }
                    } else if !status.is_success() {
                        self.complain(update, &status);
                    }
                }
            }
        }
    }

    /// Who is no longer the organisation's webhook has no say any more.
    async fn withdraw(&self, publish: &Remote, status: StatusCode) -> Withdrawal {
        let stream = &self.facts.streamname;
        match self.webhooks.is_current(self.organisation, &self.url).await {
            Ok(true) => {
                info!(%stream, webhook = ?self.url, %status, "a webhook ends a publish");
                publish.withdraw();
                Withdrawal::Done
            }
            Ok(false) => {
                info!(%stream, webhook = ?self.url, %status, "a webhook that was replaced would end a publish, which goes on");
                Withdrawal::NotTheirs
            }
            Err(cause) => {
                error!(%stream, %cause, "whether a webhook may end a publish cannot be found out; it goes on");
                Withdrawal::Unknown
            }
        }
    }

    /// Until something is answered that is no failure, but not for ever: after each of `waits` once more.
    async fn tell_end(&self, (bytes_in, bytes_out): (u64, u64), waits: &[Duration]) {
        let done = Call::Done { bytes_in, bytes_out };
        let Some(_place) = self.webhooks.turns.end(self.organisation) else {
            self.complain(done, &"too many ends wait to be told");
            return;
        };
        let mut waits = waits.iter();
        loop {
            let heard = match self.tell(done).await {
                Some(status) if status.is_server_error() || matches!(status.as_u16(), 408 | 429) => {
                    self.complain(done, &status);
                    false
                }
                status => status.is_some(),
            };
            let Some(wait) = waits.next().filter(|_| !heard && !self.webhooks.tasks.is_closed()) else { return };
            tokio::time::sleep(*wait).await;
        }
    }

    async fn tell(&self, call: Call) -> Option<StatusCode> {
        self.webhooks.tell(self.organisation, &self.url, &self.facts, call).await
    }

    fn complain(&self, call: Call, cause: &dyn std::fmt::Display) {
        self.webhooks.complain(self.organisation, &self.url, &self.facts, call, cause);
    }
}

/// What became of a webhook's wish to end a publish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Withdrawal {
    Done,
    /// It is not the organisation's any more.
    NotTheirs,
    Unknown,
}

/// Whether the answer says that the publish is not allowed any more. All else, be it a proxy's page for a webhook that is being restarted, or a page that is gone,
/// says that the webhook does not do; that must not end what goes well.
fn ends(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::GONE)
}
