//! Where an organisation's programs are told of events: endpoints made, changed, tried out, and what each was told. For administrators alone.

use afterlive_domain::endpoint::MAX_ENDPOINTS;
use afterlive_domain::{Act, EndpointId, Error as Refusal, MessageId, Permission, StreamId, ThingKind, ToldKinds, WebhookUrl};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::write::{Note, difference};
use super::{Caller, Result, Service};
use crate::db::asset_search::{self, Listed};
use crate::db::audit::Thing;
use crate::db::delivery_log::{self, Delivery, Place};
use crate::db::event_bodies::Happening;
use crate::db::event_deliveries::{self, IS_OFF, Resent, TEST_IS_OPEN};
use crate::db::event_endpoints::{self, Endpoint, Found};
use crate::db::streams::{self, Stream};
use crate::db::{self, Tx};
use crate::dial::{self, Reach};
use crate::events::{self, SWITCHED_OFF, Secret};
use crate::post::PUBLIC_URL;

/// The secret before signs beside the new one for so long, until the receiver knows that.
pub const OLD_SECRET_FOR_MS: i64 = 24 * 3_600_000;
/// The most deliveries on a page.
pub const MAX_DELIVERY_PAGE: u32 = 100;

/// What an event is about, as it is now.
#[derive(Clone, PartialEq, Debug)]
pub struct Happened {
    pub stream: Option<Stream>,
    pub asset: Option<Listed>,
}

/// What is to be changed of an endpoint.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EndpointChange {
    pub url: Option<WebhookUrl>,
    pub kinds: Option<ToldKinds>,
    pub enabled: Option<bool>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeliveryPage {
    /// Newest first.
    pub deliveries: Vec<Delivery>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Place>,
}

