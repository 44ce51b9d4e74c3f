//! The addresses at which peers reach the node's socket. Asks the system for its own, and the resolver for names.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::MAX_CANDIDATES;

/// What an answer names: what the settings say, else what `local` listens on.
///
/// # Errors
/// Where a name cannot be resolved, or the system does not tell its addresses.
pub(super) async fn candidates(settings: &[String], local: SocketAddr) -> io::Result<Vec<SocketAddr>> {
    let mut found = Vec::new();
    for candidate in settings {
        found.extend(resolve(candidate, local.port()).await?);
    }
    if settings.is_empty() {
        found = match local.ip() {
            ip if ip.is_unspecified() => of_this_machine(ip)?.into_iter().map(|ip| SocketAddr::new(ip, local.port())).collect(),
            _ => vec![local],
        };
    }
    found.truncate(MAX_CANDIDATES);
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "this machine has no address that a peer could reach"));
    }
    Ok(found)
}

async fn resolve(candidate: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = candidate.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    if let Ok(address) = candidate.parse::<SocketAddr>() {
        return Ok(vec![address]);
    }
    let with_port = if candidate.contains(':') { candidate.to_owned() } else { format!("{candidate}:{port}") };
    let found: Vec<SocketAddr> = tokio::net::lookup_host(&with_port).await?.collect();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{candidate} has no address")));
    }
    Ok(found)
}

/// Addresses of this machine, those that others can reach first. Those of one link only are left out: a browser cannot say which link.
fn of_this_machine(unspecified: IpAddr) -> io::Result<Vec<IpAddr>> {
    let mut found: Vec<IpAddr> = if_addrs::get_if_addrs()?
        .into_iter()
        .filter(|interface| !interface.is_link_local())
        .map(|interface| interface.ip())
        .filter(|ip| ip.is_ipv4() || unspecified.is_ipv6())
        .collect();
    found.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6(), *ip));
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn candidates_are_what_is_set_or_what_is_listened_on() {
        let local: SocketAddr = "127.0.0.1:8189".parse().unwrap();
        assert_eq!(candidates(&[], local).await.unwrap(), [local]);
        let set = ["203.0.113.9".to_owned(), "203.0.113.9:9000".to_owned(), "2001:db8::1".to_owned(), "localhost".to_owned()];
        let found = candidates(&set, "0.0.0.0:8189".parse().unwrap()).await.unwrap();
        let expected = ["203.0.113.9:8189", "203.0.113.9:9000", "[2001:db8::1]:8189"].map(|text| text.parse().unwrap());
        assert_eq!(found[..3], expected);
        assert!(found[3].ip().is_loopback() && found[3].port() == 8189);
        assert!(candidates(&["no such name.invalid".to_owned()], local).await.is_err());
    }

    #[tokio::test]
    async fn all_addresses_of_the_machine_stand_for_the_unspecified_one() {
        let found = candidates(&[], "0.0.0.0:8189".parse().unwrap()).await.unwrap();
        assert!(found.contains(&"127.0.0.1:8189".parse().unwrap()));
        assert!(found.iter().all(SocketAddr::is_ipv4));
    }
}
