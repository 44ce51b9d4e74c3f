//! The settings' sections but the regions: what each key means, its default and its limits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use afterlive_domain::organisation;
use ipnet::IpNet;
use toml::Value;
use url::Url;

use super::reader::{Reader, Setting};
use super::tls::{Defaults, Tls};
use super::urls::{HttpUrl, RtmpUrl, RtmpsUrl, default_http_url, default_https_url, default_rtmp_url, default_rtmps_url};
use crate::address::{Networks, network};

/// As other servers have it for WebRTC.
const DEFAULT_WEBRTC_PORT: u16 = 8189;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http {
    pub listen: SocketAddr,
    /// With TLS. `None`: nowhere.
    pub tls_listen: Option<SocketAddr>,
    /// Whether who comes without TLS is led to where it is spoken. Only where both is so: this server speaks it, and `public_url` is `https`.
    pub redirects_to_tls: bool,
    /// For how long browsers are told to come by TLS only. Zero: they are told nothing.
    pub hsts_max_age: Duration,
    /// The folder in which a client of ACME leaves its answers to challenges.
    pub acme_webroot: Option<PathBuf>,
    /// The origin that people and programs use, without a `/` at its end.
    pub public_url: String,
    /// Connections at a time; who comes after waits in the kernel's queue.
    pub max_connections: usize,
    /// Of the proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Networks,
    pub(super) public_url_is_default: bool,
    /// That of the certificate that this server orders.
    pub(super) name: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rtmp {
    pub listen: SocketAddr,
    /// With TLS. `None`: nowhere.
    pub tls_listen: Option<SocketAddr>,
    /// `rtmp://HOST:PORT`, what encoders use, without a path.
    pub public_url: String,
    /// `rtmps://HOST:PORT`, the same for those that speak TLS. `None`: there is no such thing.
    pub tls_public_url: Option<String>,
    /// A publisher that sends nothing for so long is cut.
    pub idle_timeout: Duration,
    /// A connection that neither publishes nor plays by then is cut.
    pub handshake_timeout: Duration,
    /// Connections at a time, of any kind.
    pub max_connections: usize,
    /// The longest message taken, in bytes.
    pub max_message_bytes: usize,
    /// Chunk streams a connection may use at a time.
    pub max_chunk_streams: usize,
    pub(super) public_url_is_default: bool,
    pub(super) tls_public_url_is_default: bool,
}

/// What becomes of streams that have a push URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Push {
    /// Whether they may be pushed to this machine and its neighbours.
    pub allow_private: bool,
}

/// Who is asked by organisations that have a webhook.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// Whether that may be this machine and its neighbours.
    pub allow_private: bool,
    /// How often it is told that a publish goes on. `None`: never.
    pub update_every: Option<Duration>,
}

/// WebRTC: browsers that publish (WHIP) and watch (WHEP).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebRtc {
    /// UDP.
    pub listen: SocketAddr,
    /// Addresses or host names at which peers reach it. Empty: those of this machine.
    pub host_candidates: Vec<String>,
    /// Peers at a time, of both kinds.
    pub max_sessions: usize,
}

/// Limits of a recording; what comes behind one goes to the stream's next recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// In media time. `None`: as long as the publish.
    pub max_duration: Option<Duration>,
    /// Of the file. `None`: as large as it gets.
    pub max_bytes: Option<u64>,
    /// With less room in a region nothing new is recorded there; with less than a quarter of it what is being recorded ends.
    pub min_free_bytes: u64,
    /// An encoder that comes back by then goes on in the same recording. Zero: none does.
    pub reconnect_window: Duration,
}

/// What becomes of recordings in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Older ones go to the bin. 0: none does.
    pub max_age_days: u64,
    /// With less room in a region its oldest recordings make room. 0: none does.
    pub min_free_bytes: u64,
    /// So long a recording stays in the bin, and can be restored.
    pub bin_days: u64,
}

/// The audit log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Audit {
    /// So long a row is kept. 0: for ever.
    pub keep_days: u64,
}

/// Limits of the live delivery to browsers and HLS players.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Live {
    /// Viewers at a time.
    pub max_viewers: usize,
    /// Viewers of one stream.
    pub max_stream_viewers: usize,
    /// How far back HLS players can go. Zero: some segments.
    pub dvr_window: Duration,
    /// What is kept of one stream, in memory.
    pub max_stream_bytes: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    pub format: LogFormat,
    /// In the language of `tracing_subscriber::EnvFilter`.
    pub filter: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    Text,
    Json,
}

