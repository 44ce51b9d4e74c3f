//! The one place where parts are wired: from a configuration to a running server, and back to a stopped one.

mod folders;
mod secured;

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::Region;
use axum::Router;
use futures::FutureExt as _;
use futures::future::join_all;
use http::header::USER_AGENT;
use http::request::Parts;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_sessions::Session;
use url::Url;
use uuid::Uuid;

use crate::acme;
use crate::audit::{self, Audit};
use crate::clock::Clock;
use crate::config::{Bound, Config, RegionConfig};
use crate::dashboard::Dashboard;
use crate::db::{self, Db, browser_sessions, invitations, known_browsers, link_mails, password_links, playback, session_tokens};
use crate::events::{self, Bell, Deliverer};
use crate::finalise::{self, FinaliseError, Finaliser, Retention};
use crate::http::api::endpoint::told;
use crate::http::known_browser::KnownBrowser;
use crate::http::request::{self, Asked, ClientAddress, RequestId};
use crate::http::secure;
use crate::http::viewer::{self, RecordingGuard};
use crate::http::{browser_session, listen, router, ui, vod};
use crate::hub::Hub;
use crate::ingest::gate::{Gate, Gatekeeper, IngestRegions};
use crate::ingest::whip::Whip;
use crate::ingest::{rtmp, webhook};
use crate::jobs::{self, Task, Worker};
use crate::lifecycle::Lifecycle;
use crate::live::whep::Whep;
use crate::live::{self, Feeds};
use crate::mail::{self, Mailer, Outbox, Smtp};
use crate::pictures::{self, Darkroom, LiveStills};
use crate::push::{self, Pusher, Pushes};
use crate::record::{Growing, Limits, Recorder};
use crate::rtc::{self, Transport};
use crate::service::{self, Service};
use crate::sound::{Interpreter, Meters};
use crate::storage::{RegionSettings, Regions, StorageError};
use crate::tls;

pub use folders::{claim as claim_folders, refuse_unmounted};

/// How long expired browser sessions and playback tokens may lie in the database; they are worth nothing from their end on.
const SWEEP_INTERVAL: Duration = Duration::from_hours(1);
/// So long at the most what is on air of an organisation goes on that was suspended elsewhere.
const SUSPENDED_INTERVAL: Duration = Duration::from_secs(5);

/// So long the start waits for the recordings that the last run left behind. Those of many hours take longer.
const RECOVERY_WAIT: Duration = Duration::from_secs(5);

