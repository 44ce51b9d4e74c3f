//! `POST /organisation/endpoint`: a URL that is told of events from then on.

use std::sync::Arc;

use afterlive_domain::endpoint::{MAX_ENDPOINTS, endpoint_url};
use afterlive_domain::webhook::MAX_WEBHOOK_URL_BYTES;
use afterlive_domain::{Error as Refusal, Role, ToldKinds};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::json::{EXAMPLE_SECRET, EndpointJson};
use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, required, schema_of, wrong_state};
use crate::http::api::json::Json;
use crate::http::api::query::wrong;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

/// An endpoint that was just made.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "MadeEndpoint", example = example())]
pub struct Made {
    /// What signs: `whsec_` and base64.
    secret: String,
    #[serde(flatten)]
    endpoint: EndpointJson,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<Made>, ApiError> {
    let url = endpoint_url(fields.required_text("url")?)?;
    let kinds = kinds(&fields)?.unwrap_or_else(ToldKinds::all);
    let made = service.create_endpoint(&caller, url, kinds, fields.switch("enabled")?.unwrap_or(true)).await?;
    Ok(Json(Made { secret: made.secret.as_str().to_owned(), endpoint: made.into() }))
}

pub fn doc() -> Doc {
    Doc::new("Makes an endpoint for events", Access::Role(Role::Admin))
        .about("It is told what happens from then on, by signed POSTs. What happened before is not told.")
        .body([url_field(true), kinds_field("Of what it is told; of all of these where it is left out."), enabled_field()])
        .answers::<Made>("The endpoint, with its secret.")
        .refuses([
            required("url"),
            wrong("url", "a URL such as https://example.com/publish"),
            bad_kinds(),
            wrong_state(&format!("{MAX_ENDPOINTS} endpoints, which is the most")),
        ])
}

pub(super) fn kinds(fields: &Fields) -> Result<Option<ToldKinds>, Refusal> {
    fields.texts("kinds")?.map(ToldKinds::new).transpose()
}

pub(super) fn url_field(is_required: bool) -> Field {
    let schema = json!({ "type": "string", "maxLength": MAX_WEBHOOK_URL_BYTES });
    let about = "`https` or `http`, on a public address. May hold a secret in its path or query.";
    let field = if is_required { Field::required("url", about, schema) } else { Field::optional("url", about, schema) };
    field.example("https://example.com/events")
}

pub(super) fn kinds_field(about: &'static str) -> Field {
    Field::optional("kinds", about, schema_of::<ToldKinds>()).example(json!(["asset.ready", "asset.failed"]))
}

pub(super) fn enabled_field() -> Field {
    let about = "While it is false nothing is sent, and what happens is not told later.";
    Field::optional("enabled", about, json!({ "type": "boolean" })).example(true)
}

pub(super) fn bad_kinds() -> Refusal {
    ToldKinds::new([""; 0]).err().unwrap_or(Refusal::Internal)
}

fn example() -> Value {
    let mut made = json!({ "secret": EXAMPLE_SECRET });
    if let (Some(made), Value::Object(endpoint)) = (made.as_object_mut(), super::json::example()) {
        made.extend(endpoint);
    }
    made
}
