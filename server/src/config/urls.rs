//! URLs in the settings, and those that follow from where the server listens where none is set.

use std::net::{IpAddr, SocketAddr};

use afterlive_domain::Region;
use toml::Value;
use url::Url;

use super::reader::{Setting, from_text};

/// With the name by which people come, where that is known.
pub(super) fn default_http_url(name: Option<&str>, listen: SocketAddr) -> String {
    format!("http://{}:{}", name_or_host(name, listen), listen.port())
}

pub(super) fn default_https_url(name: Option<&str>, listen: SocketAddr) -> String {
    let host = name_or_host(name, listen);
    // As `HttpUrl` has it: without the port that goes without saying.
    if listen.port() == 443 { format!("https://{host}") } else { format!("https://{host}:{}", listen.port()) }
}

pub(super) fn default_rtmp_url(http_url: &str, listen: SocketAddr) -> String {
    format!("rtmp://{}:{}", host_of(http_url, listen), listen.port())
}

pub(super) fn default_rtmps_url(http_url: &str, listen: SocketAddr) -> String {
    format!("rtmps://{}:{}", host_of(http_url, listen), listen.port())
}

fn name_or_host(name: Option<&str>, listen: SocketAddr) -> String {
    name.map_or_else(|| reachable_host(listen.ip()), str::to_owned)
}

fn host_of(http_url: &str, listen: SocketAddr) -> String {
    let host = Url::parse(http_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| reachable_host(listen.ip()))
}

pub(super) fn default_vod_url(http_url: &str, region: &Region) -> String {
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

/// An absolute `http` or `https` URL, kept without its last `/`.
pub(super) struct HttpUrl(pub(super) String);

impl Setting for HttpUrl {
    fn from_value(value: &Value) -> Result<Self, String> {
        url_of(value, &["http", "https"], "an http:// or https:// URL without a query").map(Self)
    }
}

/// An `rtmp` URL without a path.
pub(super) struct RtmpUrl(pub(super) String);

impl Setting for RtmpUrl {
    fn from_value(value: &Value) -> Result<Self, String> {
        let expected = "an rtmp:// URL without a path, such as rtmp://live.example.com:1935";
        url_without_path(value, &["rtmp", "rtmps"], expected).map(Self)
    }
}

/// An `rtmps` URL without a path.
pub(super) struct RtmpsUrl(pub(super) String);

impl Setting for RtmpsUrl {
    fn from_value(value: &Value) -> Result<Self, String> {
        let expected = "an rtmps:// URL without a path, such as rtmps://live.example.com:1937";
        url_without_path(value, &["rtmps"], expected).map(Self)
    }
}

fn url_without_path(value: &Value, schemes: &[&str], expected: &str) -> Result<String, String> {
    let url = url_of(value, schemes, expected)?;
    if url.matches('/').count() > 2 { Err(format!("{url:?} is not {expected}")) } else { Ok(url) }
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
