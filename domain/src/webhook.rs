//! Where an organisation is asked whether an encoder may publish. Reads the URL, and says what of it may be shown; opens nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::authority::host_and_port;

/// The most bytes of such a URL.
pub const MAX_WEBHOOK_URL_BYTES: usize = 2_048;
const EXPECTED: &str = "a URL such as https://example.com/publish";

/// `http://` or `https://`, a host, and what is asked for there. Path and query may hold a secret: `Debug` leaves them out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl {
    text: String,
    is_https: bool,
    /// Without brackets.
    host: String,
    port: u16,
    /// Where the host begins, and where what is asked for there.
    authority_at: usize,
    target_at: usize,
}

impl WebhookUrl {
    /// # Errors
    /// `WrongType` for `webhook`, with what is asked for.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let refuse = |expected: &str| Error::WrongType { parameter: "webhook".to_owned(), expected: expected.to_owned() };
        if text.len() > MAX_WEBHOOK_URL_BYTES {
            return Err(refuse("a URL of at most 2048 bytes"));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| refuse(EXPECTED))?;
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(refuse("an https:// or http:// URL")),
        };
        if rest.contains('#') {
            return Err(refuse("a URL without a # in it: what stands behind it is not sent"));
        }
        let authority_at = text.len() - rest.len();
        let target_at = authority_at + rest.find(['/', '?']).unwrap_or(rest.len());
        let authority = &text[authority_at..target_at];
        if authority.contains('@') {
            return Err(refuse("a URL without a user and password: put a secret into its path or its query"));
        }
        let (host, port) = host_and_port(authority, if is_https { 443 } else { 80 }).ok_or_else(|| refuse(EXPECTED))?;
        let is_host_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_host = match authority.starts_with('[') {
            true => host.parse::<core::net::Ipv6Addr>().is_ok(),
            false => host.chars().all(is_host_char),
        };
        // RFC 1035 §2.3.4. No other name is ever found, and then nobody could publish.
        let name = host.strip_suffix('.').unwrap_or(host);
        let is_name = name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()));
        if is_host && !authority.starts_with('[') && !is_name {
            return Err(refuse("a URL whose host has between its dots 1 to 63 characters, and 253 in all"));
        }
        // What a request's first line can hold (RFC 3986): all else is written with %.
        let is_target = text[target_at..]
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'));
        if !is_host || !is_target {
            return Err(refuse("a URL in ASCII: other characters are written with %, and in the host as xn--"));
        }
        Ok(Self { is_https, host: host.to_owned(), port, authority_at, target_at, text: text.to_owned() })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as they were written, for the header `Host`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.text[self.authority_at..self.target_at]
    }

    /// What is asked for there: path and query.
    #[must_use]
    pub fn target(&self) -> String {
        match &self.text[self.target_at..] {
            target if target.starts_with('/') => target.to_owned(),
            query => format!("/{query}"),
        }
    }

    /// For who must not ask there.
    #[must_use]
    pub fn without_target(&self) -> String {
        format!("{}/…", &self.text[..self.target_at])
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_target())
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for WebhookUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> Self {
        url.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (text, https, host, port, authority, target) in [
            ("https://example.com/publish?secret=1", true, "example.com", 443, "example.com", "/publish?secret=1"),
            (" HTTP://example.com:8080 ", false, "example.com", 8080, "example.com:8080", "/"),
            ("http://example.com?a=/b", false, "example.com", 80, "example.com", "/?a=/b"),
            ("https://[2001:db8::1]:8443/x", true, "2001:db8::1", 8443, "[2001:db8::1]:8443", "/x"),
            ("http://127.0.0.1/", false, "127.0.0.1", 80, "127.0.0.1", "/"),
            ("http://example.com./", false, "example.com.", 80, "example.com.", "/"),
        ] {
            let url = WebhookUrl::parse(text).unwrap();
            assert_eq!((url.is_https(), url.host(), url.port()), (https, host, port), "{text}");
            assert_eq!((url.authority(), url.target().as_str(), url.as_str()), (authority, target, text.trim()));
        }
        let shown = format!("{:?}", WebhookUrl::parse("https://example.com/secret?secret=1").unwrap());
        assert_eq!(shown, "https://example.com/…");
    }

    #[test]
    fn what_cannot_be_asked_is_refused_with_what_is_asked_for() {
        for (text, why) in [
            ("ftp://example.com/", "https:// or http://"),
            ("file:///etc/passwd", "https:// or http://"),
            ("example.com/publish", "such as"),
            ("https://", "such as"),
            ("https:///publish", "such as"),
            ("https://example.com:0/", "such as"),
            ("https://example.com:99999/", "such as"),
            ("https://user:secret@example.com/", "user and password"),
            ("https://example.com/#top", "#"),
            ("https://exa mple.com/", "ASCII"),
            ("https://münster.de/", "ASCII"),
            ("https://[fe80::1%25eth0]/", "ASCII"),
            ("https://[127.0.0.1]/", "ASCII"),
            ("https://example.com/a b", "ASCII"),
            ("https://example.com/a\r\nX: y", "ASCII"),
            ("https://example.com/ü", "ASCII"),
            (&format!("https://example.com/{}", "k".repeat(MAX_WEBHOOK_URL_BYTES)), "2048"),
            ("https://example..com/", "between its dots"),
            (&format!("https://{}.example.com/", "a".repeat(64)), "63 characters"),
            (&format!("https://{}example.com/", "a.".repeat(122)), "253 in all"),
        ] {
            let Err(Error::WrongType { parameter, expected }) = WebhookUrl::parse(text) else { panic!("{text}") };
            assert!(parameter == "webhook" && expected.contains(why), "{text}: {expected}");
        }
    }
}
