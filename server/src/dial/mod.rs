//! Connections that users make the server open by what they set: the name is looked up once, and what is connected to is an address that was looked at. Knows
//! nothing of what is spoken over them, nor of who set the name.

mod address;
mod lookups;
mod mark;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use self::address::is_public;
pub use self::lookups::Lookups;
pub use self::mark::Mark;

/// How long a connection to an address may take where there is another: one SYN may be lost, but an address at which nobody is does not take the whole time.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(1_500);

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
    #[error("the host is this machine")]
    ThisMachine,
    #[error("no connection could be made: {0}")]
    NoConnection(#[from] io::Error),
    #[error("no connection could be made in time")]
    NotInTime,
}

/// Who wants the connection, and how.
pub struct Dial<'a> {
    pub lookups: &'a Lookups,
    /// Whose the name is: none has many lookups at a time.
    pub asker: &'a str,
    pub reach: Reach,
    /// Looking the name up may take so long, and so may connecting.
    pub patience: Duration,
}

impl Dial<'_> {
    /// Connects to the first of the host's addresses that is in reach and takes it.
    ///
    /// # Errors
    /// [`Error`], without the host's name in it.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Error> {
        let looking = timeout(self.patience, self.lookups.look_up(self.asker, host, port));
        let found = looking.await.map_err(|_| Error::NotInTime)?;
        if found.is_empty() {
            return Err(Error::NoSuchHost);
        }
        let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| self.reach.has(*address)).collect();
        if allowed.is_empty() {
            return Err(Error::Private);
        }
        // Not to a name, which may mean another address a moment later.
        let socket = connect_to_first(&allowed, self.patience).await?;
        if self.reach == Reach::Public && is_to_itself(&socket) {
            return Err(Error::ThisMachine);
        }
        // What is said is said at once; one that cannot be told so is as good, but slower.
        let _ = socket.set_nodelay(true);
        Ok(socket)
    }
}

/// Whether the other end is at an address of this machine, be it one of the public network.
fn is_to_itself(socket: &TcpStream) -> bool {
    let ip = |address: io::Result<SocketAddr>| address.map(|address| address.ip().to_canonical()).ok();
    ip(socket.peer_addr()).is_none_or(|theirs| theirs.is_loopback() || Some(theirs) == ip(socket.local_addr()))
}

async fn connect_to_first(addresses: &[SocketAddr], patience: Duration) -> Result<TcpStream, Error> {
    let end = Instant::now() + patience;
    let mut failed = Error::NotInTime;
    for (tried, address) in addresses.iter().enumerate() {
        let is_last = tried + 1 == addresses.len();
        let until = if is_last { end } else { end.min(Instant::now() + NEXT_ADDRESS_AFTER) };
        match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(cause)) => failed = Error::NoConnection(cause),
            Err(_) => failed = Error::NotInTime,
        }
    }
    Err(failed)
}

/// Whether the host, as it is written, can be out of reach only: what a name leads to is seen when it is looked up.
#[must_use]
pub fn is_out_of_reach(host: &str, reach: Reach) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_local = host == "localhost" || host.ends_with(".localhost");
    reach == Reach::Public && (is_local || host.parse::<IpAddr>().is_ok_and(|address| !is_public(address)))
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// Accepts nothing: once its queue is full, who connects hears nothing.
    async fn black_hole() -> (TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let (address, mut waiting) = (listener.local_addr().unwrap(), Vec::new());
        while let Ok(taken) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            waiting.push(taken.unwrap());
        }
        (listener, waiting)
    }

    #[tokio::test]
    async fn an_address_at_which_nobody_is_leaves_time_for_the_next() {
        let (nobody, _waiting) = black_hole().await;
        let somebody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [nobody.local_addr().unwrap(), somebody.local_addr().unwrap()];
        let socket = connect_to_first(&addresses, Duration::from_secs(60)).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), addresses[1]);
        let in_vain = connect_to_first(&addresses[..1], Duration::from_millis(100)).await;
        assert!(matches!(in_vain, Err(Error::NotInTime)));
    }

    #[tokio::test]
    async fn a_connection_to_an_own_address_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        assert!(is_to_itself(&socket));
    }

    #[test]
    fn what_is_out_of_reach_as_it_is_written_is_known() {
        for host in ["127.0.0.1", "::1", "10.1.2.3", "::ffff:192.168.0.1", "169.254.169.254", "localhost", "A.localhost."] {
            assert!(is_out_of_reach(host, Reach::Public), "{host}");
            assert!(!is_out_of_reach(host, Reach::Anywhere), "{host}");
        }
        for host in ["8.8.8.8", "2606:4700::1", "example.com", "localhost.example.com", "hooks"] {
            assert!(!is_out_of_reach(host, Reach::Public), "{host}");
        }
    }
}
