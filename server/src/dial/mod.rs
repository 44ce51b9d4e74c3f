//! Connections that users make the server open by what they set: the name is looked up once, and what is connected to is an address that was looked at. Knows
//! nothing of what is spoken over them, nor of who set the name.

mod address;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use self::address::is_public;

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
    let found = timeout(patience, tokio::net::lookup_host((host, port))).await;
    let found: Vec<SocketAddr> = found.map_err(|_| Error::NoSuchHost)?.map_err(|_| Error::NoSuchHost)?.collect();
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