/// Why the server does not start, or has stopped by itself. Each says what to change, where there is something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address}: {cause}. Change {key}, or stop the other program that listens there.")]
    Bind { key: &'static str, address: SocketAddr, cause: io::Error },
    #[error("TLS cannot be spoken: {0}.")]
    Tls(#[from] tls::Error),
    #[error(transparent)]
    Acme(#[from] acme::Error),
    #[error("TLS cannot be spoken: {0}")]
    Cipher(#[from] tokio_rustls::rustls::Error),
    #[error("the folder {path} cannot be made: {cause}. Change data_dir, or its owner.")]
    DataDir { path: String, cause: io::Error },
    #[error("{0}. Change database.url, or start the database.")]
    Database(#[from] db::Error),
    #[error("a region's storage cannot be used: {0}. Change regions.NAME.storage, or stop the other server.")]
    Storage(#[from] StorageError),
    #[error(
        "{path} is no region's folder, but recordings of region {region} are in the database. \
         Mount its disk, or change regions.{region}.storage. If all of them are really gone: {new_folder}"
    )]
    Unmounted { region: Region, path: String, new_folder: String },
    #[error(
        "the recordings of region {region} in this database lie in another folder than {path}: another server uses the database, and one is all that can. \
         Give this one a database of its own (database.url). If {path} is that folder after all, or takes its place: echo {id} > {id_path}"
    )]
    OtherFolder { region: Region, path: String, id: Uuid, id_path: String },
    #[error(
        "another server over the same database has taken region {region}: give one of them a database of its own (database.url)"
    )]
    RegionTaken { region: Region },
    #[error("what the last run left behind cannot be repaired: {0}")]
    Recovery(#[from] FinaliseError),
    #[error(transparent)]
    Service(#[from] service::Error),
    #[error("signals cannot be handled: {0}")]
    Signals(io::Error),
    #[error("the {name} has failed; the log says why")]
    PartFailed { name: &'static str },
}

/// What a person at the terminal is told once the server serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Started {
    pub dashboard_url: String,
    pub ingest_url: String,
    /// Where set-up has not been done.
    pub set_up_link: Option<String>,
}

/// Serves until the lifecycle stops it. `started` is called once everything listens.
///
/// # Errors
/// Where it does not come to serving at all.
pub async fn serve(config: Config, lifecycle: &Lifecycle, started: impl FnOnce(&Started)) -> Result<(), Error> {
    let clock = Clock::system();
    let secured::Shown { certificate, keeper } = secured::open(&config, &clock)?;
    let http_listener = bind("http.listen", config.http.listen).await?;
    let https_listener = bind_if("http.tls_listen", config.http.tls_listen).await?;
    let rtmp_listener = bind("rtmp.listen", config.rtmp.listen).await?;
    let rtmps_listener = bind_if("rtmp.tls_listen", config.rtmp.tls_listen).await?;
    let webrtc = match &config.webrtc {
        Some(webrtc) => Some(Transport::bind(&rtc::Settings::from(webrtc)).await.map_err(|cause| Error::Bind {
            key: "webrtc.listen",
            address: webrtc.listen,
            cause,
        })?),
        None => None,
    };
    let bound = Bound {
        http: http_listener.local_addr().unwrap_or(config.http.listen),
        https: https_listener.as_ref().and_then(|listener| listener.local_addr().ok()),
        rtmp: rtmp_listener.local_addr().unwrap_or(config.rtmp.listen),
        rtmps: rtmps_listener.as_ref().and_then(|listener| listener.local_addr().ok()),
    };
    let config = Arc::new(config.with_bound(bound));

    make_data_dir(&config)?;
    let db = Db::open(&config.database).await?;
    refuse_unmounted(&config, &db).await?;
    let regions = open_regions(&config).await?;
    // Held to the end: two servers over one spool would each finish what the other records.
    let spools = regions.lock_spools()?;
    let claimed = folders::claim(&db, &regions, clock.now()).await?;
    let audit = Audit::default();
    let finaliser = Finaliser::new(db.clone(), clock.clone(), regions.clone()).with_retention(Retention::from(&*config));
    let finaliser = finaliser.with_audit(audit.clone());
    let (_, left_behind) = finalise::find_left_behind(&finaliser, &spools).await?;
    ensure_retention(&db, &clock).await?;

    let (hub, growing) = (Hub::new(), Growing::default());
    let (recordings, publishes) = (TaskTracker::new(), TaskTracker::new());
    let limits = Limits::from(&config.record);
    let recorder = Arc::new(Recorder::new(finaliser.clone(), growing.clone(), recordings.clone(), limits, lifecycle.soft_stop()));
    // An encoder that a crash has cut off is back at once, and goes on with what is finished by then.
    if timeout(RECOVERY_WAIT, recorder.finish_left_behind(left_behind)).await.is_err() {
        let left = growing.left_behind();
        tracing::warn!(left, "the server serves, and finishes what the last run left behind beside that");
    }
    let ingest_regions = ingest_regions(&config);
    let webhook_settings = webhook::Settings::from(&config.webhook);
    let gate = Gate::new(hub.clone(), db.clone(), clock.clone(), ingest_regions, recorder, publishes.clone(), webhook_settings);
    let gate = gate.with_audit(audit.clone()).with_reconnect_window(limits.reconnect_window);
    let gate: Arc<dyn Gatekeeper> = Arc::new(gate);
    let service = Service::new(db.clone(), clock.clone(), Arc::clone(&config), regions.clone(), hub.clone(), growing.clone());
    let pushes = Pushes::default();
    let interpreter = Interpreter::new(hub.clone(), pictures::this_program());
    let bell = Bell::default();
    let service = service.with_pushes(pushes.clone()).with_bell(bell.clone()).with_audit(audit.clone());
    let service = service.with_meters(Meters::new(interpreter.clone()));
    let (service, outbox) = with_mail(service, mail::Settings::default());
    let service = Arc::new(service);
    let mails = tokio::spawn(send_mail(outbox, lifecycle.soft_stop()));
    let usher = Arc::<Service>::clone(&service);
    let rtmp_settings = rtmp::Settings::from(&config.rtmp);
    let rtmp = rtmp::Server::new(rtmp_settings, hub.clone(), Arc::clone(&gate), usher, interpreter.clone());
    let rtmp = rtmp.turning_away(pushes.mark().clone());
    let rtmps = secured::over_tls(rtmps_listener, certificate.as_ref(), &[])?;
    let rtmp = tokio::spawn(rtmp.serve_with(rtmp_listener, rtmps, lifecycle.soft_stop()));
    let doors = webrtc.clone().map(|transport| {
        let whip = Whip::new(transport.clone(), gate, lifecycle.soft_stop());
        (whip, Whep::new(transport, hub.clone(), interpreter.clone(), lifecycle.soft_stop()))
    });
    let webrtc = tokio::spawn(serve_webrtc(webrtc.zip(doors.clone()), lifecycle.soft_stop()));
    tokio::spawn(take_stock(finaliser.clone(), lifecycle.soft_stop()));
    let worker = Worker::new(db.clone(), clock.clone(), move |task| {
        let finaliser = finaliser.clone();
        async move { finaliser.perform(task).await }.boxed()
    });
    let jobs_stop = lifecycle.soft_stop();
    let jobs = tokio::spawn(async move { worker.run(jobs_stop).await });
    let teller = deliverer(events::Settings::from(&config.webhook), &service, bell);
    let teller_stop = lifecycle.soft_stop();
    let teller = tokio::spawn(async move { teller.run(teller_stop).await });
    let sweep = tokio::spawn(drop_expired(db.clone(), clock.clone(), config.audit.keep_days, lifecycle.soft_stop()));
    let folders = tokio::spawn(folders::watch(db.clone(), claimed, lifecycle.soft_stop()));
    let suspended = tokio::spawn(end_suspended(Arc::clone(&service), lifecycle.soft_stop()));
    let noting = tokio::spawn(audit.clone().run(db.clone(), lifecycle.soft_stop()));
    let push_settings = push::Settings { allow_private: config.push.allow_private, own_port: bound.rtmp.port() };
    let pusher = Pusher::new(pushes, db.clone(), (hub.clone(), interpreter), clock.clone(), push_settings);
    let pusher = tokio::spawn(pusher.run(lifecycle.soft_stop()));
    let feeds = Feeds::new(hub.clone(), clock.clone(), live::Settings::from(&config.live), lifecycle.soft_stop());
    let live = tokio::spawn(feeds.clone().run());
    let stills = LiveStills::new(hub, clock, Darkroom::of_this_program());
    let stills = tokio::spawn(stills.run(lifecycle.soft_stop()));

    let public_url = Url::parse(&config.http.public_url).expect("the configuration has checked it");
    let vod = Arc::new(vod::Vod::new(regions, &public_url, growing, Arc::new(RecordingGuard::new(&service))));
    let tidying = tokio::spawn({
        let (vod, stop) = (Arc::clone(&vod), lifecycle.soft_stop());
        async move { vod.keep_tidy(stop).await }
    });
    let router = router::router(&service, pages(&service), vod, feeds, doors, lifecycle.soft_stop());
    let https = secured::over_tls(https_listener, certificate.as_ref(), &secured::HTTP_PROTOCOLS)?;
    let policy = secure::Policy::from(&*config).with_challenges(keeper.as_ref().map(acme::Keeper::challenges));
    let http = tokio::spawn(secured::serve_http(
        http_listener,
        https,
        router,
        Arc::new(policy),
        listen::Settings::from(&config.http),
        lifecycle.soft_stop(),
    ));
    let certificate = tokio::spawn(secured::watch_certificate(certificate, keeper.as_ref(), lifecycle.soft_stop()));
    let keeper = tokio::spawn(secured::keep_certificate(keeper, lifecycle.soft_stop()));

    started(&Started {
        dashboard_url: config.http.public_url.clone(),
        ingest_url: format!("{}/rec", config.rtmp.public_url),
        set_up_link: service.set_up_link().await?,
    });
    let parts_end = async {
        let ends = join_all([
            until_end("RTMP server", rtmp, lifecycle),
            until_end("WebRTC server", webrtc, lifecycle),
            until_end("HTTP server", http, lifecycle),
            until_end("closer of recordings", tidying, lifecycle),
            until_end("watch over the certificate", certificate, lifecycle),
            until_end("keeper of the certificate", keeper, lifecycle),
            until_end("job worker", jobs, lifecycle),
            until_end("sweep of what has expired", sweep, lifecycle),
            until_end("watch over suspended organisations", suspended, lifecycle),
            until_end("maker of live stills", stills, lifecycle),
            until_end("pusher to other servers", pusher, lifecycle),
            until_end("live delivery", live, lifecycle),
            until_end("teller of events", teller, lifecycle),
            until_end("writer of the audit log", noting, lifecycle),
            until_end("sender of mail", mails, lifecycle),
        ]);
        let (ends, kept) = tokio::join!(ends, until_end("watch over the regions' folders", folders, lifecycle));
        // In the order in which the data flow: when the last publish has ended, no recording begins.
        publishes.close();
        publishes.wait().await;
        recordings.close();
        recordings.wait().await;
        // The first that failed, of however many there are.
        ends.into_iter().chain([kept.flatten()]).collect::<Result<(), Error>>()
    };
    let end = tokio::select! {
        end = parts_end => end,
        () = lifecycle.hard_stop().cancelled_owned() => Ok(()),
    };
    // At a hard stop something may hold a connection that never comes back.
    if !lifecycle.hard_stop().is_cancelled() {
        audit.write_last(&db).await;
        db.close().await;
    }
    end
}

/// Tells the organisations' endpoints of events, as the API would answer.
pub fn deliverer(settings: events::Settings, service: &Arc<Service>, bell: Bell) -> Deliverer {
    let (db, clock) = (service.db().clone(), service.clock().clone());
    let service = Arc::clone(service);
    Deliverer::new(settings, db, clock, bell, move |happening| told::body(Arc::clone(&service), happening).boxed())
}

/// The same with what sends mail, where a mail server is set, and what is to be run for that.
pub fn with_mail(service: Service, settings: mail::Settings) -> (Service, Option<Outbox>) {
    let config = service.config();
    let Some(mail) = &config.mail else { return (service, None) };
    if !config.http.has_public_url() {
        tracing::warn!(url = config.http.public_url, "links in mails lead to where nobody else may come: set http.public_url");
    }
    let smtp = Smtp::new(mail, &config.http.public_url);
    let (mailer, outbox) = Mailer::open(smtp, service.db().clone(), service.clock().clone(), settings);
    (service.with_mailer(mailer), Some(outbox))
}

/// Ends what is on air of organisations that were suspended at another node or at the terminal, or while it went on air.
async fn end_suspended(service: Arc<Service>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SUSPENDED_INTERVAL) => service.end_publishes_of_suspended().await,
        }
    }
}

