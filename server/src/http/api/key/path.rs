//! The key in a call's path: its id, never itself.

use afterlive_domain::{Error as Refusal, KeyId};
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::http::api::doc::{Doc, EXAMPLE_KEY, Field, schema_of};
use crate::http::api::query::wrong;
use crate::http::error::ApiError;

/// `{id}` in the path; what is no UUID is refused without a look, and not repeated: it could be a key.
#[derive(Debug)]
pub struct KeyPath(pub KeyId);

impl KeyPath {
    /// A call whose path has it.
    pub fn of(doc: Doc) -> Doc {
        let field =
            Field::required("id", "The key's id, never the key.", schema_of::<KeyId>()).example(EXAMPLE_KEY).variable("KEY_ID");
        let no_such_key = EXAMPLE_KEY.parse().map(|key| Refusal::NoSuchKey { key }).ok();
        doc.path(field).refuses([wrong("id", "a UUID")]).refuses(no_such_key)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for KeyPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // A path that is no text in UTF-8 is no id either.
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        Ok(Self(text.parse().map_err(|_| wrong("id", "a UUID"))?))
    }
}
