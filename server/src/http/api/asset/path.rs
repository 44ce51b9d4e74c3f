//! The asset in a call's path.

use afterlive_domain::{AssetId, Error as Refusal};
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::http::api::doc::{Doc, EXAMPLE_ASSET, Field, schema_of};
use crate::http::api::query::wrong;
use crate::http::error::ApiError;

/// `{id}` in the path; what is no UUID is refused without a look.
#[derive(Debug)]
pub struct AssetPath(pub AssetId);

impl AssetPath {
    /// A call whose path has it.
    pub fn of(doc: Doc) -> Doc {
        let field = Field::required("id", "The recording's id.", schema_of::<AssetId>()).example(EXAMPLE_ASSET).variable("ASSET");
        let no_such_asset = EXAMPLE_ASSET.parse().map(|asset| Refusal::NoSuchAsset { asset }).ok();
        doc.path(field).refuses([wrong("id", "a UUID")]).refuses(no_such_asset)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AssetPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // A path that is no text in UTF-8 is no id either.
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        Ok(Self(text.parse().map_err(|_| wrong("id", "a UUID"))?))
    }
}
