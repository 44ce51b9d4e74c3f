//! Accepts HTTP connections, with TLS and without: not more than a named number at a time and of one address, none that dawdles over its header or takes
//! nothing of its response or takes it all too slowly, and at the end none that hangs on.

pub(super) mod idle;
mod not_tls;
mod per_address;
mod senders;
pub(super) mod stalled;
pub(super) mod waiting;

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tower::{Service, ServiceExt as _};

use self::idle::IdleTimer;
use self::per_address::{AddressPlace, PerAddress};
use self::stalled::CutStalled;
use self::waiting::Waiting;
use super::repeat::{Asked, Repeating, Repeats, Shared};
use super::sendfile::{FileStream, OutgoingBody, Parts, SendsFiles};
use super::unsent::Due;
use crate::address::Networks;
use crate::config;
use crate::tls::{Acceptor, Failed};

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
/// The most headers that a request has: hyper's own limit, which it has room for without an allocation. Browsers send some twenty, and proxies add a few.
pub const MAX_HEADERS: usize = 100;
/// Requests that run when the server stops may take so long; what is still there is cut.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
/// What was cut has gone by then, but for what waits for a disk: nothing else waits for that.
const CUT_WITHIN: Duration = Duration::from_secs(1);
/// After a failed `accept`, as when all file descriptors are in use, trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Extension of each request: its address's place among the connections. What goes on when the connection has become another protocol's holds it.
#[derive(Clone)]
pub struct AddressHold {
    _place: Arc<AddressPlace>,
    waiting: Waiting,
    due: Due,
}

impl AddressHold {
    /// Where who has not sent all of a request stands meanwhile.
    pub(super) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// When what the connection is sent must have been taken.
    pub(super) fn due(&self) -> &Due {
        &self.due
    }
}

/// What the listener takes, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Who comes when there are so many has the place of who was waited for longest; where all are being answered, waits for one.
    pub max_connections: usize,
    /// Who comes when an address has so many is closed.
    pub max_connections_per_address: usize,
    /// Not counted by address: all others come through them.
    pub trusted_proxies: Networks,
    /// A connection is cut whose peer has taken nothing of a response for so long.
    pub stalled_after: Duration,
    /// A connection is closed that has not said anything by then, and one on which the head of a request has not arrived by then, from its first byte or the end of
    /// the answer before on: whatever of it comes meanwhile gains no time.
    pub header_timeout: Duration,
}

impl From<&config::Http> for Settings {
    fn from(config: &config::Http) -> Self {
        Self {
            max_connections: config.max_connections,
            max_connections_per_address: config.max_connections.div_ceil(ADDRESSES_THAT_FILL_IT),
            trusted_proxies: config.trusted_proxies.clone(),
            stalled_after: STALLED_AFTER,
            header_timeout: HEADER_TIMEOUT,
        }
    }
}

/// The places that connections take, of all listeners together.
#[derive(Clone)]
pub struct Places {
    all: Arc<Semaphore>,
    addresses: PerAddress,
    waiting: Waiting,
    stalled_after: Duration,
    header_timeout: Duration,
}

impl Places {
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            all: Arc::new(Semaphore::new(settings.max_connections)),
            addresses: PerAddress::new(settings.max_connections_per_address, settings.trusted_proxies.clone()),
            waiting: Waiting::default(),
            stalled_after: settings.stalled_after,
            header_timeout: settings.header_timeout,
        }
    }

    /// The next one that is free, where somebody need be sent away for it. `None` where there are none any more.
    async fn take(&self) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            place = Arc::clone(&self.all).acquire_owned() => place.ok(),
            never = self.waiting.keep_making_room() => match never {},
        }
    }
}

/// Serves until `stop`, then answers what is running and returns, at the latest after [`DRAIN_DEADLINE`].
pub async fn serve<S>(listener: TcpListener, service: S, settings: Settings, stop: CancellationToken)
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    serve_in(Places::new(&settings), listener, None, service, stop).await;
}

/// The same in places that other listeners share, and over TLS where there is something to accept it.
pub async fn serve_in<S>(places: Places, listener: TcpListener, tls: Option<Acceptor>, service: S, stop: CancellationToken)
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let mut told_at: Option<Instant> = None;
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(cause) => {
                tracing::warn!(%cause, "an HTTP connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // First: who has too many sends nobody away.
        let Some(address_place) = places.addresses.admit(peer.ip()) else {
            if told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                told_at = Some(Instant::now());
                tracing::warn!(%peer, "an address has too many HTTP connections; its next are closed. Is it a proxy? Then http.trusted_proxies should name it");
            }
            continue;
        };
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = places.take() => place,
        };
        let Some(place) = place else { break };
        // Answers are written whole; waiting for more to send with them costs each page 40 ms.
        let _ = stream.set_nodelay(true);
        let hold = AddressHold { _place: Arc::new(address_place), waiting: places.waiting.clone(), due: Due::default() };
        let (service, stop, cut) = (service.clone(), stop.child_token(), cut.child_token());
        let (tls, stalled_after, tracker) = (tls.clone(), places.stalled_after, connections.clone());
        let header_timeout = places.header_timeout;
        connections.spawn(async move {
            let connection = Connection { peer, hold, service, stop, cut, header_timeout, connections: tracker, _place: place };
            match tls {
                // In a place of its own, so that connections without TLS are no larger for it.
                Some(acceptor) => Box::pin(connection.serve_tls(stream, &acceptor, stalled_after)).await,
                None => connection.serve_plain(stream, stalled_after).await,
            }
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN_DEADLINE, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "cutting HTTP connections that take too long");
        cut.cancel();
        if tokio::time::timeout(CUT_WITHIN, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "HTTP connections wait for a disk, and are left behind");
        }
    }
}