/// Until the server stops, also where no mail is sent.
async fn send_mail(outbox: Option<Outbox>, stop: CancellationToken) {
    match outbox {
        Some(outbox) => outbox.run(stop).await,
        None => stop.cancelled().await,
    }
}

/// Until the server stops, also where WebRTC is switched off.
async fn serve_webrtc(parts: Option<(Transport, (Whip, Whep))>, stop: CancellationToken) {
    match parts {
        Some((transport, (whip, whep))) => {
            tokio::join!(transport.run(stop), whip.sessions().clone().serve(), whep.sessions().clone().serve());
        }
        None => stop.cancelled().await,
    }
}

/// Waits for a part that serves until it is stopped. One that fails stops the others: half a server helps nobody, and whoever supervises it
/// can start it anew.
async fn until_end<T>(name: &'static str, part: JoinHandle<T>, lifecycle: &Lifecycle) -> Result<T, Error> {
    part.await.map_err(|cause| {
        tracing::error!(%cause, name, "an essential part has failed: stopping");
        lifecycle.soft_stop().cancel();
        Error::PartFailed { name }
    })
}

fn ingest_regions(config: &Config) -> IngestRegions {
    let hosts =
        config.regions.iter().flat_map(|(name, region)| region.ingest_hosts.iter().map(move |host| (host.clone(), name.clone())));
    IngestRegions { node: config.region.clone(), by_host: hosts.collect() }
}

