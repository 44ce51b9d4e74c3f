//! From the services' terms to the pages': where programs are told of events, and what they were told. Decides nothing and reads nothing.

use afterlive_app::backend::{DeliveryRow, EndpointPage, EndpointRow};
use afterlive_domain::UnixMillis;

use crate::db::delivery_log::Delivery;
use crate::db::event_endpoints::Endpoint;
use crate::service::DeliveryPage;

pub(super) fn row(endpoint: Endpoint) -> EndpointRow {
    EndpointRow {
        id: endpoint.id,
        url: endpoint.url.into(),
        kinds: endpoint.kinds,
        enabled: endpoint.enabled,
        gone_at: endpoint.gone_at,
        failing_since: endpoint.failing_since,
        created_at: endpoint.created_at,
    }
}

pub(super) fn page(endpoint: Endpoint, page: DeliveryPage, now: UnixMillis) -> EndpointPage {
    let old_secret_until = endpoint.old_secret.as_ref().map(|(_, until)| *until).filter(|until| *until > now);
    EndpointPage {
        secret: endpoint.secret.as_str().to_owned(),
        old_secret_until,
        endpoint: row(endpoint),
        deliveries: page.deliveries.into_iter().map(delivery).collect(),
        next: page.next.map(|place| place.to_string()),
    }
}

fn delivery(delivery: Delivery) -> DeliveryRow {
    DeliveryRow {
        id: delivery.message,
        kind: delivery.kind,
        stream: delivery.stream,
        asset: delivery.asset,
        at: delivery.at,
        state: delivery.state,
        attempts: delivery.attempts,
        last_status: delivery.last_status,
        last_reason: delivery.last_reason,
        next_at: delivery.next_at,
    }
}
