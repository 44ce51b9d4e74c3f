//! Where a live stream is also pushed to: another RTMP server's URL. Reads it, and says what of it may be shown; opens nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::authority::host_and_port;

/// The most bytes of such a URL.
pub const MAX_PUSH_URL_BYTES: usize = 2_048;
const DEFAULT_PORT: u16 = 1935;

/// `rtmp://HOST[:PORT]/APP/NAME`. The name is mostly a key to publish with: `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PushUrl {
    text: String,
    /// Without brackets.
    host: String,
    port: u16,
    /// From where the path begins.
    path_at: usize,
    /// Where the name begins.
    name_at: usize,
}

impl PushUrl {
    /// # Errors
    /// `WrongType` for `url`, with what is asked for.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let refuse = |expected: &str| Error::WrongType { parameter: "url".to_owned(), expected: expected.to_owned() };
        let whole = "a URL such as rtmp://live.example.com/app/key";
        if text.len() > MAX_PUSH_URL_BYTES || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(refuse(whole));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| refuse(whole))?;
        match scheme.to_ascii_lowercase().as_str() {
            "rtmp" => {}
            "rtmps" => return Err(refuse("an rtmp:// URL: pushing over TLS (rtmps) is not spoken by this version")),
            _ => return Err(refuse("an rtmp:// URL: no other protocol is spoken")),
        }
        let path_at = text.len() - rest.len() + rest.find('/').ok_or_else(|| refuse(whole))?;
        let authority = &text[scheme.len() + 3..path_at];
        if authority.contains('@') {
            return Err(refuse("an rtmp:// URL without a user and password: servers take a key at its end"));
        }
        let (host, port) = host_and_port(authority, DEFAULT_PORT).ok_or_else(|| refuse(whole))?;
        let before_query = text.find('?').unwrap_or(text.len());
        let name_at = text[..before_query].rfind('/').map_or(path_at, |slash| slash + 1);
        let app = text.get(path_at + 1..name_at.saturating_sub(1)).unwrap_or_default();
        if app.is_empty() || name_at == text.len() {
            return Err(refuse("a URL with an application and a name behind the host, such as rtmp://live.example.com/app/key"));
        }
        Ok(Self { host: host.to_owned(), port, path_at, name_at, text: text.to_owned() })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What RTMP calls the application: the path up to the name.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.text[self.path_at + 1..self.name_at - 1]
    }

    /// The URL up to the application.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.text[..self.name_at - 1]
    }

    /// The stream's name there, with its query.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[self.name_at..]
    }

    /// For who must not publish there.
    #[must_use]
    pub fn without_key(&self) -> String {
        format!("{}/…", self.server())
    }
}

impl fmt::Debug for PushUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_key())
    }
}

impl TryFrom<String> for PushUrl {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for PushUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl From<PushUrl> for String {
    fn from(url: PushUrl) -> Self {
        url.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_at_its_last_slash() {
        for (text, host, port, app, name) in [
            ("rtmp://a.example.com/live2/abcd-ef", "a.example.com", 1935, "live2", "abcd-ef"),
            (" RTMP://a.example.com:1936/app/inst/key?x=/y ", "a.example.com", 1936, "app/inst", "key?x=/y"),
            ("rtmp://[2001:db8::1]:80/app/key", "2001:db8::1", 80, "app", "key"),
            ("rtmp://[2001:db8::1]/app/key", "2001:db8::1", 1935, "app", "key"),
        ] {
            let url = PushUrl::parse(text).unwrap();
            assert_eq!((url.host(), url.port(), url.app(), url.name()), (host, port, app, name), "{text}");
            assert_eq!(format!("{}/{}", url.server(), url.name()), text.trim());
        }
        let shown = format!("{:?}", PushUrl::parse("rtmp://a.example.com/live2/secret?auth=1").unwrap());
        assert_eq!(shown, "rtmp://a.example.com/live2/…");
    }

    #[test]
    fn what_cannot_be_pushed_to_is_refused_with_what_is_asked_for() {
        for (text, why) in [
            ("rtmps://a.example.com/app/key", "TLS"),
            ("srt://a.example.com:5000", "no other protocol"),
            ("http://a.example.com/app/key", "no other protocol"),
            ("file:///etc/passwd", "no other protocol"),
            ("a.example.com/app/key", "such as"),
            ("rtmp://a.example.com", "such as"),
            ("rtmp://a.example.com/", "application"),
            ("rtmp://a.example.com/app", "application"),
            ("rtmp://a.example.com/app/", "application"),
            ("rtmp://a.example.com//key", "application"),
            ("rtmp:///app/key", "such as"),
            ("rtmp://a:0/app/key", "such as"),
            ("rtmp://a:99999/app/key", "such as"),
            ("rtmp://user:secret@a/app/key", "user and password"),
            ("rtmp://a/app/k ey", "such as"),
            ("rtmp://a/app/k\ney", "such as"),
            (&format!("rtmp://a/app/{}", "k".repeat(MAX_PUSH_URL_BYTES)), "such as"),
        ] {
            let Err(Error::WrongType { expected, .. }) = PushUrl::parse(text) else { panic!("{text}") };
            assert!(expected.contains(why), "{text}: {expected}");
        }
    }
}
