//! One newtype for each id, so that a stream's id can never stand where an asset's is asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            /// Takes the hyphenated form only: a path such as `/stream/{uuid in braces}` names nothing.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                uuid::fmt::Hyphenated::from_str(text).map(|id| Self(id.into_uuid()))
            }
        }
    };
}

id!(
    /// An organisation, the tenant.
    OrganisationId
);
id!(
    /// A playback token.
    TokenId
);
id!(
    /// A person who signs in to the dashboard.
    UserId
);
id!(
    /// An invitation to become a user of an organisation.
    InvitationId
);
id!(
    /// A stream: a configured channel.
    StreamId
);
id!(
    /// A session: one or more publishes of a stream joined by reconnects.
    SessionId
);
id!(
    /// An asset: a recording as the API and viewers know it.
    AssetId
);
id!(
    /// An API key. Names the key in lists; is not the secret.
    KeyId
);

id!(
    /// Where an organisation is told of events.
    EndpointId
);
id!(
    /// What an endpoint is told at once: the same in every try, and what it remembers to know what it has.
    MessageId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let text = "5f86a12f-3801-415a-b450-6b6a46842349";
        assert_eq!(text.parse::<StreamId>().unwrap().to_string(), text);
        for other in ["5f86a12f3801415ab4506b6a46842349", "{5f86a12f-3801-415a-b450-6b6a46842349}", "new", ""] {
            assert!(other.parse::<StreamId>().is_err(), "{other}");
        }
    }
}