impl Http {
    /// Whether somebody said where people come. Where nobody did, `public_url` is good on this machine alone.
    #[must_use]
    pub fn has_public_url(&self) -> bool {
        !self.public_url_is_default || self.name.is_some()
    }

    /// What to set where the server listens for other machines, and all URLs lead them to a name that means themselves.
    #[must_use]
    pub fn unreachable_url(&self) -> Option<String> {
        if self.name.is_some() && (self.listen.ip().is_loopback() || self.tls_listen.is_none()) {
            return Some(
                "a certificate is to be had by ACME (tls.acme), but http.listen is this machine's alone, or http.tls_listen is off: \
                 take both out of the settings, and the server listens on ports 80 and 443"
                    .to_owned(),
            );
        }
        let listens = [Some(self.listen), self.tls_listen];
        let open = listens.into_iter().flatten().find(|address| !address.ip().is_loopback())?;
        // An address that is listened on by itself is in the URL.
        (self.public_url_is_default && self.public_url.contains("//localhost")).then(|| {
            let (url, example) = (&self.public_url, self.public_url.replacen("localhost", "THIS_HOST", 1));
            format!(
                "the server listens on {open}, but all URLs lead to {url}, where players and encoders on other machines find nothing: \
                 set http.public_url (AFTERLIVE__HTTP__PUBLIC_URL) to where they come, such as {example}"
            )
        })
    }

    /// Whether people come by TLS alone, so that cookies are sent over nothing else.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// Where the server is if nobody says otherwise.
    pub(super) fn default_url(name: Option<&str>, listen: SocketAddr, tls_listen: Option<SocketAddr>) -> String {
        match tls_listen {
            Some(listen) => default_https_url(name, listen),
            None => default_http_url(name, listen),
        }
    }

    pub(super) fn read(reader: &mut Reader, tls: Option<&Tls>) -> Self {
        let listen = reader.take("http.listen", Defaults::of(tls).http);
        let tls_listen = Tls::listen_https(reader, tls, listen);
        let name = Tls::name(tls);
        let public_url: Option<HttpUrl> = reader.take_option("http.public_url");
        if let Some(HttpUrl(url)) = &public_url
            && Url::parse(url).is_ok_and(|url| url.path() != "/")
        {
            reader.refuse("http.public_url", format!("{url:?} has a path: the server is at the root of its host"));
        }
        Self {
            listen,
            tls_listen,
            redirects_to_tls: reader.take("http.redirect_to_tls", true),
            hsts_max_age: Duration::from_secs(reader.take_in("http.hsts_max_age_s", 31_536_000, 0..=63_072_000)),
            acme_webroot: reader.take_option("http.acme_webroot"),
            public_url_is_default: public_url.is_none(),
            public_url: public_url.map_or_else(|| Self::default_url(name.as_deref(), listen, tls_listen), |HttpUrl(url)| url),
            name,
            max_connections: count(reader.take_in("http.max_connections", 2_000, 10..=1_000_000)),
            trusted_proxies: reader.take("http.trusted_proxies", Vec::<IpNet>::new()).into_iter().collect(),
        }
    }
}

impl Rtmp {
    pub(super) fn read(reader: &mut Reader, http: &Http, tls: Option<&Tls>) -> Self {
        let listen = reader.take("rtmp.listen", Defaults::of(tls).rtmp);
        let tls_listen = Tls::listen_rtmps(reader, tls, listen);
        let public_url: Option<RtmpUrl> = reader.take_option("rtmp.public_url");
        let tls_public_url: Option<RtmpsUrl> = reader.take_option("rtmp.tls_public_url");
        Self {
            listen,
            tls_listen,
            tls_public_url_is_default: tls_public_url.is_none(),
            tls_public_url: match tls_public_url {
                Some(RtmpsUrl(url)) => Some(url),
                None => tls_listen.map(|listen| default_rtmps_url(&http.public_url, listen)),
            },
            public_url_is_default: public_url.is_none(),
            public_url: public_url.map_or_else(|| default_rtmp_url(&http.public_url, listen), |RtmpUrl(url)| url),
            idle_timeout: Duration::from_secs(reader.take_in("rtmp.idle_timeout_s", 15, 1..=3_600)),
            handshake_timeout: Duration::from_secs(reader.take_in("rtmp.handshake_timeout_s", 10, 1..=60)),
            max_connections: count(reader.take_in("rtmp.max_connections", 2_000, 10..=1_000_000)),
            max_message_bytes: count(reader.take_in("rtmp.max_message_bytes", 8 << 20, 64 << 10..=64 << 20)),
            max_chunk_streams: count(reader.take_in("rtmp.max_chunk_streams", 64, 8..=1_024)),
        }
    }
}

