//! `GET /openapi.json`: the document of all calls as OpenAPI 3.1, from what stands beside each of them. Says nothing of a call itself.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use afterlive_domain::{Error as Refusal, Role};
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::Method;
use http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::body::MAX_BODY_BYTES;
use super::calls::{Call, groups};
use super::doc::{Access, Doc, Field, FieldSchema};
use crate::http::arrival::BODY_TIMEOUT;
use crate::http::error::{ErrorBody, explained, slow_body};
use crate::http::listen::{MAX_HEADER_BYTES, MAX_HEADERS};
use crate::http::unsent::RETRY_AFTER_S;

/// Where the document is.
pub const PATH: &str = "/openapi.json";
/// Security schemes of those that have a role.
const WITH_ROLE: [&str; 3] = ["apiKey", "sessionToken", "bearer"];
const PLAYER_KEY: &str = "playerKey";

/// The document, without what differs between servers: paths count from where it lies.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

static TEXT: LazyLock<Bytes> = LazyLock::new(|| DOCUMENT.to_string().into());

pub async fn handle() -> Response {
    ([(CONTENT_TYPE, "application/json"), (X_CONTENT_TYPE_OPTIONS, "nosniff")], TEXT.clone()).into_response()
}

pub fn doc() -> Doc {
    Doc::new("This API as an OpenAPI 3.1 document", Access::Open)
        .about("Made from the server's own code. The same for everybody.")
        .answers::<Map<String, Value>>("The document.")
}

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    let mut tags = Vec::new();
    for group in groups() {
        tags.push(json!({ "name": group.name, "description": group.about }));
        for call in group.calls {
            let operation = operation(&mut generator, group.name, &call);
            let path = paths.entry(call.path).or_insert_with(|| json!({}));
            path[call.method.as_str().to_ascii_lowercase()] = operation;
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Afterlive",
            "version": env!("CARGO_PKG_VERSION"),
            "description": description(),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": security_schemes(),
        },
    });
    ease(&mut document);
    document
}

/// With what is answered before it is known which call is meant, if any: an operation's own responses have no place for it.
fn description() -> String {
    format!(
        "Streams, recordings and who may watch them. Programs written for bintu's API run against this one with another base URL and key. \
         In words, with examples: /docs. A path that is no call is answered with 404 and the code 3013, a method that a path does not have with 405, the code 3014 \
         and the header `Allow`, and a request whose head has more than {MAX_HEADER_BYTES} bytes or {MAX_HEADERS} headers with 431 and no body."
    )
}

/// Says what is so in words that generators of clients read as well: formats of numbers that OpenAPI has (unsigned ones are read as 32 bits with a sign, which files
/// of 2 GiB outgrow; `minimum` says that they are not negative), and the type of what is one of some values.
fn ease(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(ease),
        Value::Object(object) => {
            match object.get("format").and_then(Value::as_str) {
                Some("uint" | "uint32" | "uint64") => object["format"] = json!("int64"),
                Some("uint8" | "uint16") => object["format"] = json!("int32"),
                _ => {}
            }
            let values =
                object.get("enum").and_then(Value::as_array).and_then(|values| values.first()).or_else(|| object.get("const"));
            let kind = match values {
                Some(Value::String(_)) => Some("string"),
                Some(Value::Number(_)) => Some("integer"),
                _ => None,
            };
            if let Some(kind) = kind
                && !object.contains_key("type")
            {
                object.insert("type".to_owned(), json!(kind));
            }
            object
                .iter_mut()
                .filter(|(name, _)| !matches!(name.as_str(), "example" | "examples"))
                .for_each(|(_, inner)| ease(inner));
        }
        _ => {}
    }
}

fn security_schemes() -> Value {
    let header = |name: &str, about: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": about });
    json!({
        "apiKey": header("X-BINTU-APIKEY", "An API key of the organisation; may what its role may."),
        "sessionToken": header("X-BINTU-TOKEN", "A session token of a user, from POST /user/validate; may what the user may."),
        "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The same session token." },
        PLAYER_KEY: header("X-BINTU-PLAYERKEY", "A player key, which may stand in a page for everybody to see: shows streams as players see them."),
    })
}

