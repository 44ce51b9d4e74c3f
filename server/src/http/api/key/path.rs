//! The key in a call's path: its id, never itself.

use afterlive_domain::{Error as Refusal, KeyId};
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::http::error::ApiError;

/// `{id}` in the path; what is no UUID is refused without a look, and not repeated: it could be a key.
#[derive(Debug)]
pub struct KeyPath(pub KeyId);

impl<S: Send + Sync> FromRequestParts<S> for KeyPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // A path that is no text in UTF-8 is no id either.
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        let wrong = |_| Refusal::WrongType { parameter: "id".to_owned(), expected: "a UUID".to_owned() };
        Ok(Self(text.parse().map_err(wrong)?))
    }
}
