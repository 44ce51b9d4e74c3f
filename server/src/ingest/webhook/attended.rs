//! A publish that its webhook has allowed: told that it goes on, and once, however it ends, that it is over.

use afterlive_domain::{OrganisationId, WebhookUrl};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::info;

use super::Webhooks;
use super::form::{Call, Facts};
use crate::hub::Remote;

/// What becomes of a publish: that it is on air, and that it is over.
const NEWS: usize = 2;

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
        let (bytes_in, bytes_out) = over;
        // What it answers changes nothing any more.
        self.tell(Call::Done { bytes_in, bytes_out }).await;
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
                    // As nginx-rtmp: an answer other than 2xx ends it, no answer does not. A webhook that is being restarted must not end what goes well.
                    if let Some(status) = self.tell(update).await.filter(|status| !status.is_success()) {
                        info!(stream = %self.facts.streamname, webhook = ?self.url, %status, "a webhook ends a publish");
                        publish.withdraw();
                    }
                }
            }
        }
    }

    async fn tell(&self, call: Call) -> Option<http::StatusCode> {
        self.webhooks.tell(self.organisation, &self.url, &self.facts, call).await
    }
}