impl Service {
    /// Those that can be read, oldest first.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn endpoints(&self, caller: &Caller) -> Result<Vec<Endpoint>> {
        Ok(self.all_endpoints(caller).await?.into_iter().flatten().collect())
    }

    /// With those that this version cannot read, which can be deleted and nothing else. Oldest first.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn all_endpoints(&self, caller: &Caller) -> Result<Vec<Found>> {
        caller.require(Permission::Administer)?;
        Ok(event_endpoints::list(&mut self.db.read().await?, caller.organisation).await?)
    }

    /// As [`Service::endpoint`], also one that this version cannot read.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchEndpoint`.
    pub async fn find_endpoint(&self, caller: &Caller, id: EndpointId) -> Result<Found> {
        caller.require(Permission::Administer)?;
        let found = event_endpoints::find(&mut self.db.read().await?, id).await?;
        let found = found.filter(|found| {
            caller.organisation == found.as_ref().map_or_else(|told| told.organisation, |read| read.organisation)
        });
        Ok(found.ok_or(Refusal::NoSuchEndpoint { endpoint: id })?)
    }

    /// With its secret.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchEndpoint`.
    pub async fn endpoint(&self, caller: &Caller, id: EndpointId) -> Result<Endpoint> {
        caller.require(Permission::Administer)?;
        let found = event_endpoints::by_id(&mut self.db.read().await?, id).await?;
        Ok(own(found, caller, id)?)
    }

    /// Makes an endpoint. It is told what happens from then on.
    ///
    /// # Errors
    /// `Denied` for all but admins; `WrongType` where it is plain that the URL could never be reached; `WrongState` where there are too many.
    pub async fn create_endpoint(&self, caller: &Caller, url: WebhookUrl, kinds: ToldKinds, enabled: bool) -> Result<Endpoint> {
        caller.require(Permission::Administer)?;
        self.require_in_reach(&url)?;
        let now = self.clock.now();
        let endpoint = Endpoint {
            id: EndpointId(Uuid::new_v4()),
            organisation: caller.organisation,
            url,
            kinds,
            enabled,
            gone_at: None,
            failing_since: None,
            secret: Secret::draw(),
            old_secret: None,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        if event_endpoints::count(&mut tx, caller.organisation).await? >= MAX_ENDPOINTS as u64 {
            return Err(Refusal::WrongState { state: too_many() }.into());
        }
        event_endpoints::insert(&mut tx, &endpoint).await?;
        tx.commit(Note::of(Act::EndpointMade, thing(&endpoint)).saying(endpoint.kinds.to_string())).await?;
        tracing::info!(endpoint = %endpoint.id, url = ?endpoint.url, by = %caller.identity, "made an endpoint for events");
        Ok(endpoint)
    }

    /// Changes URL, kinds and the switch. What waits goes to the new URL. What waits when it is switched off is given up, and can be sent again by hand; what
    /// happens while it is off is not told later.
    ///
    /// # Errors
    /// As [`Service::create_endpoint`]; `NoSuchEndpoint`.
    pub async fn change_endpoint(&self, caller: &Caller, id: EndpointId, change: EndpointChange) -> Result<Endpoint> {
        caller.require(Permission::Administer)?;
        if let Some(url) = &change.url {
            self.require_in_reach(url)?;
        }
        let now = self.clock.now();
        if change.enabled == Some(true) && !self.endpoint(caller, id).await?.enabled {
            // What was written by who had seen it on, just before it was switched off, is not told now.
            events::give_up(&self.db, id, SWITCHED_OFF, now).await?;
        }
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let mut endpoint = held(&mut tx, caller, id).await?;
        let (before, said_before) = (endpoint.clone(), Said::of(&endpoint));
        // Another server has not failed yet, and whoever says on or off knows of what was.
        let forgets = change.url.as_ref().is_some_and(|url| *url != endpoint.url) || change.enabled.is_some();
        endpoint.url = change.url.unwrap_or(endpoint.url);
        endpoint.kinds = change.kinds.unwrap_or(endpoint.kinds);
        endpoint.enabled = change.enabled.unwrap_or(endpoint.enabled);
        if forgets {
            endpoint.failing_since = None;
            endpoint.gone_at = None;
        }
        if endpoint == before {
            tx.roll_back();
            return Ok(endpoint);
        }
        endpoint.updated_at = now;
        event_endpoints::update(&mut tx, &endpoint).await?;
        let changes = difference(&said_before, &Said::of(&endpoint));
        tx.commit(Note::of(Act::EndpointChanged, thing(&endpoint)).saying(changes)).await?;
        if change.enabled == Some(false) {
            events::give_up(&self.db, id, SWITCHED_OFF, now).await?;
        }
        self.bell.ring();
        let (url, enabled) = (&endpoint.url, endpoint.enabled);
        tracing::info!(endpoint = %id, ?url, enabled, by = %caller.identity, "changed an endpoint for events");
        Ok(endpoint)
    }

    /// What waits for it is not sent, and its log goes too. It is switched off first: where it ends half-way, it is told nothing, and can be deleted again.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchEndpoint`.
    pub async fn delete_endpoint(&self, caller: &Caller, id: EndpointId) -> Result<()> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        hold_own(&mut tx, caller, id).await?;
        let on = match event_endpoints::by_id(&mut tx, id).await {
            Ok(Some(endpoint)) => thing(&endpoint),
            Ok(None) | Err(db::Error::Unreadable { .. }) => id.into(),
            Err(cause) => return Err(cause.into()),
        };
        event_endpoints::switch_off(&mut tx, id).await?;
        tx.commit(Note::of(Act::EndpointChanged, on.clone()).saying("switched off, to be deleted")).await?;
        events::forget(&self.db, id).await?;
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        hold_own(&mut tx, caller, id).await?;
        event_endpoints::delete(&mut tx, id).await?;
        tx.commit(Note::of(Act::EndpointDeleted, on)).await?;
        tracing::info!(endpoint = %id, by = %caller.identity, "deleted an endpoint for events");
        Ok(())
    }

    /// Gives it another secret; the one before signs too for [`OLD_SECRET_FOR_MS`]. One that is before that one signs no more.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchEndpoint`.
    pub async fn rotate_endpoint_secret(&self, caller: &Caller, id: EndpointId) -> Result<Endpoint> {
        let now = self.clock.now();
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let endpoint = held(&mut tx, caller, id).await?;
        event_endpoints::rotate(&mut tx, id, &Secret::draw(), now.plus_ms(OLD_SECRET_FOR_MS), now).await?;
        tx.commit(Note::of(Act::EndpointSecretRotated, thing(&endpoint))).await?;
        tracing::info!(endpoint = %id, by = %caller.identity, "rotated the secret of an endpoint for events");
        self.endpoint(caller, id).await
    }

    /// Has something sent that says that it is a test. There is one try; what came of it stands in the log.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchEndpoint`; `WrongState` where it is switched off, and while another test of it is under way.
    pub async fn test_endpoint(&self, caller: &Caller, id: EndpointId) -> Result<MessageId> {
        let (now, message) = (self.clock.now(), MessageId(Uuid::new_v4()));
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let endpoint = held(&mut tx, caller, id).await?;
        if !endpoint.enabled {
            return Err(Refusal::WrongState { state: IS_OFF.to_owned() }.into());
        }
        let data = json!({ "organisation": caller.organisation, "endpoint": id });
        let body = json!({ "type": "test", "timestamp": now, "data": data }).to_string();
        if !event_deliveries::insert_test(&mut tx, caller.organisation, id, message, &body, now).await? {
            return Err(Refusal::WrongState { state: TEST_IS_OPEN.to_owned() }.into());
        }
        tx.commit(Note::of(Act::EndpointTested, thing(&endpoint))).await?;
        self.bell.ring();
        Ok(message)
    }

    /// A page of what it was told, or is to be.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchEndpoint`.
    pub async fn deliveries(&self, caller: &Caller, id: EndpointId, after: Option<Place>, limit: u32) -> Result<DeliveryPage> {
        // What it was told can be read where it cannot.
        let _ = self.find_endpoint(caller, id).await?;
        let limit = limit.min(MAX_DELIVERY_PAGE);
        // One more than asked for tells whether there is a next page.
        let mut deliveries = delivery_log::page(&mut self.db.read().await?, id, after, limit + 1).await?;
        let more = deliveries.len() > limit as usize;
        deliveries.truncate(limit as usize);
        let next = deliveries.last().filter(|_| more).map(Delivery::place);
        Ok(DeliveryPage { deliveries, next })
    }

    /// Sends it again, at once, with the same id and body.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchDelivery`; `WrongState` while it is sent or behind another, for a test while another is under way, and where the endpoint is switched
    /// off.
    pub async fn resend_delivery(&self, caller: &Caller, message: MessageId) -> Result<()> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        match event_deliveries::resend(&mut tx, caller.organisation, message, self.clock.now()).await? {
            Resent::Done => {}
            Resent::NoSuchDelivery => return Err(Refusal::NoSuchDelivery { delivery: message }.into()),
            Resent::Refused(state) => return Err(Refusal::WrongState { state: state.to_owned() }.into()),
        }
        tx.commit(Note::of(Act::EventResent, Thing::new(ThingKind::Event, message, ""))).await?;
        self.bell.ring();
        tracing::info!(delivery = %message, by = %caller.identity, "an event is sent again");
        Ok(())
    }

    /// What the organisation's programs are told about, by the server itself: no caller asks.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn happened(&self, happening: &Happening) -> Result<Happened> {
        let mut connection = self.db.read().await?;
        let stream = match happening.stream {
            Some(id) => streams::by_id(&mut connection, id).await?,
            None => None,
        };
        let asset = match happening.asset {
            Some(id) => asset_search::by_id(&mut connection, id).await?,
            None => None,
        };
        Ok(Happened { stream, asset })
    }

    /// Why nothing of what the stream sends is recorded on at this moment, where that is so and the stream is live here.
    #[must_use]
    pub fn stands_still(&self, stream: StreamId) -> Option<String> {
        self.growing.stands_still(stream)
    }

    fn require_in_reach(&self, url: &WebhookUrl) -> Result<(), Refusal> {
        let reach = Reach::with_private(self.config.webhook.allow_private);
        if dial::is_out_of_reach(url.host(), reach) {
            let expected = PUBLIC_URL.to_owned();
            return Err(Refusal::WrongType { parameter: "url".to_owned(), expected });
        }
        Ok(())
    }
}

