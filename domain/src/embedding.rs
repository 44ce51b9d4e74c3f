//! Which sites may show an organisation's player in a frame, as a Content Security Policy names them. Knows no HTTP.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The most sites that an organisation names.
pub const MAX_DOMAINS: usize = 50;
/// The longest host name there is (RFC 1035 §2.3.4).
const MAX_HOST_CHARS: usize = 253;
const EXPECTED: &str = "host names such as example.com, *.example.com or example.com:8443, at most 50";

/// Host names, each perhaps with `*.` before and a port behind. None at all: every site may.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct EmbedDomains(Vec<String>);

impl EmbedDomains {
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether every site may.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// The sources of a `frame-ancestors` directive (CSP level 3 §6.4.2); our own pages always may.
    #[must_use]
    pub fn frame_ancestors(&self) -> String {
        if self.is_open() { "*".to_owned() } else { format!("'self' {self}") }
    }
}

impl fmt::Display for EmbedDomains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl FromStr for EmbedDomains {
    type Err = Error;

    /// Reads what people type: names between spaces, commas or lines, and takes the host of a URL. A name that comes twice counts once.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::WrongType { parameter: "embed_domains".to_owned(), expected: EXPECTED.to_owned() };
        let mut domains: Vec<String> = Vec::new();
        for word in text.split([' ', ',', ';', '\n', '\r', '\t']).filter(|word| !word.is_empty()) {
            let domain = domain(word).ok_or_else(wrong)?;
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        }
        if domains.len() > MAX_DOMAINS { Err(wrong()) } else { Ok(Self(domains)) }
    }
}

/// In lower case; `None` for what a policy could take for something else than a host.
fn domain(word: &str) -> Option<String> {
    let word = word.to_ascii_lowercase();
    let rest = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://")).unwrap_or(&word);
    let authority = rest.split('/').next()?;
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let labels = host.strip_prefix("*.").unwrap_or(host);
    let is_label = |label: &str| {
        let inner = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        (1..=63).contains(&label.len()) && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_host = host.len() <= MAX_HOST_CHARS && labels.split('.').all(is_label);
    let is_port = port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok());
    (is_host && is_port).then(|| authority.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_read_as_people_type_them() {
        let read: EmbedDomains =
            " Example.com, https://www.example.org/watch?x=1\n*.example.net:8443 example.com ".parse().unwrap();
        assert_eq!(read.as_slice(), ["example.com", "www.example.org", "*.example.net:8443"]);
        assert_eq!(read.to_string().parse::<EmbedDomains>().unwrap(), read);
        assert_eq!(read.frame_ancestors(), "'self' example.com www.example.org *.example.net:8443");
        assert_eq!("".parse::<EmbedDomains>().unwrap().frame_ancestors(), "*");
    }

    #[test]
    fn what_could_widen_a_policy_is_refused() {
        for bad in ["*", "*.", "https:", "'self'", "a..b", "-a.com", "a.com:x", "a.com:99999", "ex*mple.com", "münster.de"] {
            assert!(bad.parse::<EmbedDomains>().is_err(), "{bad}");
        }
        assert!("'none'".parse::<EmbedDomains>().is_err());
        let many = (0..=MAX_DOMAINS).map(|n| format!("a{n}.com ")).collect::<String>();
        assert!(many.parse::<EmbedDomains>().is_err());
    }
}