fn operation(generator: &mut SchemaGenerator, group: &str, call: &Call) -> Value {
    let doc = (call.doc)();
    let mut operation = json!({
        "operationId": operation_id(&call.method, call.path),
        "tags": [group],
        "summary": doc.summary,
        "security": security(doc.access),
        "responses": responses(generator, call, &doc),
    });
    if !doc.about.is_empty() {
        operation["description"] = json!(doc.about);
    }
    if let Access::Role(role) = doc.access {
        operation["x-least-role"] = json!(role);
    }
    let mut parameters: Vec<Value> = doc.path.iter().map(|field| parameter(generator, "path", field)).collect();
    parameters.extend(doc.query.iter().map(|field| parameter(generator, "query", field)));
    if call.is_polled {
        let about = "An ETag that was answered before: 304 where nothing has changed since.";
        parameters.push(
            json!({ "name": "If-None-Match", "in": "header", "required": false, "description": about, "schema": { "type": "string" } }),
        );
    }
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if !doc.body.is_empty() {
        operation["requestBody"] = request_body(generator, &doc.body);
    }
    operation
}

/// `getStreamByIdGroup`: one for each, and always the same.
fn operation_id(method: &Method, path: &str) -> String {
    let words = path.split(['/', '_', '.']).filter(|word| !word.is_empty());
    words.fold(method.as_str().to_ascii_lowercase(), |id, word| {
        let (by, name) = match word.strip_prefix('{') {
            Some(name) => ("By", name.trim_end_matches('}')),
            None => ("", word),
        };
        let (first, rest) = name.split_at(1);
        format!("{id}{by}{}{rest}", first.to_ascii_uppercase())
    })
}

/// OpenAPI 3.1 takes the roles that are asked for beside a scheme.
fn security(access: Access) -> Value {
    let with_role = |role: Role| WITH_ROLE.map(|scheme| json!({ scheme: [role] })).to_vec();
    json!(match access {
        Access::Role(role) => with_role(role),
        Access::Players => [with_role(Role::ReadOnly), vec![json!({ PLAYER_KEY: [] })]].concat(),
        Access::Viewers => [with_role(Role::ReadOnly), vec![json!({ PLAYER_KEY: [] }), json!({})]].concat(),
        Access::Open => Vec::new(),
    })
}

fn parameter(generator: &mut SchemaGenerator, place: &str, field: &Field) -> Value {
    let mut parameter = json!({
        "name": field.name,
        "in": place,
        "required": field.is_required,
        "description": field.about,
        "schema": schema(generator, &field.schema),
    });
    if let Some(example) = &field.example {
        parameter["example"] = example.clone();
    }
    if let Some(variable) = field.variable {
        parameter["x-shell-variable"] = json!(variable);
    }
    parameter
}

fn request_body(generator: &mut SchemaGenerator, fields: &[Field]) -> Value {
    let mut properties = Map::new();
    let mut example = Map::new();
    for field in fields {
        let mut property = schema(generator, &field.schema);
        if !field.is_required {
            // Null is as good as absent, where nothing else is said.
            property = json!({ "anyOf": [property, { "type": "null" }] });
        }
        property["description"] = json!(field.about);
        if let Some(variable) = field.variable {
            property["x-shell-variable"] = json!(variable);
        }
        properties.insert(field.name.to_owned(), property);
        example.extend(field.example.clone().map(|example| (field.name.to_owned(), example)));
    }
    let required: Vec<&str> = fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
    let mut object = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    json!({
        "required": !required.is_empty(),
        "description": format!(
            "At most {MAX_BODY_BYTES} bytes, all of them within {} s. Fields that the call does not know are ignored, and no body is as good as {{}}.",
            BODY_TIMEOUT.as_secs()
        ),
        "content": { "application/json": { "schema": object, "example": example } },
    })
}

fn schema(generator: &mut SchemaGenerator, schema: &FieldSchema) -> Value {
    match schema {
        FieldSchema::Written(schema) => schema.clone(),
        FieldSchema::Of(generate) => generate(generator).to_value(),
    }
}