/// The dashboard, with a view of the server for each request.
pub fn pages(service: &Arc<Service>) -> Router {
    let config = service.config();
    let origin = |url: &str| Url::parse(url).map(|url| url.origin().ascii_serialization());
    // Also where it is the public origin itself: who visits the server by another name sees its URLs all the same.
    let media_origins: BTreeSet<String> = config.regions.values().filter_map(|region| origin(&region.vod_url).ok()).collect();
    let media_origins: Vec<String> = media_origins.into_iter().collect();
    let service = Arc::clone(service);
    ui::router(afterlive_app::shell, &media_origins, move |parts: &Parts| {
        let session = parts.extensions.get::<Session>().expect("the router puts a session into every request for a page").clone();
        let RequestId(id) = parts.extensions.get::<RequestId>().expect("the router gives every request an id");
        let ClientAddress(address) = parts.extensions.get().expect("the router gives every request its client's address");
        let browser = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let what = format!("{} {}", parts.method, request::without_keys(parts.uri.path()));
        let (service, site) = (Arc::clone(&service), viewer::site(&parts.headers));
        let is_lost = parts.extensions.get::<browser_session::Lost>().is_some();
        let asked = parts.extensions.get::<Asked>().cloned().unwrap_or_default();
        let dashboard = Dashboard::new(service, session, *address, site, browser, id.to_string(), what);
        Arc::new(dashboard.with_known_browser(KnownBrowser::of(&parts.extensions)).with_lost_session(is_lost).telling(asked))
    })
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|cause| Error::Bind { key, address, cause })
}

