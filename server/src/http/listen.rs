//! Accepts HTTP connections: not more than a named number at a time and of one address, none that dawdles over its header or takes nothing of its
//! response, and at the end none that hangs on.

mod per_address;
pub(super) mod stalled;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt as _};

use self::per_address::{AddressPlace, PerAddress};
use self::stalled::CutStalled;
use super::sendfile::{FileStream, OutgoingBody, Parts};
use crate::config;

/// A request's header must have arrived by then; this is also how long a connection may stand idle between requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Who takes nothing of a response for so long does not get the rest. A player that pauses for longer asks again for what it lacks.
const STALLED_AFTER: Duration = Duration::from_mins(1);
/// One address may have the number of all connections divided by this.
const ADDRESSES_THAT_FILL_IT: usize = 2;
/// A refused address is told in the log not more often than this.
const TELL_EVERY: Duration = Duration::from_mins(1);
/// The longest head of a request: its first line and its headers.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Requests that run when the server stops may take so long; what is still there is cut.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
/// After a failed `accept`, as when all file descriptors are in use, trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Extension of each request: its address's place among the connections. What goes on when the connection has become another protocol's holds it.
#[derive(Clone)]
pub struct AddressHold(#[expect(dead_code, reason = "is held")] Arc<AddressPlace>);

/// What the listener takes, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Who comes when there are so many waits in the kernel's queue.
    pub max_connections: usize,
    /// Who comes when an address has so many is closed.
    pub max_connections_per_address: usize,
    /// Not counted by address: all others come through them.
    pub trusted_proxies: Vec<IpAddr>,
    /// A connection is cut whose peer has taken nothing of a response for so long.
    pub stalled_after: Duration,
}

impl From<&config::Http> for Settings {
    fn from(config: &config::Http) -> Self {
        Self {
            max_connections: config.max_connections,
            max_connections_per_address: config.max_connections.div_ceil(ADDRESSES_THAT_FILL_IT),
            trusted_proxies: config.trusted_proxies.clone(),
            stalled_after: STALLED_AFTER,
        }
    }
}

/// Serves until `stop`, then answers what is running and returns, at the latest after [`DRAIN_DEADLINE`].
pub async fn serve<S>(listener: TcpListener, service: S, settings: Settings, stop: CancellationToken)
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let addresses = PerAddress::new(settings.max_connections_per_address, &settings.trusted_proxies);
    let mut told_at: Option<Instant> = None;
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            } => accepted,
        };
        match accepted {
            (Ok(place), Ok((stream, peer))) => {
                let Some(address_place) = addresses.admit(peer.ip()) else {
                    if told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                        told_at = Some(Instant::now());
                        tracing::warn!(%peer, "an address has too many HTTP connections; its next are closed. Is it a proxy? Then http.trusted_proxies should name it");
                    }
                    continue;
                };
                // Answers are written whole; waiting for more to send with them costs each page 40 ms.
                let _ = stream.set_nodelay(true);
                let stream = CutStalled::new(stream, settings.stalled_after);
                let hold = AddressHold(Arc::new(address_place));
                let connection = serve_connection(stream, peer, hold, service.clone(), stop.child_token(), cut.child_token());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            (_, Err(cause)) => {
                tracing::warn!(%cause, "an HTTP connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            (Err(_closed), _) => break,
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN_DEADLINE, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "cutting HTTP connections that take too long");
        cut.cancel();
        connections.wait().await;
    }
}

/// The tokens are the connection's own: each poll locks them, which connections on other threads would wait for.
async fn serve_connection<S>(
    stream: CutStalled,
    peer: SocketAddr,
    hold: AddressHold,
    service: S,
    stop: CancellationToken,
    cut: CancellationToken,
) where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let parts = Parts::default();
    let stream = FileStream::new(stream, parts.clone());
    let answering = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(hold.clone());
        let (service, parts) = (service.clone(), parts.clone());
        async move {
            let response: Result<http::Response<OutgoingBody>, Infallible> =
                service.oneshot(request.map(axum::body::Body::new)).await.map(|response| parts.outgoing(response));
            response
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(stream, answering)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            // Whatever a client does wrong on its connection is between it and the protocol.
            _ = connection.as_mut() => break,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = cut.cancelled() => break,
        }
    }
}