/// What became of an answer that another task works out. Its panic goes on here, where it ends this connection as any other.
async fn answered<T>(answer: AbortOnDropHandle<T>) -> T {
    answer.await.unwrap_or_else(|failed| match failed.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(cancelled) => panic!("the runtime that answers has ended: {cancelled}"),
    })
}

/// The tokens are the connection's own: each poll locks them, which connections on other threads would wait for.
struct Connection<S> {
    peer: SocketAddr,
    hold: AddressHold,
    service: S,
    stop: CancellationToken,
    cut: CancellationToken,
    header_timeout: Duration,
    /// All of the listener.
    connections: TaskTracker,
    _place: OwnedSemaphorePermit,
}

impl<S> Connection<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    /// Long answers out of files are sent by the kernel. Who begins with a recording is served by one of the senders.
    async fn serve_plain(self, stream: TcpStream, stalled_after: Duration) {
        let stand = self.hold.waiting.begin(Repeats::default());
        let asks_for_recording = tokio::select! {
            biased;
            asks = senders::asks_for_recording(&stream, self.header_timeout) => asks,
            () = self.stop.cancelled() => return,
            () = poll_fn(|context| stand.poll_sent_away(context)) => return,
        };
        drop(stand);
        // Nobody is there any more, or has ever said anything.
        let Ok(asks_for_recording) = asks_for_recording else { return };
        let sender = asks_for_recording.then(senders::next).flatten();
        let Some(sender) = sender else { return self.serve_files(CutStalled::new(stream, stalled_after), None).await };
        let Ok(stream) = stream.into_std() else { return };
        let (home, connections) = (Handle::current(), self.connections.clone());
        let served = async move {
            // What the stream and its timer wait for they wait for on the sender from here on.
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            self.serve_files(CutStalled::new(stream, stalled_after), Some(home)).await;
        };
        connections.spawn_on(served, sender);
    }

    /// `home` is where requests are answered, where a sender serves the connection.
    async fn serve_files(self, stream: CutStalled, home: Option<Handle>) {
        let parts = Parts::default();
        let stream = FileStream::new(stream, parts.clone(), home.clone());
        self.serve(stream, home, move |response| parts.outgoing(response)).await;
    }

    /// All answers are read, enciphered and written.
    async fn serve_tls(self, stream: TcpStream, acceptor: &Acceptor, stalled_after: Duration) {
        let shaken = tokio::select! {
            shaken = acceptor.accept(stream, self.peer, |stream| CutStalled::new(stream, stalled_after)) => shaken,
            () = self.stop.cancelled() => return,
        };
        match shaken {
            Ok(stream) => self.serve(TokioIo::new(stream), None, |response| response.map(OutgoingBody::Made)).await,
            Err(Failed::NotTls(stream)) => not_tls::answer(stream).await,
            // One for each port scanner.
            Err(cause) => tracing::debug!(peer = %self.peer, %cause, "no TLS connection came about"),
        }
    }

    async fn serve<I>(
        self,
        stream: I,
        home: Option<Handle>,
        outgoing: impl Fn(Response) -> http::Response<OutgoingBody> + Clone + Send,
    ) where
        I: hyper::rt::Read + hyper::rt::Write + SendsFiles + Unpin + Send + 'static,
    {
        let Self { peer, hold, service, stop, cut, header_timeout, connections, _place } = self;
        let (repeats, due) = (Repeats::default(), hold.due.clone());
        let timer = IdleTimer::new(header_timeout, repeats.clone(), hold.waiting.clone());
        let stream = Shared::new(Repeating::new(stream, repeats.clone()));
        let ahead = stream.clone();
        let answering = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            let asked = Asked::new(&request);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(hold.clone());
            let (outgoing, repeats, home, connections) = (outgoing.clone(), repeats.clone(), home.clone(), connections.clone());
            let answer = service.clone().oneshot(request.map(axum::body::Body::new));
            async move {
                let response = match home {
                    Some(home) => {
                        let answer = AbortOnDropHandle::new(connections.spawn_on(answer, &home));
                        senders::at_home(answered(answer).await?, &home)
                    }
                    None => answer.await?,
                };
                Ok::<_, Infallible>(repeats.outgoing(outgoing(response), asked))
            }
        });
        let connection = http1::Builder::new()
            .timer(timer)
            .header_read_timeout(header_timeout)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(stream, answering)
            .with_upgrades();
        let served = async move {
            let mut connection = std::pin::pin!(connection);
            // Whatever a client does wrong on its connection is between it and the protocol.
            tokio::select! {
                // What has arrived before the stop is answered.
                biased;
                _ = connection.as_mut() => return,
                () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            tokio::select! {
                _ = connection => {}
                // Comes after the stop: nobody need listen for it before.
                () = cut.cancelled() => {}
            }
        };
        ahead.serve_ahead(due.or_over(served)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn who_is_silent_has_the_times_that_the_documentation_says() {
        let settings = Settings::from(&Config::from_sources(None, []).unwrap().http);
        assert_eq!((settings.header_timeout, settings.stalled_after), (Duration::from_secs(30), Duration::from_mins(1)));
    }
}
