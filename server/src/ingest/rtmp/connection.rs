//! One connection, from its first byte to its last: what it asks for, and whether it gets it.

use std::net::SocketAddr;
use std::sync::Arc;

use afterlive_domain::Mode;
use afterlive_media::rtmp::{Connect, Event, Name, Session};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::socket::Socket;
use super::wire::{Closed, Wire};
use super::{GATE_TIMEOUT, Server, play, publish};
use crate::admission::{NoPlace, Role, Ticket};
use crate::dial::Mark;
use crate::ingest::gate::{Grant, PublishRequest, Refusal};
use crate::ingest::usher::ViewRequest;
use crate::sound::{AacViewer, Takes};
use crate::tls::Acceptor;

/// What a connection is for, by the first part of the path in its URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum App {
    Publish(Mode),
    Play,
}

impl App {
    fn named(name: &str) -> Option<Self> {
        match name {
            "live" => Some(Self::Publish(Mode::Live)),
            "rec" => Some(Self::Publish(Mode::Rec)),
            "play" => Some(Self::Play),
            _ => None,
        }
    }
}

/// What a client asks for once it is connected.
enum Request {
    Publish(Mode, Name),
    Play(Name),
}

/// How a publish, a play or a vain attempt at one ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// The client is done with the stream, and may ask for another.
    Again,
    /// The connection is to be closed, once what there is to say has been sent.
    Farewell,
}

/// Over TLS where there is something to accept it.
pub(super) async fn serve(
    server: Arc<Server>,
    (stream, peer): (TcpStream, SocketAddr),
    tls: Option<Acceptor>,
    ticket: Ticket,
    stop: CancellationToken,
) {
    // Answers and frames are small and must not wait for each other.
    if let Err(cause) = stream.set_nodelay(true) {
        debug!(%peer, %cause, "a connection was gone at once");
        return;
    }
    let (socket, protocol) = match tls {
        None => (Socket::Watched(stream), "rtmp"),
        Some(acceptor) => {
            // In a place of its own, so that connections without TLS are no larger for it.
            let shaking = Box::pin(acceptor.accept(stream, peer, |stream| stream));
            let shaken = tokio::select! {
                shaken = shaking => shaken,
                () = ticket.evicted() => return,
                () = stop.cancelled() => return,
            };
            match shaken {
                Ok(stream) => (Socket::Tls(Box::new(stream)), "rtmps"),
                Err(cause) => {
                    debug!(%peer, %cause, "no TLS connection came about");
                    return;
                }
            }
        }
    };
    let wire = Wire::new(socket, Session::new(server.settings.limits));
    let mut connection = Connection { server, wire, peer, protocol, ticket, stop, connected: None };
    match connection.run().await {
        // Who is only to hear a last word makes room for who comes: of refused publishes there may be hundreds a second.
        Ok(()) => {
            if connection.ticket.set_role(Role::Stranger).is_ok() {
                tokio::select! {
                    () = connection.wire.farewell() => {}
                    () = connection.ticket.evicted() => {}
                }
            }
        }
        Err(cause) => debug!(%peer, %cause, "a connection has ended"),
    }
}

pub(super) struct Connection {
    pub(super) server: Arc<Server>,
    pub(super) wire: Wire,
    pub(super) peer: SocketAddr,
    protocol: &'static str,
    ticket: Ticket,
    pub(super) stop: CancellationToken,
    connected: Option<(App, Connect)>,
}

impl Connection {
    /// Returns when the connection is to be closed; with an error where no word reaches the peer any more.
    async fn run(&mut self) -> Result<(), Closed> {
        loop {
            let asked = Self::next_request(&mut self.wire, &mut self.connected, self.server.own.as_ref());
            let request = tokio::select! {
                request = timeout(self.server.settings.handshake_timeout, asked) => request,
                () = self.ticket.evicted() => return Err(Closed::Evicted),
                () = self.stop.cancelled() => return Err(Closed::ServerStops),
            };
            let request = request.map_err(|_| Closed::TooSlow)??;
            let outcome = match request {
                Some(Request::Publish(mode, name)) if self.takes_place(Role::Publisher)? => self.publish(mode, name).await?,
                Some(Request::Play(name)) if self.takes_place(Role::Player)? => self.play(name).await?,
                Some(_) => {
                    self.wire.session().refuse("all places for players are taken, try again later");
                    Outcome::Farewell
                }
                None => Outcome::Farewell,
            };
            if outcome == Outcome::Farewell {
                return Ok(());
            }
            self.takes_place(Role::Stranger)?;
        }
    }

    /// Whether there is a place for one more of that role.
    fn takes_place(&self, role: Role) -> Result<bool, Closed> {
        match self.ticket.set_role(role) {
            Ok(()) => Ok(true),
            Err(NoPlace::TooManyPlayers) => Ok(false),
            Err(NoPlace::GivenAway) => Err(Closed::Evicted),
        }
    }

