//! How many event streams there are, and whose: of all, of one address, of one organisation. Knows nothing of what is told on them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use afterlive_domain::OrganisationId;

use crate::address::subscriber;

/// What a stream's hearer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// Is signed in, and hears of their own organisation.
    Member,
    /// Anybody who may watch a stream, and hears of that.
    Guest,
}

/// How many streams there may be.
#[derive(Clone, Copy, Debug)]
struct Limits {
    all: usize,
    /// The others are for members: guests may be anybody.
    guests: usize,
    /// An office or a school behind one router. Of each role, so that guests at an address take nothing from its members.
    of_address: usize,
    /// Of each role, so that nobody's audience and nobody's users take all that there is.
    of_organisation: usize,
}

impl Limits {
    fn of(all: usize) -> Self {
        Self { all, guests: all - all / 4, of_address: (all / 4).max(1), of_organisation: (all / 2).max(1) }
    }
}

/// Who hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hearer {
    pub(super) role: Role,
    pub(super) address: IpAddr,
    /// Of which they hear.
    pub(super) organisation: OrganisationId,
}

/// Counts the streams. Clones count together.
#[derive(Clone)]
pub(super) struct Places {
    limits: Limits,
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    next_id: u64,
    hearers: HashMap<u64, Hearer>,
}

impl Places {
    pub(super) fn new(max: usize) -> Self {
        Self { limits: Limits::of(max), open: Arc::default() }
    }

    /// A place for one more; `None` where there are as many as may be, of all or of those that it is one of.
    pub(super) fn take(&self, hearer: Hearer) -> Option<Place> {
        let (limits, hearer) = (self.limits, Hearer { address: subscriber(hearer.address), ..hearer });
        let mut open = self.open();
        let count = |is_meant: &dyn Fn(&Hearer) -> bool| {
            open.hearers.values().filter(|other| other.role == hearer.role && is_meant(other)).count()
        };
        let has_room = open.hearers.len() < limits.all
            && (hearer.role == Role::Member || count(&|_| true) < limits.guests)
            && count(&|other| other.address == hearer.address) < limits.of_address
            && count(&|other| other.organisation == hearer.organisation) < limits.of_organisation;
        if !has_room {
            return None;
        }
        let id = open.next_id;
        open.next_id += 1;
        open.hearers.insert(id, hearer);
        drop(open);
        Some(Place { all: self.clone(), id })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One stream's place. Dropping it frees the place.
pub(super) struct Place {
    all: Places,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.open().hearers.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn hearer(role: Role, address: u8, organisation: u128) -> Hearer {
        let organisation = OrganisationId(Uuid::from_u128(organisation));
        Hearer { role, address: IpAddr::from([192, 0, 2, address]), organisation }
    }

    /// Takes all places that such a hearer gets.
    fn fill(places: &Places, hearer: Hearer) -> Vec<Place> {
        std::iter::from_fn(|| places.take(hearer)).collect()
    }

    #[test]
    fn guests_of_one_address_take_a_part_and_nothing_from_who_is_signed_in_there() {
        let places = Places::new(40);
        let mut held = fill(&places, hearer(Role::Guest, 1, 1));
        assert_eq!(held.len(), 10);
        assert!(places.take(hearer(Role::Guest, 1, 2)).is_none(), "of another organisation's streams neither");
        assert!(places.take(hearer(Role::Guest, 2, 1)).is_some());
        assert!(places.take(hearer(Role::Member, 1, 1)).is_some());
        held.pop();
        assert_eq!(fill(&places, hearer(Role::Guest, 1, 1)).len(), 1);
    }

    #[test]
    fn neither_guests_nor_the_users_of_one_organisation_take_all() {
        let places = Places::new(40);
        let of_each = |role, organisation: u128| -> Vec<Place> {
            (0..40).flat_map(|address| fill(&places, hearer(role, address, organisation))).collect()
        };
        let audience = of_each(Role::Guest, 1);
        assert_eq!(audience.len(), 20, "one organisation's");
        let other = of_each(Role::Guest, 2);
        assert_eq!(other.len(), 10, "guests in all");
        assert_eq!(of_each(Role::Member, 1).len(), 10, "the rest");
        drop((audience, other));
        let users = of_each(Role::Member, 1);
        assert_eq!(users.len(), 20);
        assert!(places.take(hearer(Role::Member, 41, 2)).is_some());
    }
}