impl Push {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self { allow_private: reader.take("push.allow_private", false) }
    }
}

impl Webhook {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let update_interval_s = reader.take_in("webhook.update_interval_s", 30, 0..=3_600);
        Self {
            allow_private: reader.take("webhook.allow_private", false),
            update_every: (update_interval_s > 0).then(|| Duration::from_secs(update_interval_s)),
        }
    }
}

impl WebRtc {
    pub(super) fn read(reader: &mut Reader, http: &Http) -> Option<Self> {
        // All keys are read, so that one with a fault is told also where it does not count.
        let is_enabled = reader.take("webrtc.enabled", true);
        // Who leaves the one port to the system wants no fixed other one.
        let port = if http.listen.port() == 0 { 0 } else { DEFAULT_WEBRTC_PORT };
        let webrtc = Self {
            listen: reader.take("webrtc.listen", SocketAddr::new(http.listen.ip(), port)),
            host_candidates: reader.take("webrtc.host_candidates", Vec::new()),
            max_sessions: count(reader.take_in("webrtc.max_sessions", 500, 1..=100_000)),
        };
        is_enabled.then_some(webrtc)
    }
}

impl Record {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let mut limit = |key: &str, least: u64| match reader.take_in(key, 0, 0..=u64::MAX) {
            0 => None,
            limit if limit < least => {
                reader.refuse(key, format!("{limit} is less than {least}; 0 is no limit"));
                None
            }
            limit => Some(limit),
        };
        Self {
            max_duration: limit("record.max_duration_s", organisation::MIN_DURATION_S).map(Duration::from_secs),
            max_bytes: limit("record.max_bytes", organisation::MIN_BYTES),
            min_free_bytes: reader.take_in("record.min_free_bytes", 256 << 20, 0..=1 << 50),
            reconnect_window: Duration::from_secs(reader.take_in(
                "record.reconnect_window_s",
                30,
                0..=organisation::MAX_RECONNECT_WINDOW_S,
            )),
        }
    }
}

impl Audit {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self { keep_days: reader.take_in("audit.keep_days", 400, 0..=organisation::MAX_RETENTION_DAYS) }
    }
}

impl Retention {
    pub(super) fn read(reader: &mut Reader, record: &Record) -> Self {
        let retention = Self {
            max_age_days: reader.take_in("retention.max_age_days", 0, 0..=organisation::MAX_RETENTION_DAYS),
            min_free_bytes: reader.take_in("retention.min_free_bytes", 0, 0..=1 << 50),
            bin_days: reader.take_in("retention.bin_days", 7, 0..=3_650),
        };
        if (1..record.min_free_bytes).contains(&retention.min_free_bytes) {
            let problem = format!(
                "{} is less than record.min_free_bytes, {}: nothing would be recorded before anything makes room",
                retention.min_free_bytes, record.min_free_bytes
            );
            reader.refuse("retention.min_free_bytes", problem);
        }
        retention
    }
}

impl Live {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let max_viewers = count(reader.take_in("live.max_viewers", 2_000, 1..=1_000_000));
        Self {
            max_viewers,
            max_stream_viewers: count(reader.take_in("live.max_stream_viewers", max_viewers as u64, 1..=1_000_000)),
            dvr_window: Duration::from_secs(reader.take_in("live.dvr_window_s", 0, 0..=86_400)),
            max_stream_bytes: count(reader.take_in("live.max_stream_bytes", 64 << 20, 8 << 20..=1 << 40)),
        }
    }
}

impl Log {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let log =
            Self { format: reader.take("log.format", LogFormat::Text), filter: reader.take("log.filter", "info".to_owned()) };
        if let Err(cause) = tracing_subscriber::EnvFilter::try_new(&log.filter) {
            reader.refuse(
                "log.filter",
                format!("{:?} is not a filter such as info or warn,afterlive_server=debug: {cause}", log.filter),
            );
        }
        log
    }
}

/// A number that was checked to be small.
fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Setting for IpNet {
    fn from_value(value: &Value) -> Result<Self, String> {
        let network = value.as_str().and_then(network);
        network.ok_or_else(|| format!("{value} is neither an IP address nor a network, such as 10.0.0.0/8"))
    }
}

impl Setting for LogFormat {
    fn from_value(value: &Value) -> Result<Self, String> {
        match value.as_str() {
            Some("text") => Ok(Self::Text),
            Some("json") => Ok(Self::Json),
            _ => Err(format!("{value} is not text or json")),
        }
    }
}
