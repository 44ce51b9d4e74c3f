//! The section `[tls]`: the certificate by which this server is known, from files or by ACME, and where it is shown.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::Value;
use url::{Host, Url};

use super::reader::{Reader, Setting, from_text};
use crate::{acme, tls};

/// Beside the default port without TLS: 443 is for who may open it.
const DEFAULT_HTTPS_PORT: u16 = 3443;
/// As other servers have it.
const DEFAULT_RTMPS_PORT: u16 = 1937;
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Its terms, and a page that leads to them.
const LETS_ENCRYPT_TERMS: &str = "https://letsencrypt.org/repository/";
/// As many as Let's Encrypt takes into one certificate.
const MAX_DOMAINS: usize = 100;
const DOMAINS: &str = "tls.acme.domains";

/// The certificate by which this server is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Who has it ordered by this server. `None`: somebody else puts the files there.
    pub acme: Option<Acme>,
}

/// A certificate that the server orders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acme {
    /// DNS names in lower case, one at least. URLs that are not set have the first.
    pub domains: Vec<String>,
    pub email: Option<String>,
    pub directory: Url,
    pub ca_file: Option<PathBuf>,
}

/// What holds where nobody says otherwise.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    pub http: SocketAddr,
    pub rtmp: SocketAddr,
    https_port: u16,
}

impl Tls {
    /// `None` where neither file is named and none is ordered, and where that is not said as a whole, which is refused.
    pub(super) fn read(reader: &mut Reader, data_dir: &Path) -> Option<Self> {
        let certificate: Option<PathBuf> = reader.take_option("tls.certificate");
        let key: Option<PathBuf> = reader.take_option("tls.key");
        let has_files = certificate.is_some() || key.is_some();
        if let Some(acme) = Acme::read(reader) {
            if has_files {
                let problem = "a certificate of files and one that this server orders are one too many: leave out tls.certificate and tls.key, or tls.acme";
                reader.refuse(DOMAINS, problem);
            }
            let tls::Files { certificate, key } = acme::files(data_dir);
            return Some(Self { certificate, key, acme: Some(acme) });
        }
        match (certificate, key) {
            (Some(certificate), Some(key)) => return Some(Self { certificate, key, acme: None }),
            (Some(_), None) => reader.refuse("tls.key", "the file with the private key of tls.certificate must be named too"),
            (None, Some(_)) => reader.refuse("tls.certificate", "the file with the certificate of tls.key must be named too"),
            (None, None) => {}
        }
        None
    }

    /// Where the listener of a section is: where it is set, else beside the one without TLS.
    fn listen(reader: &mut Reader, key: &str, tls: Option<&Self>, plain: SocketAddr, default_port: u16) -> Option<SocketAddr> {
        // Who leaves the one port to the system wants no fixed other one.
        let port = if plain.port() == 0 { 0 } else { default_port };
        match (reader.take_option(key), tls) {
            (Some(TlsListen(Some(_))), None) => {
                reader.refuse(key, "there is no TLS without tls.certificate and tls.key, or tls.acme");
                None
            }
            (Some(TlsListen(listen)), _) => listen,
            (None, Some(_)) => Some(SocketAddr::new(plain.ip(), port)),
            (None, None) => None,
        }
    }

    pub(super) fn listen_https(reader: &mut Reader, tls: Option<&Self>, plain: SocketAddr) -> Option<SocketAddr> {
        Self::listen(reader, "http.tls_listen", tls, plain, Defaults::of(tls).https_port)
    }

    pub(super) fn listen_rtmps(reader: &mut Reader, tls: Option<&Self>, plain: SocketAddr) -> Option<SocketAddr> {
        Self::listen(reader, "rtmp.tls_listen", tls, plain, DEFAULT_RTMPS_PORT)
    }

    /// The name by which people come, where the certificate is ordered for one.
    pub(super) fn name(tls: Option<&Self>) -> Option<String> {
        tls?.acme.as_ref()?.domains.first().cloned()
    }
}

impl Defaults {
    /// A server that has a certificate ordered is one of the internet: the authority comes to port 80, and people to 443.
    pub(super) fn of(tls: Option<&Tls>) -> Self {
        let (ip, http, https_port) = match tls {
            Some(Tls { acme: Some(_), .. }) => (Ipv4Addr::UNSPECIFIED, 80, 443),
            _ => (Ipv4Addr::LOCALHOST, 3000, DEFAULT_HTTPS_PORT),
        };
        Self { http: (ip, http).into(), rtmp: (ip, 1935).into(), https_port }
    }
}

