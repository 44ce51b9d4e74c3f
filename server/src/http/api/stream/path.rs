//! The stream in a call's path.

use afterlive_domain::{Error as Refusal, StreamId};
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::http::api::doc::{Doc, EXAMPLE_STREAM, Field, schema_of};
use crate::http::error::ApiError;

/// How much of what is no id is repeated to the client.
const MAX_REPEATED_CHARS: usize = 100;

/// `{id}` in the path. What is no id names no stream.
#[derive(Debug)]
pub struct StreamPath(pub StreamId);

impl StreamPath {
    /// A call whose path has it.
    pub fn of(doc: Doc) -> Doc {
        let about = "The stream's id.";
        let field = Field::required("id", about, schema_of::<StreamId>()).example(EXAMPLE_STREAM).variable("STREAM");
        doc.path(field).refuses([Refusal::NoSuchStream { stream: EXAMPLE_STREAM.to_owned() }])
    }
}

impl<S: Send + Sync> FromRequestParts<S> for StreamPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // A path that is no text in UTF-8 is no id either.
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        match text.parse() {
            Ok(id) => Ok(Self(id)),
            Err(_) => Err(Refusal::NoSuchStream { stream: text.chars().take(MAX_REPEATED_CHARS).collect() }.into()),
        }
    }
}
