//! Connections that users make the server open by what they set: the name is looked up once, and what is connected to is an address that was looked at. Knows
//! nothing of what is spoken over them, nor of who set the name.

mod address;

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::address::is_public;

/// Names looked up at a time. Their threads are those of all blocking work, and one whose resolver does not answer is kept long after nobody waits for it.
const MAX_LOOKUPS: usize = 32;

static LOOKUPS: Semaphore = Semaphore::const_new(MAX_LOOKUPS);

/// Where the server may be led.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// To the public network only, and neither to this machine nor to its neighbours.
    Public,
    Anywhere,
}

impl Reach {
    /// As the setting says.
    #[must_use]
    pub fn with_private(allow_private: bool) -> Self {
        if allow_private { Self::Anywhere } else { Self::Public }
    }

    fn has(self, address: SocketAddr) -> bool {
        self == Self::Anywhere || is_public(address.ip())
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the host cannot be found")]
    NoSuchHost,
    #[error("the host is in a private network")]
    Private,
    #[error("no connection is to be had: {0}")]
    NoConnection(#[from] io::Error),
    #[error("no connection is to be had in time")]
    NotInTime,
}

/// Connects to the first of the host's addresses that is in reach and takes it. Looking the name up may take `patience`, and so may connecting.
///
/// # Errors
/// [`Error`], without the host's name in it.
pub async fn connect(host: &str, port: u16, reach: Reach, patience: Duration) -> Result<TcpStream, Error> {
    let found = timeout(patience, look_up(host, port)).await.unwrap_or_default();
    if found.is_empty() {
        return Err(Error::NoSuchHost);
    }
    let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| reach.has(*address)).collect();
    if allowed.is_empty() {
        return Err(Error::Private);
    }
    // Not to a name, which may mean another address a moment later.
    let socket = timeout(patience, TcpStream::connect(&*allowed)).await.map_err(|_| Error::NotInTime)??;
    // What is said is said at once; one that cannot be told so is as good, but slower.
    let _ = socket.set_nodelay(true);
    Ok(socket)
}

/// Nothing where there is no such host.
async fn look_up(host: &str, port: u16) -> Vec<SocketAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return vec![SocketAddr::new(address, port)];
    }
    // It is never closed.
    let Ok(place) = LOOKUPS.acquire().await else { return Vec::new() };
    let host = host.to_owned();
    let looking = tokio::task::spawn_blocking(move || {
        let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        drop(place);
        found
    });
    looking.await.ok().and_then(Result::ok).unwrap_or_default()
}