impl From<&Tls> for tls::Files {
    fn from(config: &Tls) -> Self {
        Self { certificate: config.certificate.clone(), key: config.key.clone() }
    }
}

impl Acme {
    /// `None` where no name is given, and where something else is, which is refused.
    fn read(reader: &mut Reader) -> Option<Self> {
        // All keys are read, so that one with a fault is told also where it does not count.
        let names_domains = !reader.place(DOMAINS).is_empty();
        let domains: Option<Vec<DnsName>> = reader.take_option(DOMAINS);
        let email: Option<Email> = reader.take_option("tls.acme.email");
        let agrees: Option<bool> = reader.take_option("tls.acme.agree_to_terms");
        let directory: Option<Directory> = reader.take_option("tls.acme.directory");
        let ca_file: Option<PathBuf> = reader.take_option("tls.acme.ca_file");
        let Some(domains) = domains else {
            if !names_domains && (email.is_some() || agrees.is_some() || directory.is_some() || ca_file.is_some()) {
                reader.refuse(DOMAINS, "the names that the certificate is for must be given too");
            }
            return None;
        };
        let Directory(directory) = match directory {
            Some(directory) => directory,
            None => Directory(Url::parse(LETS_ENCRYPT).ok()?),
        };
        if agrees != Some(true) {
            let terms = if directory.as_str() == LETS_ENCRYPT {
                format!("Those of Let's Encrypt are at {LETS_ENCRYPT_TERMS}")
            } else {
                format!("Where they are stands in {directory} as termsOfService")
            };
            let problem = format!(
                "whoever orders a certificate agrees to the terms of its authority. {terms}: read them and set it to true"
            );
            reader.refuse("tls.acme.agree_to_terms", problem);
        }
        let mut names: Vec<String> = Vec::new();
        for DnsName(name) in domains {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        match names.len() {
            0 => reader.refuse(DOMAINS, "there must be a name for the certificate to be for"),
            count if count > MAX_DOMAINS => {
                reader.refuse(DOMAINS, format!("{count} names are more than the {MAX_DOMAINS} that a certificate can have"));
            }
            _ => {}
        }
        Some(Self { domains: names, email: email.map(|Email(email)| email), directory, ca_file })
    }
}

/// A name as DNS and certificates have it, in lower case.
struct DnsName(String);

impl Setting for DnsName {
    fn from_value(value: &Value) -> Result<Self, String> {
        let text = value.as_str().unwrap_or_default().trim();
        if text.starts_with("*.") {
            return Err(format!(
                "{text} stands for many names, which is proven in DNS, where this server writes nothing: name each of them"
            ));
        }
        match Host::parse(text) {
            Ok(Host::Domain(name)) if is_dns_name(&name) => Ok(Self(name)),
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) => Err(format!("{text} is an address: a certificate is for a DNS name")),
            _ => Err(format!("{value} is not a DNS name such as live.example.com")),
        }
    }
}

fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_of_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(is_of_label) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

struct Email(String);

impl Setting for Email {
    fn from_value(value: &Value) -> Result<Self, String> {
        let text = value.as_str().unwrap_or_default().trim();
        // Such an address goes into a URL (mailto:) as it is; the authority looks at the rest.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b',' | b'?' | b'&' | b'#' | b'%'));
        match text.split_once('@') {
            Some((user, host)) if is_plain && !user.is_empty() && host.contains('.') => Ok(Self(text.to_owned())),
            _ => Err(format!("{value} is not a mail address such as ops@example.com")),
        }
    }
}

/// Where an authority says what it can do.
struct Directory(Url);

impl Setting for Directory {
    fn from_value(value: &Value) -> Result<Self, String> {
        let expected = "an https:// URL, such as https://acme-staging-v02.api.letsencrypt.org/directory";
        let url: Url = from_text(value, expected)?;
        let is_plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        if url.scheme() == "https" && url.has_host() && is_plain { Ok(Self(url)) } else { Err(format!("it is not {expected}")) }
    }
}

/// An address, or `off`.
struct TlsListen(Option<SocketAddr>);

