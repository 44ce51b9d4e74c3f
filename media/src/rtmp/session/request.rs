//! What clients ask for, read once and freed of the odd ways in which it is put.

use std::fmt;

use super::Value;
use crate::flv::fourcc;

/// `FourCcInfoMask` of Enhanced RTMP: can decode, can forward.
const TAKES_MASK: u32 = 0x01 | 0x04;

/// The name of an application or a stream as a client gives it. `Debug` leaves out the query, which may hold a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Name {
    /// Without the query, and without `/` around it.
    pub name: String,
    /// What stood behind the first `?`.
    pub query: Option<String>,
}

impl Name {
    pub(super) fn new(text: &str) -> Self {
        let (name, query) = match text.split_once('?') {
            Some((name, query)) => (name, Some(query.to_owned())),
            None => (text, None),
        };
        Self { name: name.trim_matches('/').to_owned(), query }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{}", self.name, if self.query.is_some() { "?…" } else { "" })
    }
}

/// A client's `connect`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connect {
    /// The first part of the path in the client's URL.
    pub app: Name,
    /// Host name or address in the client's URL, without port; as sent.
    pub host: Option<String>,
    /// Host of the page that the client says it stands on; as sent.
    pub page_host: Option<String>,
    /// What the client says that it is.
    pub software: Option<String>,
    /// It says that it takes Opus, which only Enhanced RTMP has.
    pub takes_opus: bool,
}

impl Connect {
    /// From the command object, §7.2.1.1.
    pub(super) fn new(properties: &Value) -> Self {
        let text = |name| properties.get(name).and_then(Value::as_str);
        Self {
            app: Name::new(text("app").unwrap_or_default()),
            host: text("tcUrl").and_then(host).map(str::to_owned),
            page_host: text("pageUrl").and_then(host).map(str::to_owned),
            software: text("flashVer").map(str::to_owned),
            takes_opus: takes(properties, fourcc::OPUS),
        }
    }
}

/// Whether the client says so in the list of Enhanced RTMP's first version, or in the map of its second; `*` is every codec.
fn takes(properties: &Value, codec: &[u8; 4]) -> bool {
    let is_meant = |name: &str| name == "*" || name.as_bytes() == codec;
    let listed = match properties.get("fourCcList") {
        Some(Value::StrictArray(list)) => list.iter().filter_map(Value::as_str).any(is_meant),
        _ => false,
    };
    let mapped = match properties.get("audioFourCcInfoMap") {
        Some(Value::Object(map) | Value::EcmaArray(map)) => map.iter().any(|(name, mask)| {
            // What is out of range is cut to fit.
            is_meant(name) && mask.as_number().is_some_and(|mask| mask as u32 & TAKES_MASK != 0)
        }),
        _ => false,
    };
    listed || mapped
}

/// The host in a URL, without user, port or brackets.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let place = authority.rsplit('@').next()?;
    let host = match place.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next()?,
        None => place.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_split_off_and_not_shown() {
        let name = Name::new("8sKpm-x49nB?key=secret&x=?");
        assert_eq!((name.name.as_str(), name.query.as_deref()), ("8sKpm-x49nB", Some("key=secret&x=?")));
        assert_eq!(format!("{name:?}"), "\"8sKpm-x49nB\"?…");
        assert_eq!(Name::new("/rec/").name, "rec");
        assert_eq!(Name::new(""), Name { name: String::new(), query: None });
    }

    #[test]
    fn a_client_takes_opus_where_it_says_so_and_no_other_does() {
        use crate::rtmp::amf0::object;
        let list =
            |codecs: &[&str]| object([("fourCcList", Value::StrictArray(codecs.iter().map(|codec| (*codec).into()).collect()))]);
        let map = |codec: &str, mask: f64| object([("audioFourCcInfoMap", object([(codec, mask.into())]))]);
        for (said, expected) in [
            (list(&["hvc1", "Opus"]), true),
            (list(&["*"]), true),
            (list(&["hvc1", "opus"]), false),
            (map("Opus", 1.0), true),
            (map("*", 4.0), true),
            (map("Opus", 2.0), false),
            (map("mp4a", 7.0), false),
            (object([("app", "play".into())]), false),
            (Value::Null, false),
        ] {
            assert_eq!(Connect::new(&said).takes_opus, expected, "{said:?}");
        }
    }

    #[test]
    fn the_host_is_found_in_every_form_of_url() {
        for (url, expected) in [
            ("rtmp://ingest-us.example.com/rec", Some("ingest-us.example.com")),
            ("rtmp://ingest-us.example.com:1935/rec?x=://y/", Some("ingest-us.example.com")),
            ("rtmps://user:secret@192.0.2.7:1937", Some("192.0.2.7")),
            ("rtmp://[2001:db8::1]:1935/rec", Some("2001:db8::1")),
            ("rtmp:///rec", None),
            ("nonsense", None),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }
}
