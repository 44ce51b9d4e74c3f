//! The fake's endpoints for events, and what they were told: the same for each.

use afterlive_domain::{DeliveryState, EndpointId, MessageId};
use uuid::Uuid;

use super::{ENDED, LIVE, NOW, State, asset_id};
use crate::backend::{Answer, BackendError, DeliveryRow, EndpointForm, EndpointPage, EndpointRow};

/// The first that is made.
pub const ENDPOINT: EndpointId = EndpointId(Uuid::from_u128(0xe0d));
/// What signs before it is rotated.
pub const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(super) fn deliveries() -> Vec<DeliveryRow> {
    let row = |n: u128, kind: &str, state, attempts, last_status, last_reason: Option<&str>| DeliveryRow {
        id: MessageId(Uuid::from_u128(n)),
        kind: kind.into(),
        stream: Some(LIVE),
        has_stream: true,
        asset: kind.starts_with("asset").then(|| asset_id(LIVE, 1)),
        at: NOW.plus_ms(-60_000),
        state,
        attempts,
        last_status,
        last_reason: last_reason.map(str::to_owned),
        next_at: (state == DeliveryState::Waiting).then(|| NOW.plus_ms(120_000)),
    };
    vec![
        row(4, "stream.live", DeliveryState::Queued, 0, None, None),
        row(3, "asset.ready", DeliveryState::Waiting, 3, Some(503), Some("it answered 503")),
        row(2, "stream.ended", DeliveryState::Delivered, 1, Some(200), None),
        // Deleted since, as far as this list is concerned.
        DeliveryRow {
            stream: Some(ENDED),
            has_stream: false,
            ..row(5, "stream.ended", DeliveryState::Delivered, 1, Some(200), None)
        },
        row(1, "stream.live", DeliveryState::Failed, 13, None, Some("its host cannot be found")),
    ]
}

pub(super) fn add_test(state: &mut State) {
    let id = MessageId(Uuid::from_u128(100 + state.deliveries.len() as u128));
    let row = DeliveryRow {
        id,
        kind: "test".into(),
        stream: None,
        has_stream: false,
        asset: None,
        at: NOW,
        state: DeliveryState::Delivered,
        attempts: 1,
        last_status: Some(204),
        last_reason: None,
        next_at: None,
    };
    state.deliveries.insert(0, row);
}

impl State {
    pub(super) fn endpoints(&self) -> Answer<Vec<EndpointRow>> {
        Ok(self.endpoints.clone())
    }

    pub(super) fn endpoint_page(&self, id: EndpointId) -> Answer<EndpointPage> {
        let endpoint = self.endpoints.iter().find(|row| row.id == id).cloned().ok_or(BackendError::NotFound)?;
        Ok(EndpointPage {
            endpoint,
            secret: if !self.endpoints_are_readable {
                String::new()
            } else if self.secret_rotations == 0 {
                WHSEC.into()
            } else {
                format!("{WHSEC}{}", self.secret_rotations)
            },
            old_secret_until: (self.secret_rotations > 0).then(|| NOW.plus_ms(86_400_000)),
            deliveries: self.deliveries.clone(),
            next: None,
        })
    }

    pub(super) fn add_endpoint(&mut self, form: EndpointForm) -> EndpointId {
        let id = EndpointId(Uuid::from_u128(ENDPOINT.0.as_u128() + self.endpoints.len() as u128));
        self.endpoints.push(EndpointRow {
            id,
            url: form.url.into(),
            kinds: form.kinds,
            enabled: true,
            is_readable: self.endpoints_are_readable,
            gone_at: None,
            failing_since: None,
            created_at: NOW,
        });
        id
    }

    pub(super) fn set_endpoint(&mut self, id: EndpointId, form: EndpointForm) {
        if let Some(row) = self.endpoints.iter_mut().find(|row| row.id == id) {
            *row = EndpointRow { url: form.url.into(), kinds: form.kinds, ..row.clone() };
        }
    }

    pub(super) fn resend(&mut self, delivery: MessageId) {
        for row in self.deliveries.iter_mut().filter(|row| row.id == delivery) {
            *row = DeliveryRow {
                state: DeliveryState::Delivered,
                attempts: 1,
                last_status: Some(200),
                last_reason: None,
                ..row.clone()
            };
        }
    }
}
