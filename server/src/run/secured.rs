//! The part of the wiring in which TLS is: listeners with the certificate, HTTP on both of its ports, and the watch over the files. Which parts there are, and
//! in which order they begin and end, stands in `run`.

use std::convert::Infallible;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::task::Poll;

use axum::extract::Request;
use axum::response::Response;
use futures::{StreamExt as _, stream};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::acme;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::listen;
use crate::http::secure::{self, Way};
use crate::tls::{self, Acceptor, Certificate};

/// What is spoken over TLS, as clients ask for it. Not HTTP/2, which the listener does not speak.
pub(super) const HTTP_PROTOCOLS: [&str; 2] = ["http/1.1", "http/1.0"];

/// What is shown, and what sees to it.
#[derive(Default)]
pub(super) struct Shown {
    pub certificate: Option<Arc<Certificate>>,
    /// Where the server orders it.
    pub keeper: Option<acme::Keeper>,
}

/// Reads the certificate, where there is to be one; where the server orders it itself there is a pair then, whatever comes of that. Blocks.
pub(super) fn open(config: &Config, clock: &Clock) -> Result<Shown, Error> {
    let Some(tls) = &config.tls else { return Ok(Shown::default()) };
    let keeper = match &tls.acme {
        Some(settings) => {
            super::make_data_dir(config)?;
            Some(acme::Keeper::open(&config.data_dir, settings.into(), clock.clone())?)
        }
        None => None,
    };
    let certificate = Some(Certificate::open(tls.into(), config.tls_hosts(), clock.clone())?);
    Ok(Shown { certificate, keeper })
}

/// Until the server stops, also where it orders nothing.
pub(super) async fn keep_certificate(keeper: Option<acme::Keeper>, stop: CancellationToken) {
    match keeper {
        Some(keeper) => keeper.run(stop).await,
        None => stop.cancelled().await,
    }
}

/// A listener with what accepts on it, for connections that speak one of these protocols.
pub(super) fn over_tls(
    listener: Option<TcpListener>,
    certificate: Option<&Arc<Certificate>>,
    protocols: &[&str],
) -> Result<Option<(TcpListener, Acceptor)>, Error> {
    let Some((listener, certificate)) = listener.zip(certificate) else { return Ok(None) };
    Ok(Some((listener, Acceptor::new(certificate, protocols)?)))
}

/// Without TLS, and over it where that is spoken, with as many connections as there may be of both together.
pub(super) async fn serve_http<S>(
    listener: TcpListener,
    tls: Option<(TcpListener, Acceptor)>,
    service: S,
    policy: Arc<secure::Policy>,
    settings: listen::Settings,
    stop: CancellationToken,
) where
    S: tower::Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let places = listen::Places::new(&settings);
    let plain =
        listen::serve_in(places.clone(), listener, None, secure::secured(service.clone(), &policy, Way::Plain), stop.clone());
    let over_tls = async {
        if let Some((listener, acceptor)) = tls {
            let service = secure::secured(service, &policy, Way::Tls);
            listen::serve_in(places, listener, Some(acceptor), service, stop).await;
        }
    };
    tokio::join!(plain, over_tls);
}

/// Until the server stops, also where there is none. From the call on SIGHUP means to look, not to end.
pub(super) fn watch_certificate(
    certificate: Option<Arc<Certificate>>,
    keeper: Option<&acme::Keeper>,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    // At a terminal it means that the terminal is closed.
    let is_told = certificate.is_some() && !io::stdin().is_terminal();
    let mut hangups = if is_told { signal(SignalKind::hangup()).ok() } else { None };
    let told = stream::poll_fn(move |context| hangups.as_mut().map_or(Poll::Pending, |hangups| hangups.poll_recv(context)));
    // A new one is not to wait for the next look.
    let renewed = keeper.map_or_else(|| stream::empty().boxed(), |keeper| keeper.renewed().boxed());
    let told = stream::select(told, renewed);
    async move {
        match certificate {
            Some(certificate) => certificate.watch(tls::LOOK_EVERY, told, stop).await,
            None => stop.cancelled().await,
        }
    }
}
