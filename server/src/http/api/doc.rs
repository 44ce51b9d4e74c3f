//! What a call's own file says of it for the API's document: who may make it, what it takes, what it answers and refuses, in the types and constants of the code.
//! How all that is written as OpenAPI stands in `openapi.rs`, for people in `http/reference.rs`.

use std::borrow::Cow;

use afterlive_domain::{Error as Refusal, Role};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// The stream, and its recording, of the examples.
pub const EXAMPLE_STREAM: &str = "5f86a12f-3801-415a-b450-6b6a46842349";
pub const EXAMPLE_KEY: &str = "3a0f9c9e-6f0e-4f53-8d5b-5a2e4f1f6c11";
pub const EXAMPLE_ASSET: &str = "b1ce1a1f-3d0c-4a0e-9a43-0b6c1a2f7d55";

pub const EXAMPLE_ENDPOINT: &str = "7f3b6a52-0b7e-4a4d-9d3e-2c1f5b8a9e01";
pub const EXAMPLE_DELIVERY: &str = "e2a9d0c4-5b1f-4c37-8a66-9f0d3c2b1a10";

/// What calls answer.
const JSON: &str = "application/json";
/// One JSON object a line.
pub const LINES: &str = "application/x-ndjson";

/// One call.
pub struct Doc {
    pub(super) summary: &'static str,
    pub(super) about: Cow<'static, str>,
    pub(super) access: Access,
    pub(super) path: Vec<Field>,
    pub(super) query: Vec<Field>,
    pub(super) body: Vec<Field>,
    pub(super) answer: Answer,
    /// Besides those that follow from what else is said here; each as the call gives it.
    pub(super) refusals: Vec<Refusal>,
}

/// Who may make a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// An API key or a session token with at least this role.
    Role(Role),
    /// Those that may read, and player keys.
    Players,
    /// Everybody, as far as they may watch; with a credential as those who have it.
    Viewers,
    /// Everybody: no credential is looked at.
    Open,
}

/// A parameter in the path or the query, or a field of the body.
pub struct Field {
    pub(super) name: &'static str,
    pub(super) about: Cow<'static, str>,
    pub(super) is_required: bool,
    pub(super) schema: FieldSchema,
    pub(super) example: Option<Value>,
    /// The variable that stands for it in examples for a shell, where its value is the reader's own.
    pub(super) variable: Option<&'static str>,
}

pub enum FieldSchema {
    Written(Value),
    /// That of a type.
    Of(fn(&mut SchemaGenerator) -> Schema),
}

impl From<Value> for FieldSchema {
    fn from(schema: Value) -> Self {
        Self::Written(schema)
    }
}

/// The schema of a type.
pub fn schema_of<T: JsonSchema>() -> FieldSchema {
    FieldSchema::Of(SchemaGenerator::subschema_for::<T>)
}

/// The schema of an instant in a query.
pub fn instant() -> Value {
    json!({ "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "string", "format": "date" }] })
}

/// The schema of an instant in a body.
pub fn instant_or_seconds() -> Value {
    json!({ "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "string", "format": "date" }, { "type": "integer" }] })
}

pub(super) struct Answer {
    pub(super) schema: fn(&mut SchemaGenerator) -> Schema,
    pub(super) about: &'static str,
    pub(super) media_type: &'static str,
    /// Whether a `Link` header leads to the next page.
    pub(super) is_paged: bool,
}

impl Doc {
    pub fn new(summary: &'static str, access: Access) -> Self {
        let answer = Answer { schema: SchemaGenerator::subschema_for::<Value>, about: "", media_type: JSON, is_paged: false };
        let (path, query, body) = (Vec::new(), Vec::new(), Vec::new());
        Self { summary, about: "".into(), access, path, query, body, answer, refusals: Vec::new() }
    }

    pub fn about(mut self, about: impl Into<Cow<'static, str>>) -> Self {
        self.about = about.into();
        self
    }

    pub fn path(mut self, field: Field) -> Self {
        self.path.push(field);
        self
    }

    pub fn query(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.query.extend(fields);
        self
    }

    pub fn body(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.body.extend(fields);
        self
    }

    pub fn answers<T: JsonSchema>(mut self, about: &'static str) -> Self {
        self.answer = Answer { schema: SchemaGenerator::subschema_for::<T>, about, media_type: JSON, is_paged: false };
        self
    }

    /// A page of them, in an array.
    pub fn answers_page<T: JsonSchema>(mut self, about: &'static str) -> Self {
        self.answer = Answer { schema: SchemaGenerator::subschema_for::<Vec<T>>, about, media_type: JSON, is_paged: true };
        self
    }

    /// A page of them, one a line; the schema is of a line.
    pub fn answers_lines<T: JsonSchema>(mut self, about: &'static str) -> Self {
        self.answer = Answer { schema: SchemaGenerator::subschema_for::<T>, about, media_type: LINES, is_paged: true };
        self
    }

    pub fn refuses(mut self, refusals: impl IntoIterator<Item = Refusal>) -> Self {
        self.refusals.extend(refusals);
        self
    }
}

impl Field {
    pub fn required(name: &'static str, about: impl Into<Cow<'static, str>>, schema: impl Into<FieldSchema>) -> Self {
        Self { is_required: true, ..Self::optional(name, about, schema) }
    }

    pub fn optional(name: &'static str, about: impl Into<Cow<'static, str>>, schema: impl Into<FieldSchema>) -> Self {
        let (about, schema) = (about.into(), schema.into());
        Self { name, about, is_required: false, schema, example: None, variable: None }
    }

    pub fn example(mut self, example: impl Into<Value>) -> Self {
        self.example = Some(example.into());
        self
    }

    pub fn variable(mut self, name: &'static str) -> Self {
        self.variable = Some(name);
        self
    }
}

/// What a call refuses where a parameter is missing.
pub fn required(parameter: &str) -> Refusal {
    Refusal::ParameterRequired { parameter: parameter.to_owned() }
}

/// What a call refuses because of the state that something is in.
pub fn wrong_state(state: &str) -> Refusal {
    Refusal::WrongState { state: state.to_owned() }
}
