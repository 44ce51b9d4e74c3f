//! The settings: every key with its default and its check. How keys are read stands in `reader`; nothing here is acted upon.

mod reader;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use afterlive_domain::Region;
use afterlive_domain::organisation::{self, RecordingRules};
use toml::Value;
use url::Url;

pub use self::reader::Problem;
use self::reader::{Reader, Setting, from_text};
use crate::db::Location;

/// As other servers have it for WebRTC.
const DEFAULT_WEBRTC_PORT: u16 = 8189;

/// Read where it stands in the working directory and no other file is named.
pub const DEFAULT_FILE: &str = "afterlive.toml";

/// All settings, checked. Paths are as given, that is relative to the working directory where they are relative.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub http: Http,
    pub rtmp: Rtmp,
    pub push: Push,
    /// `None` where it is switched off.
    pub webrtc: Option<WebRtc>,
    pub record: Record,
    pub retention: Retention,
    pub live: Live,
    pub database: Location,
    /// This node's region.
    pub region: Region,
    pub regions: BTreeMap<Region, RegionConfig>,
    pub log: Log,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http {
    pub listen: SocketAddr,
    /// The origin that people and programs use, without a `/` at its end.
    pub public_url: String,
    /// Connections at a time; who comes after waits in the kernel's queue.
    pub max_connections: usize,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    public_url_is_default: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rtmp {
    pub listen: SocketAddr,
    /// `rtmp://HOST:PORT`, what encoders use, without a path.
    pub public_url: String,
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
    public_url_is_default: bool,
}

/// What becomes of streams that have a push URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Push {
    /// Whether they may be pushed to this machine and its neighbours.
    pub allow_private: bool,
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
pub struct RegionConfig {
    /// The folder in which its recordings are.
    pub storage: PathBuf,
    /// The base of its recordings' URLs, without a `/` at its end.
    pub vod_url: String,
    /// Host names in an encoder's URL that mean this region, in lower case.
    pub ingest_hosts: Vec<String>,
    vod_url_is_default: bool,
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

/// Every problem of a configuration, each with its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error(pub Vec<Problem>);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "The configuration has a problem:")?,
            count => write!(f, "The configuration has {count} problems:")?,
        }
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl Config {
    /// Reads the named file, or [`DEFAULT_FILE`] where there is one, and the environment, which wins.
    ///
    /// # Errors
    /// With everything that is wrong, at once.
    pub fn load(file: Option<&Path>) -> Result<Self, Error> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(cause) if file.is_none() && cause.kind() == std::io::ErrorKind::NotFound => None,
            Err(cause) => {
                let problem = format!("cannot be read: {cause}");
                return Err(Error(vec![Problem { key: String::new(), place: path.display().to_string(), problem }]));
            }
        };
        // A variable that is not Unicode cannot be one of ours, whose values are all text.
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::from_sources(text.as_deref().map(|text| (path.display().to_string(), text)), environment)
    }

    /// As [`Config::load`], from a file's name and text and the given environment.
    ///
    /// # Errors
    /// With everything that is wrong, at once.
    pub fn from_sources(
        file: Option<(String, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let mut reader = Reader::new(file.as_ref().map(|(name, text)| (name.as_str(), *text)), environment);
        let config = Self::read(&mut reader);
        match reader.finish() {
            problems if problems.is_empty() => Ok(config),
            problems => Err(Error(problems)),
        }
    }

    fn read(reader: &mut Reader) -> Self {
        let data_dir: PathBuf = reader.take("data_dir", "data".into());
        let http = Http::read(reader);
        let rtmp = Rtmp::read(reader, &http);
        let push = Push { allow_private: reader.take("push.allow_private", false) };
        let webrtc = WebRtc::read(reader, &http);
        let record = Record::read(reader);
        let retention = Retention::read(reader, &record);
        let live = Live::read(reader);
        let database = match reader.take_secret("database.url") {
            None => Location::Sqlite(data_dir.join("afterlive.db")),
            Some(url) => url.parse().unwrap_or_else(|cause: crate::db::Error| {
                reader.refuse("database.url", cause.to_string());
                Location::Sqlite(PathBuf::new())
            }),
        };
        let region = reader.take("node.region", europe());
        let regions = read_regions(reader, &data_dir, &http);
        if !regions.contains_key(&region) {
            reader.refuse("node.region", format!("there is no region {region}: name one of [regions], or add regions.{region}"));
        }
        let log =
            Log { format: reader.take("log.format", LogFormat::Text), filter: reader.take("log.filter", "info".to_owned()) };
        if let Err(cause) = tracing_subscriber::EnvFilter::try_new(&log.filter) {
            reader.refuse(
                "log.filter",
                format!("{:?} is not a filter such as info or warn,afterlive_server=debug: {cause}", log.filter),
            );
        }
        Self { data_dir, http, rtmp, push, webrtc, record, retention, live, database, region, regions, log }
    }

    /// What holds for the recordings of an organisation that has set nothing.
    #[must_use]
    pub fn recording_rules(&self) -> RecordingRules {
        RecordingRules {
            max_duration_s: self.record.max_duration.map_or(0, |limit| limit.as_secs()),
            max_bytes: self.record.max_bytes.unwrap_or(0),
            reconnect_window_s: self.record.reconnect_window.as_secs(),
            retention_days: self.retention.max_age_days,
        }
    }

    /// The same with the ports that were bound, where the settings left them to the system (port 0): URLs that are not set follow.
    #[must_use]
    pub fn with_bound(mut self, http: SocketAddr, rtmp: SocketAddr) -> Self {
        self.http.listen = http;
        self.rtmp.listen = rtmp;
        if self.http.public_url_is_default {
            self.http.public_url = default_http_url(http);
        }
        if self.rtmp.public_url_is_default {
            self.rtmp.public_url = default_rtmp_url(&self.http.public_url, rtmp);
        }
        for (region, config) in &mut self.regions {
            if config.vod_url_is_default {
                config.vod_url = default_vod_url(&self.http.public_url, region);
            }
        }
        self
    }
}

