//! How many connections one address has, so that no single one takes all places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address::{Networks, subscriber};

/// Counts the connections of each address. Clones count together.
#[derive(Clone)]
pub(super) struct PerAddress {
    max: usize,
    /// Behind these are many; they are not counted.
    exempt: Networks,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl PerAddress {
    pub(super) fn new(max: usize, exempt: Networks) -> Self {
        Self { max, exempt, open: Arc::default() }
    }

    /// A place for one more; `None` where the address has as many as it may.
    pub(super) fn admit(&self, address: IpAddr) -> Option<AddressPlace> {
        if self.exempt.have(address) {
            return Some(AddressPlace { counted: None });
        }
        let address = subscriber(address);
        let mut open = self.open();
        let count = open.entry(address).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(AddressPlace { counted: Some((address, self.clone())) })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place. Dropping it frees the place.
pub(super) struct AddressPlace {
    counted: Option<(IpAddr, PerAddress)>,
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let Some((address, all)) = &self.counted else { return };
        let mut open = all.open();
        if let Some(count) = open.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                open.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::network;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_places_and_a_trusted_proxy_all() {
        let addresses = PerAddress::new(2, network("192.0.2.8/31").into_iter().collect());
        let places = [(); 2].map(|()| addresses.admit(ip("192.0.2.1")).unwrap());
        assert!(addresses.admit(ip("192.0.2.1")).is_none());
        assert!(addresses.admit(ip("::ffff:192.0.2.1")).is_none(), "the same, mapped");
        let others: Vec<_> = (0..5).map(|_| addresses.admit(ip("::ffff:192.0.2.9")).unwrap()).collect();
        drop(addresses.admit(ip("192.0.2.2")).unwrap());
        drop(places);
        assert!(addresses.open().is_empty(), "what nobody has is not kept");
        drop(others);
        assert!(addresses.admit(ip("192.0.2.1")).is_some());
    }
}
