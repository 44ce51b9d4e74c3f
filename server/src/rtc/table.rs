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

/// What a peer is here for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Publisher,
    Viewer,
}

/// How many peers there may be.
#[derive(Clone, Copy, Debug)]
struct Limits {
    all: usize,
    /// A studio or a school behind one router, but never all there is. Of each role.
    of_client: usize,
    /// The others are for publishers: whoever publishes has named a stream, and viewers may be anybody.
    viewers: usize,
    /// Of viewers of whom nothing is known but their offer: one that is there connects within a second.
    unconnected: usize,
    unconnected_of_client: usize,
}

impl Limits {
    fn of(all: usize) -> Self {
        Self {
            all,
            of_client: (all / 2).max(1),
            viewers: all - all / 4,
            unconnected: (all / 4).max(1),
            unconnected_of_client: (all / 8).max(1),
        }
    }
}

#[derive(Debug)]
struct Entry {
    role: Role,
    inbox: mpsc::Sender<Datagram>,
    addresses: Vec<SocketAddr>,
    client: IpAddr,
    is_connected: bool,
}

/// The peers of a node.
#[derive(Debug)]
pub(super) struct Table {
    limits: Limits,
    /// By their local `ice-ufrag`.
    peers: HashMap<String, Entry>,
    by_address: HashMap<SocketAddr, String>,
}

impl Table {
    pub(super) fn new(max_peers: usize) -> Self {
        Self { limits: Limits::of(max_peers), peers: HashMap::new(), by_address: HashMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there is a place for another peer.
    pub(super) fn has_room(&self, role: Role, client: IpAddr) -> bool {
        let (client, limits) = (subscriber(client), &self.limits);
        let count =
            |is_meant: &dyn Fn(&Entry) -> bool| self.peers.values().filter(|entry| entry.role == role && is_meant(entry)).count();
        if self.peers.len() >= limits.all || count(&|entry| entry.client == client) >= limits.of_client {
            return false;
        }
        role == Role::Publisher
            || count(&|_| true) < limits.viewers
                && count(&|entry| !entry.is_connected) < limits.unconnected
                && count(&|entry| !entry.is_connected && entry.client == client) < limits.unconnected_of_client
    }

    pub(super) fn enter(&mut self, name: String, role: Role, client: IpAddr, inbox: mpsc::Sender<Datagram>) {
        let entry = Entry { role, inbox, addresses: Vec::new(), client: subscriber(client), is_connected: false };
        self.peers.insert(name, entry);
    }

    /// The peer has got through with DTLS.
    pub(super) fn connected(&mut self, name: &str) {
        if let Some(entry) = self.peers.get_mut(name) {
            entry.is_connected = true;
        }
    }

    pub(super) fn leave(&mut self, name: &str) {
        let Some(entry) = self.peers.remove(name) else { return };
        for address in entry.addresses {
            self.by_address.remove(&address);
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
        let mut table = Table::new(8);
        table.enter("ours".to_owned(), Role::Publisher, address(0).ip(), ours.clone());
        table.enter("other".to_owned(), Role::Publisher, address(0).ip(), other.clone());
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

    /// Lets viewers of so many addresses in until there is no room: their names.
    fn fill(table: &mut Table, addresses: u8, connected: bool) -> Vec<String> {
        let (inbox, mut names) = (mpsc::channel(1).0, Vec::new());
        for client in (0..addresses).map(|n| IpAddr::from([198, 51, 100, n])) {
            while table.has_room(Role::Viewer, client) {
                let name = uuid::Uuid::new_v4().to_string();
                table.enter(name.clone(), Role::Viewer, client, inbox.clone());
                if connected {
                    table.connected(&name);
                }
                names.push(name);
            }
        }
        names
    }

    #[test]
    fn viewers_never_take_the_places_of_publishers() {
        let mut table = Table::new(40);
        let viewers = fill(&mut table, 1, true);
        assert_eq!(viewers.len(), 20, "half of them from one address");
        assert_eq!(fill(&mut table, 9, true).len(), 10);
        let (inbox, _heard) = mpsc::channel(1);
        // Also from an address that has many viewers.
        for n in 0..10 {
            assert!(table.has_room(Role::Publisher, IpAddr::from([198, 51, 100, 0])));
            table.enter(format!("publisher {n}"), Role::Publisher, IpAddr::from([198, 51, 100, 0]), inbox.clone());
        }
        assert!(!table.has_room(Role::Publisher, address(0).ip()), "there are no more in all");
        table.leave(&viewers[0]);
        table.leave(&viewers[0]);
        assert!(table.has_room(Role::Publisher, address(0).ip()));
    }

    #[test]
    fn of_viewers_that_do_not_connect_there_are_few() {
        let mut table = Table::new(40);
        let strangers = fill(&mut table, 1, false);
        assert_eq!(strangers.len(), 5);
        assert_eq!(fill(&mut table, 9, false).len(), 5);
        table.connected(&strangers[0]);
        assert_eq!(fill(&mut table, 1, false).len(), 1);
        table.leave(&strangers[1]);
        assert_eq!(fill(&mut table, 1, false).len(), 1);
    }

    #[test]
    fn the_least_setting_takes_one() {
        for role in [Role::Publisher, Role::Viewer] {
            assert!(Table::new(1).has_room(role, address(0).ip()));
        }
    }
}
