//! RTMP over real sockets into the hub, behind a gate that knows a few names.

pub mod client;
mod encoders;
mod hostile;
mod publish;
mod push;
mod sound;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use afterlive_domain::{Mode, StreamId};
use afterlive_server::db::sessions::EndReason;
use afterlive_server::hub::{Hub, Message, RecorderSubscription};
use afterlive_server::ingest::gate::{Gatekeeper, Grant, Permit, PublishRequest, Refusal};
use afterlive_server::ingest::rtmp::{Server, Settings};
use afterlive_server::ingest::usher::{Usher, ViewRequest};
use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::fixture::database::NOW;
use crate::fixture::program::interpreter;

const NAME: &str = "8sKpm-x49nB";
const STREAM: StreamId = StreamId(Uuid::from_u128(7));
const LOCKED: &str = "8sKpm-Locke";

/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Behind a `?` of the name: it is let in when the test says so.
const SLOWLY: &str = "slowly";

/// Lets `NAME` in, keeps the recorder's subscription of what is to be recorded, and tells each publish's end.
struct FakeGate {
    hub: Hub,
    opened: Notify,
    requests: Mutex<Vec<PublishRequest>>,
    recorders: mpsc::UnboundedSender<RecorderSubscription>,
    ends: mpsc::UnboundedSender<(EndReason, u64)>,
}

#[async_trait]
impl Gatekeeper for FakeGate {
    async fn let_in(&self, Permit { request, .. }: Permit) -> Result<Grant, Refusal> {
        self.requests.lock().unwrap().push(request.clone());
        match request.streamname.as_str() {
            NAME => {}
            LOCKED => return Err(Refusal::Locked),
            _ => return Err(Refusal::UnknownStream),
        }
        if request.query.as_deref() == Some(SLOWLY) {
            self.opened.notified().await;
        }
        if let Some(over) = self.hub.make_way(STREAM) {
            over.await;
        }
        let publisher = self.hub.publish(STREAM, NOW).map_err(|_| Refusal::AlreadyLive)?;
        if request.mode == Mode::Rec {
            // A test that does not record has dropped the other end.
            let _ = self.recorders.send(publisher.subscribe_recorder());
        }
        let ends = self.ends.clone();
        Ok(Grant::new(publisher, request.mode, "eu".parse().unwrap(), move |reason, bytes_in| {
            let _ = ends.send((reason, bytes_in));
        }))
    }
}

#[async_trait]
impl Usher for FakeGate {
    async fn admit_viewer(&self, request: ViewRequest) -> Result<StreamId, String> {
        if request.streamname == NAME { Ok(STREAM) } else { Err(Refusal::UnknownStream.to_string()) }
    }

    async fn until_withdrawn(&self, _: ViewRequest) -> String {
        std::future::pending().await
    }
}

/// A server on a port of its own, stopped when dropped.
struct Scene {
    hub: Hub,
    gate: Arc<FakeGate>,
    address: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<()>,
    recorders: mpsc::UnboundedReceiver<RecorderSubscription>,
    ends: mpsc::UnboundedReceiver<(EndReason, u64)>,
}

impl Scene {
    async fn new() -> Self {
        Self::with(settings()).await
    }

    async fn with(settings: Settings) -> Self {
        Self::made(settings, |server| server).await
    }

    /// With a server that the test makes something else of.
    async fn made(settings: Settings, make: impl FnOnce(Server) -> Server) -> Self {
        let hub = Hub::new();
        let (recorders, recorders_heard) = mpsc::unbounded_channel();
        let (ends, ends_heard) = mpsc::unbounded_channel();
        let gate = Arc::new(FakeGate { hub: hub.clone(), opened: Notify::new(), requests: Mutex::default(), recorders, ends });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let usher = Arc::<FakeGate>::clone(&gate);
        let server = Server::new(settings, hub.clone(), Arc::<FakeGate>::clone(&gate), usher, interpreter(&hub));
        let server = tokio::spawn(make(server).serve(listener, stop.clone()));
        Self { hub, gate, address, stop, server, recorders: recorders_heard, ends: ends_heard }
    }

    fn url(&self, app: &str, name: &str) -> String {
        format!("rtmp://{}/{app}/{name}", self.address)
    }

    async fn recorder(&mut self) -> RecorderSubscription {
        within(self.recorders.recv()).await.expect("a recording")
    }

    async fn end(&mut self) -> EndReason {
        within(self.ends.recv()).await.expect("an end").0
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn settings() -> Settings {
    Settings {
        limits: afterlive_media::rtmp::Limits::default(),
        handshake_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        gives_way_after: PATIENCE,
        max_connections: 2_000,
        max_connections_per_address: 500,
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

/// Everything up to the end.
async fn recorded(mut recorder: RecorderSubscription) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        match within(recorder.next()).await.expect("the test keeps up") {
            Message::Ended => return messages,
            message => messages.push(message),
        }
    }
}
