//! Whom a datagram is for: peers by the name that ICE gave them, and by the addresses at which they were found. Holds no socket.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use tokio::sync::mpsc;

use super::{MAX_ADDRESSES_PER_PEER, stun};
use crate::address::subscriber;

/// What arrived.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) source: SocketAddr,
    pub(super) at: Instant,
    pub(super) bytes: Box<[u8]>,
}

#[derive(Debug)]
struct Entry {
    inbox: mpsc::Sender<Datagram>,
    addresses: Vec<SocketAddr>,
    client: IpAddr,
}

/// The peers of a node.
#[derive(Default, Debug)]
pub(super) struct Table {
    /// By their local `ice-ufrag`.
    peers: HashMap<String, Entry>,
    by_address: HashMap<SocketAddr, String>,
    by_client: HashMap<IpAddr, usize>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// How many peers the one has who asks for another.
    pub(super) fn of_client(&self, client: IpAddr) -> usize {
        self.by_client.get(&subscriber(client)).copied().unwrap_or(0)
    }

    pub(super) fn enter(&mut self, name: String, client: IpAddr, inbox: mpsc::Sender<Datagram>) {
        let client = subscriber(client);
        *self.by_client.entry(client).or_default() += 1;
        self.peers.insert(name, Entry { inbox, addresses: Vec::new(), client });
    }

    pub(super) fn leave(&mut self, name: &str) {
        let Some(entry) = self.peers.remove(name) else { return };
        for address in entry.addresses {
            self.by_address.remove(&address);
        }
        if let Some(count) = self.by_client.get_mut(&entry.client) {
            *count -= 1;
            if *count == 0 {
                self.by_client.remove(&entry.client);
            }
        }
    }

    /// The peer has shown that it is to be reached there. Whoever shows it first keeps the address: nobody takes another's place by a forged sender.
    pub(super) fn found_at(&mut self, name: &str, address: SocketAddr) {
        let Some(entry) = self.peers.get_mut(name) else { return };
        if entry.addresses.len() < MAX_ADDRESSES_PER_PEER && !self.by_address.contains_key(&address) {
            entry.addresses.push(address);
            self.by_address.insert(address, name.to_owned());
        }
    }

    /// Where a datagram goes. A binding request names its addressee; all else belongs to who was found at its source.
    pub(super) fn inbox_of(&self, source: SocketAddr, bytes: &[u8]) -> Option<&mpsc::Sender<Datagram>> {
        let name = match stun::addressee(bytes) {
            Some(name) => name,
            None => self.by_address.get(&source)?,
        };
        self.peers.get(name).map(|entry| &entry.inbox)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"\0\x01\0\x10\x21\x12\xa4\x42............\0\x06\0\x09ours:them\0\0\0";

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn strangers_are_heard_by_name_and_the_known_by_their_address() {
        let (ours, _ours) = mpsc::channel(1);
        let (other, _other) = mpsc::channel(1);
        let mut table = Table::default();
        table.enter("ours".to_owned(), address(0).ip(), ours.clone());
        table.enter("other".to_owned(), address(0).ip(), other.clone());
        assert!(table.inbox_of(address(1), REQUEST).unwrap().same_channel(&ours));
        assert!(table.inbox_of(address(1), &[0x80, 0]).is_none());
        table.found_at("ours", address(1));
        table.found_at("other", address(1));
        assert!(table.inbox_of(address(1), &[0x80, 0]).unwrap().same_channel(&ours));
        table.leave("ours");
        assert!(table.inbox_of(address(1), &[0x80, 0]).is_none());
        assert!(table.inbox_of(address(1), REQUEST).is_none());
        table.found_at("other", address(1));
        assert!(table.inbox_of(address(1), &[0x80, 0]).unwrap().same_channel(&other));
    }

    #[test]
    fn peers_are_counted_by_who_asked_for_them() {
        let mut table = Table::default();
        let (inbox, _heard) = mpsc::channel(1);
        table.enter("a".to_owned(), address(0).ip(), inbox.clone());
        table.enter("b".to_owned(), address(0).ip(), inbox);
        table.leave("a");
        table.leave("a");
        assert_eq!((table.len(), table.of_client(address(0).ip())), (1, 1));
        table.leave("b");
        assert_eq!(table.of_client(address(0).ip()), 0);
    }
}