async fn bind_if(key: &'static str, address: Option<SocketAddr>) -> Result<Option<TcpListener>, Error> {
    match address {
        Some(address) => bind(key, address).await.map(Some),
        None => Ok(None),
    }
}

/// Makes the folder for the database and for what is kept beside it.
///
/// # Errors
/// Where that is not allowed.
pub fn make_data_dir(config: &Config) -> Result<(), Error> {
    make_private_folder(&config.data_dir).map_err(|cause| Error::DataDir { path: config.data_dir.display().to_string(), cause })
}

/// Its owner's alone, as passwords' and keys' fingerprints will lie in it. A folder that is there already keeps its mode.
fn make_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens all regions of the configuration.
///
/// # Errors
/// Names the first folder that cannot be used.
pub async fn open_regions(config: &Config) -> Result<Regions, Error> {
    let settings: Vec<RegionSettings> = config
        .regions
        .iter()
        .map(|(name, RegionConfig { storage, vod_url, .. })| RegionSettings {
            name: name.clone(),
            storage: storage.clone(),
            vod_url: Url::parse(vod_url).expect("the configuration has checked it"),
        })
        .collect();
    let opened = tokio::task::spawn_blocking(move || Regions::open(settings)).await;
    Ok(opened.expect("opening regions does not panic")?)
}

/// Beside everything else: it may take minutes.
async fn take_stock(finaliser: Finaliser, stop: CancellationToken) {
    if let Some(Err(error)) = stop.run_until_cancelled(finalise::take_stock(&finaliser)).await {
        tracing::warn!(%error, "whether the database and the folders agree is not known");
    }
}

/// Retention is a job that comes again by itself; the first start of all begins it.
async fn ensure_retention(db: &Db, clock: &Clock) -> db::Result<()> {
    let mut tx = db.write().await?;
    jobs::ensure(&mut tx, Task::Retain, clock.now()).await?;
    tx.commit().await
}

/// Drops browser sessions, what is known of browsers, session tokens, links for accounts, and what is known of playback tokens, that nobody can use any more, and what events were told long
/// ago, and what is too old in the audit log, at once and then every hour.
async fn drop_expired(db: Db, clock: Clock, audit_days: u64, stop: CancellationToken) {
    loop {
        let dropping = async {
            let mut tx = db.write().await?;
            browser_sessions::delete_expired(&mut tx, clock.now()).await?;
            playback::delete_expired(&mut tx, clock.now()).await?;
            known_browsers::delete_expired(&mut tx, clock.now()).await?;
            session_tokens::delete_expired(&mut tx, clock.now()).await?;
            invitations::delete_expired(&mut tx, clock.now()).await?;
            password_links::delete_expired(&mut tx, clock.now()).await?;
            link_mails::delete_unwanted(&mut tx, clock.now()).await?;
            tx.commit().await?;
            events::sweep(&db, clock.now()).await?;
            audit::sweep(&db, audit_days, clock.now()).await
        };
        if let Err(error) = dropping.await {
            tracing::warn!(%error, "what has expired stays until the next try");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_new_data_folder_is_its_owners_alone_and_one_that_is_there_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let mode = || metadata(&path).unwrap().permissions().mode() & 0o777;
        make_private_folder(&path).unwrap();
        assert_eq!(mode(), 0o700);
        set_permissions(&path, Permissions::from_mode(0o750)).unwrap();
        make_private_folder(&path).unwrap();
        assert_eq!(mode(), 0o750);
    }
}
