//! One connection to another RTMP server, from its first byte to the end: it is a viewer of the hub, and so delays nobody however slow it is.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;
use std::time::Duration;

use afterlive_domain::push::PushUrl;
use afterlive_domain::{OrganisationId, StreamId};
use afterlive_media::rtmp::{self, Client, Destination, Reply};
use bytes::Buf;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{PushStatus, Settings, Shown};
use crate::clock::Clock;
use crate::dial::{self, Dial, Lookups, Mark, Reach};
use crate::hub::Hub;
use crate::sound::{AacViewer, Interpreter, Takes};
use crate::tagger::{Tagger, Told};

/// How long a host name may take to be looked up, and a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server may take to say that it takes the stream.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long it may take to take what it is sent. What waits meanwhile waits in the hub's queue, where it is skipped.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the last words may take.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// How much is handed to the socket at a time.
const MAX_OUTPUT_BYTES: usize = 256 << 10;
/// What OBS takes.
const CHUNK_BYTES: u32 = 4_096;
const READ_BYTES: usize = 4 << 10;
/// The most characters of the other server's words that are shown.
const MAX_WORDS: usize = 200;

/// Of pushes: webhooks have their own.
static LOOKUPS: LazyLock<Lookups> = LazyLock::new(Lookups::default);

/// Why a push did not come about, or did not go on; in words for who set it. None has the URL's key.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("the host {host} cannot be found")]
    NoSuchHost { host: String },
    #[error("the host {host} is in a private network, which is only allowed with push.allow_private = true")]
    Private { host: String },
    #[error("the host {host} is this machine, which is only allowed with push.allow_private = true")]
    ThisMachine { host: String },
    #[error("the target is this server itself")]
    Itself,
    #[error("no connection could be made: {0}")]
    NoConnection(io::Error),
    #[error("no connection could be made within {} s", CONNECT_TIMEOUT.as_secs())]
    NoConnectionInTime,
    #[error("the server does not say within {} s whether it takes the stream", ANSWER_TIMEOUT.as_secs())]
    NoAnswer,
    #[error("the server refuses it: {0}")]
    Refused(String),
    #[error("the server has closed the connection")]
    Closed,
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("the server takes nothing any more")]
    Stuck,
    #[error("it is no RTMP server: {0}")]
    Protocol(#[from] rtmp::Error),
}

/// How a push ended that did not fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// With the publish.
    Publish,
    /// It is not wanted any more.
    Cancelled,
}

pub(super) struct Relay<'a> {
    /// Whose the stream is.
    pub(super) organisation: OrganisationId,
    pub(super) stream: StreamId,
    pub(super) url: &'a PushUrl,
    pub(super) hub: &'a Hub,
    pub(super) interpreter: &'a Interpreter,
    pub(super) clock: &'a Clock,
    pub(super) settings: Settings,
    pub(super) mark: &'a Mark,
    pub(super) shown: &'a Shown,
    pub(super) cancel: &'a CancellationToken,
}

