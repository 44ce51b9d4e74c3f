//! The asset in a call's path.

use afterlive_domain::{AssetId, Error as Refusal};
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::http::error::ApiError;

/// `{id}` in the path; what is no UUID is refused without a look.
#[derive(Debug)]
pub struct AssetPath(pub AssetId);

impl<S: Send + Sync> FromRequestParts<S> for AssetPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // A path that is no text in UTF-8 is no id either.
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        let wrong = |_| Refusal::WrongType { parameter: "id".to_owned(), expected: "a UUID".to_owned() };
        Ok(Self(text.parse().map_err(wrong)?))
    }
}
