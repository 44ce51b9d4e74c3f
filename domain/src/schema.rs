//! What the API's document says of the types here whose text derive cannot read: JSON Schemas, beside the checks that they tell of. For the server alone.
//! Says nothing of what a field of the API means: that stands at the field.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::endpoint::TOLD;
use crate::name::NAME_LENGTH;
use crate::region::MAX_REGION_CHARS;
use crate::stream::{MAX_TAG_CHARS, MAX_TAGS};
use crate::{
    AssetId, EndpointId, KeyId, MessageId, OrganisationHash, OrganisationId, Region, StreamId, Streamname, Tags, TokenId,
    ToldKinds, UnixMillis, UserId,
};

macro_rules! inline_schema {
    ($($name:ident),+ => $schema:expr) => {
        $(impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        })+
    };
}

inline_schema!(OrganisationId, TokenId, UserId, StreamId, AssetId, KeyId, EndpointId, MessageId => json_schema!({ "type": "string", "format": "uuid" }));
inline_schema!(ToldKinds => json_schema!({
    "type": "array",
    "items": { "type": "string", "enum": TOLD.map(crate::EventKind::as_str) },
    "minItems": 1,
}));
inline_schema!(UnixMillis => json_schema!({ "type": "string", "format": "date-time" }));
inline_schema!(OrganisationHash => json_schema!({ "type": "string", "pattern": format!("^[A-Za-z0-9]{{{NAME_LENGTH}}}$") }));
inline_schema!(Streamname => json_schema!({
    "type": "string",
    "pattern": format!("^[A-Za-z0-9]{{{NAME_LENGTH}}}-[A-Za-z0-9]{{{NAME_LENGTH}}}$"),
}));
inline_schema!(Region => json_schema!({ "type": "string", "pattern": "^[a-z][a-z0-9-]*$", "maxLength": MAX_REGION_CHARS }));
inline_schema!(Tags => json_schema!({
    "type": "array",
    "items": { "type": "string", "maxLength": MAX_TAG_CHARS },
    "maxItems": MAX_TAGS,
}));