impl Relay<'_> {
    pub(super) async fn run(&self) -> Result<End, Failed> {
        tokio::select! {
            outcome = self.connect() => {
                let (socket, client) = outcome?;
                // From here on it is ended in good order.
                match self.hub.subscribe(self.stream) {
                    Some(subscription) => {
                        // No server is asked whether it takes Opus: most do not, and those that say so pass it on to players that do not.
                        let viewer = AacViewer::new(subscription, self.interpreter.clone(), self.stream, Takes::Aac);
                        self.relay(socket, client, viewer).await
                    }
                    None => Ok(End::Publish),
                }
            }
            () = self.cancel.cancelled() => Ok(End::Cancelled),
        }
    }

    async fn connect(&self) -> Result<(TcpStream, Client), Failed> {
        let mut socket = self.dial().await?;
        let destination = Destination {
            app: self.url.app().to_owned(),
            tc_url: self.url.server().to_owned(),
            name: self.url.name().to_owned(),
        };
        let mut client = Client::new(destination, CHUNK_BYTES).saying(self.mark.software());
        let asking = async {
            let mut buffer = [0; READ_BYTES];
            loop {
                socket.write_all_buf(client.output()).await?;
                let received = socket.read(&mut buffer).await?;
                if received == 0 {
                    return Err(Failed::Closed);
                }
                // Up to the last byte: what comes behind the answer belongs to the conversation too.
                let (mut input, mut publishing) = (&buffer[..received], false);
                while let Some(reply) = client.input(&mut input)? {
                    match reply {
                        Reply::Publishing => publishing = true,
                        refused @ Reply::Refused { .. } => return Err(words(refused)),
                    }
                }
                if publishing {
                    return Ok(());
                }
            }
        };
        timeout(ANSWER_TIMEOUT, asking).await.map_err(|_| Failed::NoAnswer)??;
        Ok((socket, client))
    }

    async fn dial(&self) -> Result<TcpStream, Failed> {
        let host = || self.url.host().to_owned();
        let reach = Reach::with_private(self.settings.allow_private);
        let dial = Dial { lookups: &LOOKUPS, asker: &self.organisation.to_string(), reach, patience: CONNECT_TIMEOUT };
        let dialled = dial.connect(self.url.host(), self.url.port()).await;
        let socket = dialled.map_err(|cause| match cause {
            dial::Error::NoSuchHost => Failed::NoSuchHost { host: host() },
            dial::Error::Private => Failed::Private { host: host() },
            dial::Error::ThisMachine if self.url.port() == self.settings.own_port => Failed::Itself,
            dial::Error::ThisMachine => Failed::ThisMachine { host: host() },
            dial::Error::NoConnection(cause) => Failed::NoConnection(cause),
            dial::Error::NotInTime => Failed::NoConnectionInTime,
        })?;
        if self.is_ours(&socket) { Err(Failed::Itself) } else { Ok(socket) }
    }

    /// Whether the other end is our own RTMP port.
    fn is_ours(&self, socket: &TcpStream) -> bool {
        let ip = |address: io::Result<SocketAddr>| address.map(|address| address.ip().to_canonical()).ok();
        let (ours, theirs): (Option<IpAddr>, Option<IpAddr>) = (ip(socket.local_addr()), ip(socket.peer_addr()));
        let is_local = theirs.is_some_and(|address| address.is_loopback()) || ours == theirs;
        is_local && self.url.port() == self.settings.own_port
    }

    async fn relay(&self, mut socket: TcpStream, mut client: Client, mut viewer: AacViewer) -> Result<End, Failed> {
        self.shown.set(PushStatus::Pushing { since: self.clock.now(), bytes: 0, without_sound: None });
        let (mut tagger, mut buffer) = (Tagger::default(), [0; READ_BYTES]);
        let end = loop {
            while client.output().remaining() < MAX_OUTPUT_BYTES
                && let Some(message) = viewer.try_next()
            {
                if tagger.tell(&mut client, message) == Told::Ended {
                    break;
                }
            }
            self.flush(&mut socket, &mut client).await?;
            self.shown.set_without_sound(viewer.failure());
            if tagger.has_ended() {
                break End::Publish;
            }
            tokio::select! {
                message = viewer.next() => {
                    tagger.tell(&mut client, message);
                }
                received = socket.read(&mut buffer) => {
                    let received = received?;
                    if received == 0 {
                        return Err(Failed::Closed);
                    }
                    let mut input = &buffer[..received];
                    while let Some(reply) = client.input(&mut input)? {
                        if let refused @ Reply::Refused { .. } = reply {
                            return Err(words(refused));
                        }
                    }
                }
                () = self.cancel.cancelled() => {
                    // It is cancelled with the publish too: what was sent before its end has its place.
                    while client.output().remaining() < MAX_OUTPUT_BYTES
                        && let Some(message) = viewer.try_next()
                        && tagger.tell(&mut client, message) == Told::Going
                    {}
                    break End::Cancelled;
                }
            }
        };
        client.unpublish();
        let farewell = async {
            socket.write_all_buf(client.output()).await?;
            socket.shutdown().await?;
            while socket.read(&mut buffer).await? > 0 {}
            Ok::<(), io::Error>(())
        };
        // However it goes, it is over.
        let _ = timeout(FAREWELL_TIMEOUT, farewell).await;
        Ok(end)
    }

    async fn flush(&self, socket: &mut TcpStream, client: &mut Client) -> Result<(), Failed> {
        let bytes = client.output().remaining() as u64;
        if bytes > 0 {
            timeout(WRITE_TIMEOUT, socket.write_all_buf(client.output())).await.map_err(|_| Failed::Stuck)??;
            self.shown.add_bytes(bytes);
        }
        Ok(())
    }
}

/// What the other server says goes to people: as text, and not too much of it.
fn words(reply: Reply) -> Failed {
    match reply {
        Reply::Refused { code, description } => {
            let said = if description.trim().is_empty() { code } else { description };
            Failed::Refused(said.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect())
        }
        Reply::Publishing => Failed::Closed,
    }
}
