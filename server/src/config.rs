//! The settings as a whole: from a file and the environment to what is checked. The keys stand in `sections` and `regions`, how one is read in `reader`;
//! nothing here is acted upon.

mod mail;
mod oidc;
mod reader;
mod regions;
mod second_factor;
mod sections;
mod tls;
mod urls;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use afterlive_domain::Region;
use afterlive_domain::organisation::RecordingRules;
use url::Url;

pub use self::mail::{Encryption, Mail, Password};
pub use self::oidc::{Issuer, Oidc, is_this_machine};
pub use self::reader::Problem;
use self::reader::Reader;
pub use self::regions::RegionConfig;
use self::regions::{europe, read_regions};
pub use self::second_factor::SecondFactor;
pub use self::sections::{Audit, Http, Live, Log, LogFormat, Push, Record, Retention, Rtmp, WebRtc, Webhook};
pub use self::tls::{Acme, Tls};
use self::urls::{default_rtmp_url, default_rtmps_url, default_vod_url};
use crate::db::Location;

/// Read where it stands in the working directory and no other file is named.
pub const DEFAULT_FILE: &str = "afterlive.toml";

/// All settings, checked. Paths are as given, that is relative to the working directory where they are relative.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    /// `None` where this server does not speak TLS itself.
    pub tls: Option<Tls>,
    pub http: Http,
    pub rtmp: Rtmp,
    pub push: Push,
    pub webhook: Webhook,
    /// `None` where it is switched off.
    pub webrtc: Option<WebRtc>,
    pub record: Record,
    pub retention: Retention,
    pub audit: Audit,
    pub live: Live,
    /// `None` where no mail is sent.
    pub mail: Option<Mail>,
    /// `None` where people sign in with passwords alone.
    pub oidc: Option<Oidc>,
    pub second_factor: SecondFactor,
    pub database: Location,
    /// This node's region.
    pub region: Region,
    pub regions: BTreeMap<Region, RegionConfig>,
    pub log: Log,
}

/// Where the server listens, once it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    pub http: SocketAddr,
    pub https: Option<SocketAddr>,
    pub rtmp: SocketAddr,
    pub rtmps: Option<SocketAddr>,
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
        let tls = Tls::read(reader, &data_dir);
        let http = Http::read(reader, tls.as_ref());
        let rtmp = Rtmp::read(reader, &http, tls.as_ref());
        let push = Push::read(reader);
        let webhook = Webhook::read(reader);
        let webrtc = WebRtc::read(reader, &http);
        let record = Record::read(reader);
        let retention = Retention::read(reader, &record);
        let audit = Audit::read(reader);
        let live = Live::read(reader);
        let mail = Mail::read(reader);
        let oidc = Oidc::read(reader);
        let second_factor = SecondFactor::read(reader);
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
        let log = Log::read(reader);
        Self {
            data_dir,
            tls,
            http,
            rtmp,
            push,
            webhook,
            webrtc,
            record,
            retention,
            audit,
            live,
            mail,
            oidc,
            second_factor,
            database,
            region,
            regions,
            log,
        }
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

    /// The host names and addresses by which people and programs come over TLS that this server speaks.
    #[must_use]
    pub fn tls_hosts(&self) -> Vec<String> {
        let by_http = std::iter::once(&self.http.public_url).chain(self.regions.values().map(|region| &region.vod_url));
        let by_http = by_http.filter(|_| self.http.tls_listen.is_some()).filter(|url| url.starts_with("https://"));
        let by_rtmp = self.rtmp.tls_public_url.iter().filter(|_| self.rtmp.tls_listen.is_some());
        let host = |url: &String| Url::parse(url).ok()?.host_str().map(str::to_owned);
        let hosts: BTreeSet<String> = by_http.chain(by_rtmp).filter_map(host).collect();
        hosts.into_iter().collect()
    }

    /// The same with the ports that were bound, where the settings left them to the system (port 0): URLs that are not set follow.
    #[must_use]
    pub fn with_bound(mut self, bound: Bound) -> Self {
        (self.http.listen, self.http.tls_listen) = (bound.http, bound.https);
        (self.rtmp.listen, self.rtmp.tls_listen) = (bound.rtmp, bound.rtmps);
        if self.http.public_url_is_default {
            self.http.public_url = Http::default_url(self.http.name.as_deref(), bound.http, bound.https);
        }
        if self.rtmp.public_url_is_default {
            self.rtmp.public_url = default_rtmp_url(&self.http.public_url, bound.rtmp);
        }
        if self.rtmp.tls_public_url_is_default {
            self.rtmp.tls_public_url = bound.rtmps.map(|listen| default_rtmps_url(&self.http.public_url, listen));
        }
        for (region, config) in &mut self.regions {
            if config.vod_url_is_default {
                config.vod_url = default_vod_url(&self.http.public_url, region);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests;
