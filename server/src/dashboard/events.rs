//! From the services' terms to the pages': where programs are told of events, and what they were told. Decides nothing and reads nothing.

use afterlive_app::backend::{BackendError, DeliveryRow, EndpointPage, EndpointRow};
use afterlive_domain::{Error as Refusal, UnixMillis};

use super::Dashboard;
use crate::db::delivery_log::Delivery;
use crate::db::event_deliveries::{IS_BARE, IS_OFF, IS_QUEUED, IS_SENT, TEST_IS_OPEN};
use crate::db::event_endpoints::{Found, Unreadable};
use crate::service::{self, DeliveryPage, too_many_endpoints};

impl Dashboard {
    /// As [`Dashboard::error`], of what is done with endpoints.
    pub(super) fn of_endpoints(&self, error: &service::Error) -> BackendError {
        let told = match error {
            service::Error::Refused(refused) => refusal(refused),
            _ => None,
        };
        told.unwrap_or_else(|| self.error(error))
    }
}

/// What the reader can do about a state that does not allow something; `None` where it is none of endpoints.
fn refusal(refused: &Refusal) -> Option<BackendError> {
    let Refusal::WrongState { state } = refused else { return None };
    let told = match state.as_str() {
        IS_OFF => "The endpoint is switched off. Switch it on first.",
        TEST_IS_OPEN => "A test of this endpoint is under way. Send another when that is over.",
        IS_SENT => "It is being sent at this moment. Look at what comes of it first.",
        IS_QUEUED => "It waits behind an earlier one of its stream, and is sent after that. Send the earlier one again.",
        IS_BARE => "It has not been sent yet. It is sent in its turn: just wait.",
        state if state == too_many_endpoints() => "There are as many endpoints as there may be. Delete one first.",
        _ => return None,
    };
    Some(BackendError::Refused(told.to_owned()))
}

pub(super) fn row(found: Found) -> EndpointRow {
    match found {
        Ok(endpoint) => EndpointRow {
            id: endpoint.id,
            url: endpoint.url.into(),
            kinds: endpoint.kinds,
            enabled: endpoint.enabled,
            is_readable: true,
            gone_at: endpoint.gone_at,
            failing_since: endpoint.failing_since,
            created_at: endpoint.created_at,
        },
        Err(Unreadable { id, url, kinds, enabled, created_at, .. }) => {
            EndpointRow { id, url, kinds, enabled, is_readable: false, gone_at: None, failing_since: None, created_at }
        }
    }
}

pub(super) fn page(found: Found, page: DeliveryPage, now: UnixMillis) -> EndpointPage {
    let (secret, old_secret_until) = match &found {
        Ok(endpoint) => {
            let old_until = endpoint.old_secret.as_ref().map(|(_, until)| *until).filter(|until| *until > now);
            (endpoint.secret.as_str().to_owned(), old_until)
        }
        Err(_) => (String::new(), None),
    };
    EndpointPage {
        secret,
        old_secret_until,
        endpoint: row(found),
        deliveries: page.deliveries.into_iter().map(delivery).collect(),
        next: page.next.map(|place| place.to_string()),
    }
}

fn delivery(delivery: Delivery) -> DeliveryRow {
    DeliveryRow {
        id: delivery.message,
        kind: delivery.kind,
        stream: delivery.stream,
        has_stream: delivery.has_stream,
        asset: delivery.asset,
        at: delivery.at,
        state: delivery.state,
        attempts: delivery.attempts,
        last_status: delivery.last_status,
        last_reason: delivery.last_reason,
        next_at: delivery.next_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_state_does_not_allow_is_told_in_sentences_that_say_what_to_do() {
        let too_many = too_many_endpoints();
        for state in [IS_OFF, TEST_IS_OPEN, IS_SENT, IS_QUEUED, IS_BARE, too_many.as_str()] {
            let Some(BackendError::Refused(told)) = refusal(&Refusal::WrongState { state: state.to_owned() }) else {
                panic!("no words for {state:?}")
            };
            assert!(told.starts_with(char::is_uppercase) && told.ends_with('.') && told.matches(". ").count() == 1, "{told}");
        }
        assert_eq!(refusal(&Refusal::WrongState { state: "deleted".to_owned() }), None);
    }
}
