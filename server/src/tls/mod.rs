//! The certificate by which this server is known, taken anew when its files change, and the handshakes that are made with it. Knows nothing of what is
//! spoken over the connections that come of them.

mod pair;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use afterlive_domain::UnixMillis;
use futures::{Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

pub use self::pair::{Error, Files, validity};
use self::pair::{Pair, Stamp};
use crate::admission::Admission;
use crate::clock::Clock;

/// A handshake takes some round trips; one that takes longer is given up.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes at a time of one listener. With more the one that has taken longest makes room, so that those who only begin one keep nobody out.
const MAX_HANDSHAKES: usize = 1_024;
/// The same of one address, behind which there may be a whole office whose browsers all come back at once.
const MAX_HANDSHAKES_PER_ADDRESS: usize = 512;
/// How often the files are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often it is told that the certificate is about to expire.
const TELL_EXPIRY_EVERY_MS: i64 = 86_400_000;
/// The first byte of every TLS connection: a record of a handshake.
const HANDSHAKE_RECORD: u8 = 0x16;

/// What is served now. New connections get the newest; those that are there go on.
pub struct Certificate {
    files: Files,
    /// By which people and programs come.
    hosts: Vec<String>,
    clock: Clock,
    current: RwLock<Arc<CertifiedKey>>,
    seen: Mutex<Seen>,
}

/// What was found when the files were last read.
struct Seen {
    /// From before they were read.
    stamps: [Option<Stamp>; 2],
    pair: Pair,
    /// Why they were no pair. They are read again at each look then: what was in the way, as the rights to read them, need not change the files.
    failed: Option<String>,
    told_expiry_at: UnixMillis,
}

impl Certificate {
    /// Reads the files, and warns of what somebody should see to. Blocks.
    ///
    /// # Errors
    /// Where they are no pair that can be served.
    pub fn open(files: Files, hosts: Vec<String>, clock: Clock) -> Result<Arc<Self>, Error> {
        let stamps = files.stamps();
        let pair = files.read(&hosts)?;
        let now = clock.now();
        tell(&pair, now);
        let current = RwLock::new(Arc::new(pair.key.clone()));
        Ok(Arc::new(Self {
            files,
            hosts,
            clock,
            current,
            seen: Mutex::new(Seen { stamps, pair, failed: None, told_expiry_at: now }),
        }))
    }

    /// Looks at the files each `every`, and when `now` says so, until `stop`. What is no pair is told once, and changes nothing.
    pub async fn watch(self: Arc<Self>, every: Duration, mut now: impl Stream<Item = ()> + Unpin, stop: CancellationToken) {
        let mut looks = interval(every);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {}
                Some(()) = now.next() => {}
            }
            let this = Arc::clone(&self);
            // The files may lie on a disk that does not answer.
            if let Err(cause) = tokio::task::spawn_blocking(move || this.look()).await {
                tracing::error!(%cause, "the certificate's files could not be looked at");
            }
        }
    }

    fn look(&self) {
        let now = self.clock.now();
        let stamps = self.files.stamps();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if stamps == seen.stamps && seen.failed.is_none() {
            if now.ms_since(seen.told_expiry_at) >= TELL_EXPIRY_EVERY_MS
                && let Some(warning) = seen.pair.expiry_warning(now)
            {
                seen.told_expiry_at = now;
                tell_expiry(&seen.pair, now, &warning);
            }
            return;
        }
        seen.stamps = stamps;
        match self.files.read(&self.hosts) {
            Ok(pair) => {
                tracing::info!(valid_until = pair.valid_until(), "another certificate is served from now on");
                tell(&pair, now);
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair.key.clone());
                (seen.pair, seen.failed, seen.told_expiry_at) = (pair, None, now);
            }
            Err(cause) => {
                let cause = cause.to_string();
                if seen.failed.as_ref() != Some(&cause) {
                    tracing::warn!(
                        cause,
                        "the certificate's files have changed and are no pair: the one before is served on until they are one"
                    );
                }
                seen.failed = Some(cause);
            }
        }
    }
}

/// What somebody should see to.
fn tell(pair: &Pair, now: UnixMillis) {
    for warning in &pair.warnings {
        tracing::warn!("{warning}");
    }
    if let Some(warning) = pair.expiry_warning(now) {
        tell_expiry(pair, now, &warning);
    }
}

/// By then whatever renews it has failed for a while.
fn tell_expiry(pair: &Pair, now: UnixMillis, warning: &str) {
    if pair.is_nearly_over(now) {
        tracing::error!("{warning}");
    } else {
        tracing::warn!("{warning}");
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    /// Whatever name is asked for: who comes by another one learns from the certificate that it is not theirs.
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Why there is no TLS connection.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("the handshake failed: {0}")]
    Handshake(#[from] io::Error),
    #[error("the peer left")]
    Left,
    #[error("the handshake took too long")]
    TooSlow,
    #[error("there were too many handshakes at a time")]
    TooMany,
    /// Nothing of what it sent has been read.
    #[error("the peer does not speak TLS")]
    NotTls(TcpStream),
}

/// Makes handshakes. Clones share their limits.
#[derive(Clone)]
pub struct Acceptor {
    acceptor: TlsAcceptor,
    handshakes: Admission,
    patience: Duration,
}

impl Acceptor {
    /// For connections that speak one of these protocols (ALPN); without any it is not negotiated.
    ///
    /// # Errors
    /// Where the system has no randomness to give.
    pub fn new(certificate: &Arc<Certificate>, protocols: &[&str]) -> Result<Self, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Certificate>::clone(certificate);
        // TLS 1.2 and 1.3.
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        // Who comes back brings what is needed for a shorter handshake; nothing is kept here.
        config.ticketer = ring::Ticketer::new()?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            handshakes: Admission::new(MAX_HANDSHAKES, MAX_HANDSHAKES_PER_ADDRESS),
            patience: HANDSHAKE_TIMEOUT,
        })
    }

    /// The same with room for so many handshakes at a time, and of one address.
    #[must_use]
    pub fn with_room(mut self, max: usize, max_per_address: usize) -> Self {
        self.handshakes = Admission::new(max, max_per_address);
        self
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes the handshake over what `wrap` makes of the socket. Safe to cancel, which closes the connection.
    ///
    /// # Errors
    /// Where none comes about. All are the peer's affair, and none is worth more than a line for those who look for it.
    pub async fn accept<S>(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        wrap: impl FnOnce(TcpStream) -> S,
    ) -> Result<TlsStream<S>, Failed>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let ticket = self.handshakes.admit(peer.ip()).ok_or(Failed::TooMany)?;
        let shaking = async {
            let mut first = [0];
            match socket.peek(&mut first).await? {
                0 => Err(Failed::Left),
                _ if first[0] != HANDSHAKE_RECORD => Err(Failed::NotTls(socket)),
                _ => Ok(self.acceptor.accept(wrap(socket)).await?),
            }
        };
        tokio::select! {
            shaken = timeout(self.patience, shaking) => shaken.unwrap_or(Err(Failed::TooSlow)),
            () = ticket.evicted() => Err(Failed::TooMany),
        }
    }
}

#[cfg(test)]
mod tests;
