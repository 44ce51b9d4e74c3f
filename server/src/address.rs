//! Who stands behind an address, for what is counted by it, and networks of addresses as people write them.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

/// What stands for one customer: an address, or in IPv6 the network of 64 bits that each has.
#[must_use]
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// A network as people write it, `203.0.113.0/24`, or an address, which is one of itself.
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let address = || text.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical()));
    address().or_else(|| text.parse::<IpNet>().ok().map(|network| network.trunc()))
}

/// Some networks. Clones share them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Networks(Arc<[IpNet]>);

impl Networks {
    /// Whether the address, mapped or not, is in one of them.
    #[must_use]
    pub fn have(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_in_a_network_however_either_is_written() {
        let networks: Networks =
            ["10.1.2.3/8", "2001:db8::/32", "::ffff:192.0.2.1"].into_iter().map(|text| network(text).unwrap()).collect();
        for address in ["10.255.0.1", "::ffff:10.0.0.1", "2001:db8:ffff::1", "192.0.2.1"] {
            assert!(networks.have(ip(address)), "{address}");
        }
        for address in ["11.0.0.1", "192.0.2.2", "2001:db9::1", "::1"] {
            assert!(!networks.have(ip(address)), "{address}");
        }
        assert_eq!((network("proxy"), network("10.0.0.0/33")), (None, None));
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_a_mapped_address_as_itself() {
        assert_eq!(subscriber(ip("2001:db8:1:2:3::4")), subscriber(ip("2001:db8:1:2::")));
        assert_ne!(subscriber(ip("2001:db8:1:3::")), subscriber(ip("2001:db8:1:2::")));
        assert_eq!(subscriber(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    }
}
