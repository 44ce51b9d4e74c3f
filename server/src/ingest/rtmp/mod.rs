//! RTMP over tokio: sockets, time limits and caps, between the protocol in `media` and the gate, hub and viewers.
//! Knows neither chunks nor commands, and decides nothing about who may publish or watch.

mod connection;
mod play;
mod publish;
mod socket;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use afterlive_media::rtmp::Limits;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::gate::Gatekeeper;
use super::refusals::Refusals;
use super::usher::Usher;
use crate::admission::Admission;
use crate::config;
use crate::dial::Mark;
use crate::hub::Hub;
use crate::sound::Interpreter;
use crate::tls::Acceptor;

/// The most connections from one address: a studio behind one router, with room for its viewers.
const MAX_CONNECTIONS_PER_ADDRESS: usize = 500;
/// Longer than an encoder's network stalls in the ordinary course of things, and than that of a browser, which is heard many times a second.
const GIVES_WAY_AFTER: Duration = Duration::from_secs(5);
/// How long a peer may take to take what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the gate may take to answer.
const GATE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a peer that is being turned away may take to hear the reason and close.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long no connection is accepted where the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The server's patience.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    pub limits: Limits,
    /// From being accepted to having asked for a stream.
    pub handshake_timeout: Duration,
    /// Between two media messages of a publisher.
    pub idle_timeout: Duration,
    /// From the last byte of a publisher until another encoder may have the stream: the network may have gone without a word, and the encoder be back.
    pub gives_way_after: Duration,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
}

impl From<&config::Rtmp> for Settings {
    fn from(config: &config::Rtmp) -> Self {
        let limits = Limits {
            chunk_streams: config.max_chunk_streams,
            media_bytes: config.max_message_bytes,
            // One message of the largest size, and half of another beside it.
            partial_media_bytes: config.max_message_bytes + config.max_message_bytes / 2,
            ..Limits::default()
        };
        Self {
            limits,
            handshake_timeout: config.handshake_timeout,
            idle_timeout: config.idle_timeout,
            gives_way_after: GIVES_WAY_AFTER,
            max_connections: config.max_connections,
            max_connections_per_address: MAX_CONNECTIONS_PER_ADDRESS,
        }
    }
}

/// The RTMP server: encoders publish on `/live` and `/rec`, players watch on `/play`.
pub struct Server {
    settings: Settings,
    hub: Hub,
    gate: Arc<dyn Gatekeeper>,
    usher: Arc<dyn Usher>,
    interpreter: Interpreter,
    refusals: Refusals,
    own: Option<Mark>,
}

impl Server {
    #[must_use]
    pub fn new(settings: Settings, hub: Hub, gate: Arc<dyn Gatekeeper>, usher: Arc<dyn Usher>, interpreter: Interpreter) -> Self {
        Self { settings, hub, gate, usher, interpreter, refusals: Refusals::default(), own: None }
    }

    /// Takes nothing from the server's own pushes, which have this mark.
    #[must_use]
    pub fn turning_away(self, own: Mark) -> Self {
        Self { own: Some(own), ..self }
    }

    /// Serves until `stop`; then takes nobody in, ends every connection, and returns when the last is gone.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        self.serve_with(listener, None, stop).await;
    }

    /// The same, and over TLS too where there is a listener for that; their connections are counted together.
    pub async fn serve_with(self, listener: TcpListener, tls: Option<(TcpListener, Acceptor)>, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        let admission = Admission::new(self.settings.max_connections, self.settings.max_connections_per_address);
        let server = Arc::new(self);
        let (tls_listener, acceptor) = tls.unzip();
        let accept_tls = async || match &tls_listener {
            Some(listener) => listener.accept().await,
            None => std::future::pending().await,
        };
        loop {
            let (accepted, acceptor) = tokio::select! {
                accepted = listener.accept() => (accepted, None),
                accepted = accept_tls() => (accepted, acceptor.clone()),
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok(accepted) => match admission.admit(accepted.1.ip()) {
                    Some(ticket) => {
                        tasks.spawn(connection::serve(Arc::clone(&server), accepted, acceptor, ticket, stop.clone()));
                    }
                    None => debug!(peer = %accepted.1, "too many connections"),
                },
                Err(cause) => {
                    // Mostly one that was gone before it was accepted; at worst there are no file descriptors.
                    warn!(%cause, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop((listener, tls_listener));
        tasks.close();
        tasks.wait().await;
    }
}