impl Http {
    fn read(reader: &mut Reader) -> Self {
        let listen = reader.take("http.listen", SocketAddr::from(([127, 0, 0, 1], 3000)));
        let public_url: Option<HttpUrl> = reader.take_option("http.public_url");
        if let Some(HttpUrl(url)) = &public_url
            && Url::parse(url).is_ok_and(|url| url.path() != "/")
        {
            reader.refuse("http.public_url", format!("{url:?} has a path: the server is at the root of its host"));
        }
        Self {
            listen,
            public_url_is_default: public_url.is_none(),
            public_url: public_url.map_or_else(|| default_http_url(listen), |HttpUrl(url)| url),
            max_connections: count(reader.take_in("http.max_connections", 2_000, 10..=1_000_000)),
            trusted_proxies: reader.take("http.trusted_proxies", Vec::new()),
        }
    }
}

impl Rtmp {
    fn read(reader: &mut Reader, http: &Http) -> Self {
        let listen = reader.take("rtmp.listen", SocketAddr::from(([127, 0, 0, 1], 1935)));
        let public_url: Option<RtmpUrl> = reader.take_option("rtmp.public_url");
        Self {
            listen,
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

impl WebRtc {
    fn read(reader: &mut Reader, http: &Http) -> Option<Self> {
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
    fn read(reader: &mut Reader) -> Self {
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

impl Retention {
    fn read(reader: &mut Reader, record: &Record) -> Self {
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
    fn read(reader: &mut Reader) -> Self {
        let max_viewers = count(reader.take_in("live.max_viewers", 2_000, 1..=1_000_000));
        Self {
            max_viewers,
            max_stream_viewers: count(reader.take_in("live.max_stream_viewers", max_viewers as u64, 1..=1_000_000)),
            dvr_window: Duration::from_secs(reader.take_in("live.dvr_window_s", 0, 0..=86_400)),
            max_stream_bytes: count(reader.take_in("live.max_stream_bytes", 64 << 20, 8 << 20..=1 << 40)),
        }
    }
}

/// The three regions that are always there, and those that the settings add.
fn read_regions(reader: &mut Reader, data_dir: &Path, http: &Http) -> BTreeMap<Region, RegionConfig> {
    let mut names: Vec<String> = ["eu", "us", "au"].map(str::to_owned).into();
    names.extend(reader.names_below("regions"));
    let mut regions = BTreeMap::new();
    for name in names {
        let region: Region = match name.parse() {
            Ok(region) if regions.contains_key(&region) => continue,
            Ok(region) => region,
            Err(cause) => {
                reader.refuse(&format!("regions.{name}"), cause.to_string());
                continue;
            }
        };
        let vod_url: Option<HttpUrl> = reader.take_option(&format!("regions.{name}.vod_url"));
        let hosts: Vec<String> = reader.take(&format!("regions.{name}.ingest_hosts"), Vec::new());
        let config = RegionConfig {
            storage: reader
                .take_option(&format!("regions.{name}.storage"))
                .map_or_else(|| data_dir.join("vod").join(&name), |Folder(path)| path),
            vod_url_is_default: vod_url.is_none(),
            vod_url: vod_url.map_or_else(|| default_vod_url(&http.public_url, &region), |HttpUrl(url)| url),
            ingest_hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
        };
        for (other, taken) in &regions {
            refuse_doubles(reader, &name, &config, other, taken);
        }
        regions.insert(region, config);
    }
    regions
}

/// Two regions with one folder, one URL or one host name could not be told apart.
fn refuse_doubles(reader: &mut Reader, name: &str, config: &RegionConfig, other: &Region, taken: &RegionConfig) {
    if config.storage == taken.storage {
        reader.refuse(&format!("regions.{name}.storage"), format!("regions.{other} has the same folder"));
    }
    if config.vod_url == taken.vod_url {
        reader.refuse(&format!("regions.{name}.vod_url"), format!("regions.{other} has the same URL"));
    }
    for host in config.ingest_hosts.iter().filter(|host| taken.ingest_hosts.contains(host)) {
        reader.refuse(&format!("regions.{name}.ingest_hosts"), format!("regions.{other} has {host} too"));
    }
}

fn europe() -> Region {
    "eu".parse().expect("eu is a region's name")
}

fn default_http_url(listen: SocketAddr) -> String {
    format!("http://{}:{}", reachable_host(listen.ip()), listen.port())
}

fn default_rtmp_url(http_url: &str, listen: SocketAddr) -> String {
    let host = Url::parse(http_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    format!("rtmp://{}:{}", host.unwrap_or_else(|| reachable_host(listen.ip())), listen.port())
}

fn default_vod_url(http_url: &str, region: &Region) -> String {
    format!("{http_url}/vod-{region}")
}

/// `localhost` for what listens on this machine or on all addresses, of which we cannot know which one others use.
fn reachable_host(ip: IpAddr) -> String {
    match ip {
        ip if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// A number that was checked to be small.
fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// An absolute `http` or `https` URL, kept without its last `/`.
struct HttpUrl(String);

impl Setting for HttpUrl {
    fn from_value(value: &Value) -> Result<Self, String> {
        url_of(value, &["http", "https"], "an http:// or https:// URL without a query").map(Self)
    }
}

/// An `rtmp` URL without a path.
struct RtmpUrl(String);

impl Setting for RtmpUrl {
    fn from_value(value: &Value) -> Result<Self, String> {
        let expected = "an rtmp:// URL without a path, such as rtmp://live.example.com:1935";
        let url = url_of(value, &["rtmp", "rtmps"], expected)?;
        if url.matches('/').count() > 2 { Err(format!("{url:?} is not {expected}")) } else { Ok(Self(url)) }
    }
}

fn url_of(value: &Value, schemes: &[&str], expected: &str) -> Result<String, String> {
    let url: Url = from_text(value, expected)?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    if schemes.contains(&url.scheme()) && url.host_str().is_some_and(|host| !host.is_empty()) && plain {
        Ok(url.as_str().trim_end_matches('/').to_owned())
    } else {
        // A URL with a password is not repeated in the text.
        Err(format!("it is not {expected}"))
    }
}

/// A folder of this machine.
struct Folder(PathBuf);

impl Setting for Folder {
    fn from_value(value: &Value) -> Result<Self, String> {
        let path = PathBuf::from_value(value)?;
        if path.to_string_lossy().contains("://") {
            return Err(format!("{value} is not a folder: this version stores on disks only"));
        }
        Ok(Self(path))
    }
}

impl Setting for Region {
    fn from_value(value: &Value) -> Result<Self, String> {
        from_text(value, "a region's name, such as eu")
    }
}

impl Setting for IpAddr {
    fn from_value(value: &Value) -> Result<Self, String> {
        from_text(value, "an IP address")
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

#[cfg(test)]
mod tests;