impl Setting for TlsListen {
    fn from_value(value: &Value) -> Result<Self, String> {
        if value.as_str() == Some("off") {
            return Ok(Self(None));
        }
        from_text(value, "an address and port, such as 0.0.0.0:443 or [::]:443, nor off").map(|listen| Self(Some(listen)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bound, Config, Error};

    fn read(text: &str) -> Result<Config, Error> {
        Config::from_sources(Some(("afterlive.toml".to_owned(), text)), [])
    }

    const LEAST: &str = "[tls.acme]\ndomains = [\"live.example.com\"]\nagree_to_terms = true\n";

    #[test]
    fn a_name_is_all_that_must_be_said() {
        let config = read(LEAST).unwrap();
        let tls = config.tls.as_ref().unwrap();
        let acme = tls.acme.as_ref().unwrap();
        assert_eq!((acme.domains.as_slice(), acme.email.as_deref()), (&["live.example.com".to_owned()][..], None));
        assert_eq!(acme.directory.as_str(), super::LETS_ENCRYPT);
        assert_eq!(tls.certificate.to_str(), Some("data/acme/current/fullchain.pem"));
        let listens = [config.http.listen, config.http.tls_listen.unwrap(), config.rtmp.listen, config.rtmp.tls_listen.unwrap()];
        assert_eq!(listens.map(|listen| listen.to_string()), ["0.0.0.0:80", "0.0.0.0:443", "0.0.0.0:1935", "0.0.0.0:1937"]);
        assert_eq!(config.http.public_url, "https://live.example.com");
        assert!(config.http.has_public_url() && config.http.unreachable_url().is_none());
        assert_eq!(config.rtmp.public_url, "rtmp://live.example.com:1935");
        assert_eq!(config.rtmp.tls_public_url.as_deref(), Some("rtmps://live.example.com:1937"));
        assert_eq!(config.tls_hosts(), ["live.example.com"]);
    }

    #[test]
    fn what_is_said_besides_holds() {
        let text = format!(
            "data_dir = \"/srv\"\n[http]\nlisten = \"127.0.0.1:0\"\n{LEAST}email = \"ops@example.com\"\ndirectory = \"https://ca.example:14000/dir\"\nca_file = \"ca.pem\"\n"
        );
        let config = read(&text.replace("[\"live.example.com\"]", "[\"Bücher.Example\", \"b.example\", \"b.example\"]")).unwrap();
        assert_eq!(config.http.tls_listen.unwrap().port(), 0);
        let acme = config.tls.as_ref().unwrap().acme.as_ref().unwrap();
        assert_eq!(acme.domains, ["xn--bcher-kva.example", "b.example"]);
        assert_eq!((acme.email.as_deref(), acme.directory.port()), (Some("ops@example.com"), Some(14_000)));
        assert_eq!(config.tls.as_ref().unwrap().key.to_str(), Some("/srv/acme/current/privkey.pem"));
        let [http, https, rtmp, rtmps] = [1, 2, 3, 4].map(|port| std::net::SocketAddr::from(([127, 0, 0, 1], port)));
        let config = config.with_bound(Bound { http, https: Some(https), rtmp, rtmps: Some(rtmps) });
        assert_eq!(config.http.public_url, "https://xn--bcher-kva.example:2");
        assert_eq!(config.rtmp.tls_public_url.as_deref(), Some("rtmps://xn--bcher-kva.example:4"));
    }

    #[test]
    fn what_cannot_be_ordered_is_refused_in_a_sentence() {
        let many: Vec<String> = (0..101).map(|index| format!("\"{index}.example.com\"")).collect();
        let with = |domains: &str| LEAST.replace("\"live.example.com\"", domains);
        for (text, words) in [
            (
                LEAST.replace("true", "false"),
                "agrees to the terms of its authority. Those of Let's Encrypt are at https://letsencrypt.org/",
            ),
            (
                LEAST.replace("agree_to_terms = true", "directory = \"https://ca.example/dir\""),
                "stands in https://ca.example/dir as termsOfService",
            ),
            (with("\"*.example.com\""), "*.example.com stands for many names"),
            (with("\"192.0.2.1\""), "192.0.2.1 is an address"),
            (with("\"live_1.example.com\""), "is not a DNS name such as"),
            (with("\"https://live.example.com\""), "is not a DNS name such as"),
            (with("\"live.example.com.\""), "is not a DNS name such as"),
            (with(""), "there must be a name"),
            (with(&many.join(",")), "101 names are more than the 100"),
            (format!("{LEAST}email = \"ops\""), "is not a mail address"),
            (format!("{LEAST}directory = \"http://ca.example/dir\""), "it is not an https:// URL"),
            ("[tls.acme]\nagree_to_terms = true".to_owned(), "names that the certificate is for must be given"),
            (
                format!("[tls]\ncertificate = \"a\"\nkey = \"b\"\n{LEAST}"),
                "one too many: leave out tls.certificate and tls.key, or tls.acme",
            ),
        ] {
            let told = read(&text).unwrap_err().to_string();
            assert!(told.contains(words) && told.contains("has a problem"), "{words} in: {told}");
        }
    }
}
