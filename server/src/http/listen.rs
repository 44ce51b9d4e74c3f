//! Accepts HTTP connections: not more than a named number at a time, none that dawdles over its header, and at the end none that hangs on.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::sendfile::{FileStream, OutgoingBody, Parts};

/// A request's header must have arrived by then; this is also how long a connection may stand idle between requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest header.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Requests that run when the server stops may take so long; what is still there is cut.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
/// After a failed `accept`, as when all file descriptors are in use, trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then answers what is running and returns, at the latest after [`DRAIN_DEADLINE`].
pub async fn serve(listener: TcpListener, router: Router, max_connections: usize, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(max_connections));
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
                // Answers are written whole; waiting for more to send with them costs each page 40 ms.
                let _ = stream.set_nodelay(true);
                let connection = serve_connection(stream, peer, router.clone(), stop.clone(), cut.clone());
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

async fn serve_connection(stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken, cut: CancellationToken) {
    let parts = Parts::default();
    let stream = FileStream::new(stream, parts.clone());
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let (router, parts) = (router.clone(), parts.clone());
        async move {
            let response: Result<http::Response<OutgoingBody>, Infallible> =
                router.oneshot(request.map(axum::body::Body::new)).await.map(|response| parts.outgoing(response));
            response
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(stream, service)
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
