//! The endpoint, and the delivery, in a call's path.

use std::str::FromStr;

use afterlive_domain::{EndpointId, Error as Refusal, MessageId};
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::http::api::doc::{Doc, EXAMPLE_DELIVERY, EXAMPLE_ENDPOINT, Field, schema_of};
use crate::http::api::query::wrong;
use crate::http::error::ApiError;

/// `{id}` in the path of a call about an endpoint.
#[derive(Debug)]
pub struct EndpointPath(pub EndpointId);

impl EndpointPath {
    /// A call whose path has it.
    pub fn of(doc: Doc) -> Doc {
        let field =
            Field::required("id", "The endpoint's id.", schema_of::<EndpointId>()).example(EXAMPLE_ENDPOINT).variable("ENDPOINT");
        let missing = EXAMPLE_ENDPOINT.parse().map(|endpoint| Refusal::NoSuchEndpoint { endpoint }).ok();
        doc.path(field).refuses([wrong("id", "a UUID")]).refuses(missing)
    }
}

/// `{id}` in the path of a call about a delivery.
#[derive(Debug)]
pub struct DeliveryPath(pub MessageId);

impl DeliveryPath {
    /// A call whose path has it.
    pub fn of(doc: Doc) -> Doc {
        let field =
            Field::required("id", "The delivery's id.", schema_of::<MessageId>()).example(EXAMPLE_DELIVERY).variable("DELIVERY");
        let missing = EXAMPLE_DELIVERY.parse().map(|delivery| Refusal::NoSuchDelivery { delivery }).ok();
        doc.path(field).refuses([wrong("id", "a UUID")]).refuses(missing)
    }
}

async fn id<T: FromStr, S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<T, ApiError> {
    // A path that is no text in UTF-8 is no id either.
    let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
    Ok(text.parse().map_err(|_| wrong("id", "a UUID"))?)
}

impl<S: Send + Sync> FromRequestParts<S> for EndpointPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        id(parts, state).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for DeliveryPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        id(parts, state).await.map(Self)
    }
}