fn responses(generator: &mut SchemaGenerator, call: &Call, doc: &Doc) -> Value {
    let mut success = json!({
        "description": doc.answer.about,
        "content": { doc.answer.media_type: { "schema": (doc.answer.schema)(generator).to_value() } },
    });
    let header = |about: &str| json!({ "description": about, "schema": { "type": "string" } });
    if doc.answer.is_paged {
        success["headers"]["Link"] = header("`<URL>; rel=\"next\"`: where the next page is. Absent on the last one.");
    }
    let mut responses = BTreeMap::new();
    if call.is_polled {
        success["headers"]["ETag"] = header("Of this answer to this caller; for `If-None-Match`.");
        let headers = success["headers"].clone();
        let about = "Nothing has changed since the answer with that ETag.";
        responses.insert("304".to_owned(), json!({ "description": about, "headers": headers }));
    }
    responses.insert("200".to_owned(), success);
    let mut by_status: BTreeMap<u16, Vec<Refusal>> = BTreeMap::new();
    for refusal in implied(call, doc).into_iter().chain(doc.refusals.iter().cloned()) {
        let of_status = by_status.entry(explained(&refusal).0.as_u16()).or_default();
        if !of_status.contains(&refusal) {
            of_status.push(refusal);
        }
    }
    responses.extend(by_status.into_iter().map(|(status, refusals)| (status.to_string(), error_response(generator, &refusals))));
    if !doc.body.is_empty() {
        // No call's own refusal: whichever it is, its body is waited for no longer.
        let (status, body) = slow_body();
        responses.insert(status.as_str().to_owned(), one_of(generator, [body]));
    }
    json!(responses)
}

/// What follows from who may call, from there being a body, and from the database being asked.
fn implied(call: &Call, doc: &Doc) -> Vec<Refusal> {
    let mut refusals = vec![Refusal::Internal];
    if call.path != PATH {
        refusals.push(Refusal::NoRoom { retry_after_s: RETRY_AFTER_S });
    }
    // Of one organisation there is one change at a time.
    if call.method != Method::GET && matches!(doc.access, Access::Role(Role::User | Role::Admin)) {
        refusals.push(Refusal::TooMany { retry_after_s: RETRY_AFTER_S });
    }
    if doc.access != Access::Open {
        refusals.push(Refusal::BadCredentials);
        refusals.push(Refusal::Suspended);
    }
    if let Access::Role(needed @ (Role::User | Role::Admin)) = doc.access {
        refusals.push(Refusal::Denied { needed });
    }
    if !doc.body.is_empty() {
        refusals.push(Refusal::BodyTooLarge { limit_bytes: MAX_BODY_BYTES as u64 });
        refusals.push(Refusal::WrongType { parameter: "body".to_owned(), expected: "a JSON object".to_owned() });
    }
    refusals
}

fn error_response(generator: &mut SchemaGenerator, refusals: &[Refusal]) -> Value {
    let mut response = one_of(generator, refusals.iter().map(|refusal| explained(refusal).1));
    if refusals.iter().any(|refusal| matches!(refusal, Refusal::TooMany { .. } | Refusal::NoRoom { .. })) {
        let about = "In so many seconds another attempt may succeed.";
        response["headers"] = json!({ "Retry-After": { "description": about, "schema": { "type": "integer" } } });
    }
    response
}

/// The response that is one of these errors.
fn one_of(generator: &mut SchemaGenerator, errors: impl IntoIterator<Item = ErrorBody>) -> Value {
    let mut codes = Vec::new();
    let mut texts = Vec::new();
    let mut examples = Map::new();
    for body in errors {
        let (code, message) = (body.code(), body.message().to_owned());
        if !codes.contains(&code) {
            codes.push(code);
            texts.push(format!("{code}: {message}"));
        }
        let name = (1..).map(|number| format!("{code}-{number}")).find(|name| !examples.contains_key(name)).unwrap_or_default();
        examples.insert(name, json!({ "summary": message, "value": body }));
    }
    let one_of_them = json!({ "properties": { "error": { "properties": { "code": { "enum": codes } } } } });
    let schema = json!({ "allOf": [generator.subschema_for::<ErrorBody>(), one_of_them] });
    json!({
        "description": texts.join("; "),
        "content": { "application/json": { "schema": schema, "examples": examples } },
    })
}