/// By its host alone: what stands behind it may be a secret.
fn thing(endpoint: &Endpoint) -> Thing {
    Thing::new(ThingKind::Endpoint, endpoint.id, endpoint.url.without_target())
}

/// What may be told of an endpoint's settings.
#[derive(Serialize)]
struct Said {
    url: String,
    kinds: String,
    enabled: bool,
}

impl Said {
    fn of(endpoint: &Endpoint) -> Self {
        Self { url: endpoint.url.without_target(), kinds: endpoint.kinds.to_string(), enabled: endpoint.enabled }
    }
}

/// The state in which no endpoint can be added.
pub fn too_many() -> String {
    format!("{MAX_ENDPOINTS} endpoints, which is the most")
}

fn own(found: Option<Endpoint>, caller: &Caller, id: EndpointId) -> Result<Endpoint, Refusal> {
    found.filter(|endpoint| endpoint.organisation == caller.organisation).ok_or(Refusal::NoSuchEndpoint { endpoint: id })
}

/// Also one that cannot be read.
async fn hold_own(tx: &mut Tx, caller: &Caller, id: EndpointId) -> Result<()> {
    event_endpoints::hold(tx, id).await?;
    if event_endpoints::organisation_of(tx, id).await? != Some(caller.organisation) {
        return Err(Refusal::NoSuchEndpoint { endpoint: id }.into());
    }
    Ok(())
}

/// As it is while nobody else changes it.
async fn held(tx: &mut Tx, caller: &Caller, id: EndpointId) -> Result<Endpoint> {
    event_endpoints::hold(tx, id).await?;
    Ok(own(event_endpoints::by_id(tx, id).await?, caller, id)?)
}
