//! Where an organisation is told of events, and of which. What is sent there, and when again, is the server's.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::webhook::WebhookUrl;
use crate::{Error, EventKind};

/// The most endpoints of an organisation: each is told everything that it asks for, on its own.
pub const MAX_ENDPOINTS: usize = 5;

/// Of what an organisation's programs are told. What else happens is for pages that are open, and carries nothing that a program could not ask for.
pub const TOLD: [EventKind; 6] = [
    EventKind::StreamLive,
    EventKind::StreamEnded,
    EventKind::AssetStalled,
    EventKind::AssetReady,
    EventKind::AssetFailed,
    EventKind::AssetDeleted,
];

/// Which of [`TOLD`] an endpoint is told: at least one, each once, in their order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct ToldKinds(Vec<EventKind>);

impl ToldKinds {
    #[must_use]
    pub fn all() -> Self {
        Self(TOLD.to_vec())
    }

    /// # Errors
    /// `WrongType` for `kinds` where one is unknown, or there is none.
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, Error> {
        let refuse = || {
            let names: Vec<&str> = TOLD.iter().map(|kind| kind.as_str()).collect();
            Error::WrongType { parameter: "kinds".to_owned(), expected: format!("at least one of {}", names.join(", ")) }
        };
        let mut named = Vec::new();
        for name in names {
            named.push(TOLD.into_iter().find(|kind| kind.as_str() == name.as_ref()).ok_or_else(refuse)?);
        }
        let kinds: Vec<EventKind> = TOLD.into_iter().filter(|kind| named.contains(kind)).collect();
        if kinds.is_empty() { Err(refuse()) } else { Ok(Self(kinds)) }
    }

    /// As it was stored. Kinds of a later version are left out, so that there may be none.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(TOLD.into_iter().filter(|kind| text.split_whitespace().any(|name| name == kind.as_str())).collect())
    }

    #[must_use]
    pub fn has(&self, kind: EventKind) -> bool {
        self.0.contains(&kind)
    }

    #[must_use]
    pub fn as_slice(&self) -> &[EventKind] {
        &self.0
    }
}

impl fmt::Display for ToldKinds {
    /// With blanks between them, as they are stored.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|kind| kind.as_str()).collect();
        f.write_str(&names.join(" "))
    }
}

impl TryFrom<Vec<String>> for ToldKinds {
    type Error = Error;

    fn try_from(names: Vec<String>) -> Result<Self, Error> {
        Self::new(names)
    }
}

impl From<ToldKinds> for Vec<String> {
    fn from(kinds: ToldKinds) -> Self {
        kinds.0.into_iter().map(|kind| kind.as_str().to_owned()).collect()
    }
}

/// How far a delivery has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Behind an earlier one of the same stream.
    Queued,
    /// For its first try, or the next one.
    Waiting,
    Sending,
    Delivered,
    /// Given up. It can be sent again.
    Failed,
}

impl DeliveryState {
    pub const ALL: [Self; 5] = [Self::Queued, Self::Waiting, Self::Sending, Self::Delivered, Self::Failed];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// Reads an endpoint's URL: as a webhook's.
///
/// # Errors
/// `WrongType` for `url`, with what is asked for.
pub fn endpoint_url(text: &str) -> Result<WebhookUrl, Error> {
    WebhookUrl::parse(text).map_err(|refused| match refused {
        Error::WrongType { expected, .. } => Error::WrongType { parameter: "url".to_owned(), expected },
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_at_least_one_each_once_in_their_order() {
        let kinds = ToldKinds::new(["asset.ready", "stream.live", "asset.ready"]).unwrap();
        assert_eq!(kinds.to_string(), "stream.live asset.ready");
        assert_eq!(ToldKinds::stored(&format!("{kinds} stream.of_another_version")), kinds);
        assert!(kinds.has(EventKind::AssetReady) && !kinds.has(EventKind::AssetFailed));
        for bad in [&[][..], &["stream.created"], &["asset.ready", "x"]] {
            assert!(ToldKinds::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_is_refused_as_such() {
        let Err(Error::WrongType { parameter, .. }) = endpoint_url("ftp://example.com") else { panic!() };
        assert_eq!(parameter, "url");
    }
}
