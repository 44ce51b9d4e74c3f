//! What goes into the log of a webhook that does not do: one line in a while, however many encoders ask for it. Decides it; logs nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use afterlive_domain::OrganisationId;
use tokio::time::Instant;

/// So long nothing more is said of an organisation's webhook.
const SAID_ONCE_IN: Duration = Duration::from_secs(10);

/// By organisation. Those that were ever needed stay: there are not more than organisations.
#[derive(Clone, Default)]
pub(super) struct Hush(Arc<Mutex<HashMap<OrganisationId, Said>>>);

struct Said {
    at: Instant,
    unsaid: u64,
}

impl Hush {
    /// Whether to say it; with how much was not said since something was.
    pub(super) fn says(&self, organisation: OrganisationId) -> Option<u64> {
        self.says_at(organisation, Instant::now())
    }

    fn says_at(&self, organisation: OrganisationId, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match said.get_mut(&organisation) {
            Some(before) if now - before.at < SAID_ONCE_IN => {
                before.unsaid += 1;
                None
            }
            before => {
                let unsaid = before.map_or(0, |before| before.unsaid);
                said.insert(organisation, Said { at: now, unsaid: 0 });
                Some(unsaid)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn of_a_flood_one_line_is_said_in_a_while_and_how_many_were_not() {
        let (hush, now) = (Hush::default(), Instant::now());
        let (one, other) = (OrganisationId(Uuid::from_u128(1)), OrganisationId(Uuid::from_u128(2)));
        assert_eq!(hush.says_at(one, now), Some(0));
        assert!((0..1_000).all(|_| hush.says_at(one, now + SAID_ONCE_IN / 2).is_none()));
        assert_eq!(hush.says_at(other, now), Some(0));
        assert_eq!(hush.says_at(one, now + SAID_ONCE_IN), Some(1_000));
    }
}