    /// Waits for a request that fits the application. `None`: the client asked for something else, and was told.
    async fn next_request(
        wire: &mut Wire,
        connected: &mut Option<(App, Connect)>,
        own: Option<&Mark>,
    ) -> Result<Option<Request>, Closed> {
        loop {
            let event = wire.next_event().await?;
            let app = connected.as_ref().map(|(app, _)| *app);
            let refusal = match (event, app) {
                (Event::Connect(connect), _)
                    if own.is_some_and(|own| own.is_in(connect.software.as_deref().unwrap_or_default())) =>
                {
                    "it is the server itself that pushes the stream"
                }
                (Event::Connect(connect), _) => match App::named(&connect.app.name) {
                    Some(app) => {
                        *connected = Some((app, connect));
                        wire.session().accept();
                        continue;
                    }
                    None => "the path in the URL must begin with /live or /rec, or /play to watch",
                },
                (Event::Publish(name), Some(App::Publish(mode))) => return Ok(Some(Request::Publish(mode, name))),
                (Event::Play(name), Some(App::Play)) => return Ok(Some(Request::Play(name))),
                (Event::Publish(_), _) => "publish to /live or /rec",
                (Event::Play(_), _) => "play from /play",
                // What is still on its way of a publish that is over.
                (Event::Media { .. } | Event::Metadata(_) | Event::Unpublish | Event::StopPlay, _) => continue,
            };
            wire.session().refuse(refusal);
            return Ok(None);
        }
    }

    async fn publish(&mut self, mode: Mode, name: Name) -> Result<Outcome, Closed> {
        let (_, connect) = self.connected.as_ref().expect("a publish is asked for after `connect` only");
        let request = PublishRequest {
            mode,
            streamname: name.name.clone(),
            query: pairs_of_both(name.query, connect.app.query.as_deref()),
            host: connect.host.clone(),
            peer: self.peer,
            protocol: self.protocol,
        };
        let admitted = self.admit(request).await?;
        match admitted {
            Ok(grant) => {
                self.wire.session().accept();
                publish::run(self, grant).await
            }
            Err(refusal) => {
                self.server.refusals.tell(self.peer, &name.name, &refusal);
                self.wire.session().refuse(&refusal.to_string());
                Ok(Outcome::Farewell)
            }
        }
    }

    /// What the gate says. An error where the peer or the server goes while others are asked: then nothing has begun.
    async fn admit(&self, request: PublishRequest) -> Result<Result<Grant, Refusal>, Closed> {
        let gate = &self.server.gate;
        let mut until = Instant::now() + GATE_TIMEOUT;
        let looked = in_time(until, gate.look(request)).await;
        let permit = match looked {
            Ok(permit) if permit.is_to_be_asked_about() => {
                let asked = tokio::select! {
                    biased;
                    // Takes no longer than those who are asked may take.
                    asked = gate.ask(permit) => asked,
                    // What has been sent meanwhile waits, unread, and is let in first.
                    () = self.wire.left() => return Err(Closed::Peer),
                    () = self.stop.cancelled() => return Err(Closed::ServerStops),
                };
                until = Instant::now() + GATE_TIMEOUT;
                asked
            }
            looked => looked,
        };
        match permit {
            Ok(permit) => Ok(in_time(until, gate.let_in(permit)).await),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    async fn play(&mut self, name: Name) -> Result<Outcome, Closed> {
        let (_, connect) = self.connected.as_ref().expect("a play is asked for after `connect` only");
        let request = ViewRequest {
            streamname: name.name,
            query: name.query.or_else(|| connect.app.query.clone()),
            address: self.peer.ip(),
            site: connect.page_host.clone(),
        };
        let takes = if connect.takes_opus { Takes::Opus } else { Takes::Aac };
        let busy = || Err("the server cannot show streams at the moment, try again".to_owned());
        let found = timeout(GATE_TIMEOUT, self.server.usher.admit_viewer(request.clone())).await.unwrap_or_else(|_| busy());
        let refusal = match found {
            Ok(stream) => match self.server.hub.subscribe(stream) {
                Some(subscription) => {
                    self.wire.session().accept();
                    let usher = Arc::clone(&self.server.usher);
                    let subscription = AacViewer::new(subscription, self.server.interpreter.clone(), stream, takes);
                    return play::run(self, subscription, usher.until_withdrawn(request)).await;
                }
                None => "the stream is not live".to_owned(),
            },
            Err(refusal) => refusal,
        };
        self.wire.session().refuse(&refusal);
        Ok(Outcome::Farewell)
    }
}

async fn in_time<T>(until: Instant, answer: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    timeout_at(until, answer).await.unwrap_or(Err(Refusal::Unavailable))
}

/// What an encoder has behind the stream's name, and behind the application, where others put the same. Of what stands in both the name's is first, and counts.
fn pairs_of_both(name: Option<String>, app: Option<&str>) -> Option<String> {
    match (name, app) {
        (Some(name), Some(app)) => Some(format!("{name}&{app}")),
        (name, app) => name.or_else(|| app.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_the_name_comes_before_what_stands_behind_the_application() {
        let both = |name: Option<&str>, app| pairs_of_both(name.map(str::to_owned), app);
        assert_eq!(both(Some("key=a"), Some("key=b&passcode=7")).as_deref(), Some("key=a&key=b&passcode=7"));
        assert_eq!(both(Some("key=a"), None).as_deref(), Some("key=a"));
        assert_eq!(both(None, Some("passcode=7")).as_deref(), Some("passcode=7"));
        assert_eq!(both(None, None), None);
    }
}
