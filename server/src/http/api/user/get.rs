//! `GET /user`: who calls: the user of the session token, or the API key. All names are ours.

use std::sync::Arc;

use afterlive_domain::{OrganisationHash, OrganisationId, Role, UnixMillis};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::permissions::Permissions;
use crate::http::api::doc::{Access, Doc, EXAMPLE_KEY};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{Service, Who};

/// Who calls.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Caller", example = example())]
pub struct UserJson {
    /// Of the user, or of the key.
    id: String,
    /// `user` with a session token, `apikey` with a key.
    r#type: &'static str,
    /// Null for a key.
    email: Option<String>,
    /// Null for a user.
    label: Option<String>,
    /// What the credential may, which can be less than its user may.
    #[serde(flatten)]
    permissions: Permissions,
    organisation: Organisation,
    created_at: UnixMillis,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "CallersOrganisation")]
struct Organisation {
    id: OrganisationId,
    name: String,
    /// The first half of its streams' names.
    hash: OrganisationHash,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
) -> Result<Json<UserJson>, ApiError> {
    let organisation = service.organisation(&caller).await?;
    let (id, r#type, email, label, created_at) = match service.who(&caller).await? {
        Who::User(user) => (user.id.to_string(), "user", Some(user.email), None, user.created_at),
        Who::Key(key) => (key.id.to_string(), "apikey", None, Some(key.label), key.created_at),
    };
    Ok(Json(UserJson {
        id,
        r#type,
        email,
        label,
        permissions: Permissions::of(caller.role),
        organisation: Organisation { id: organisation.id, name: organisation.name, hash: organisation.hash },
        created_at,
    }))
}

pub fn doc() -> Doc {
    Doc::new("Who calls?", Access::Role(Role::ReadOnly)).answers::<UserJson>("The user of the session token, or the API key.")
}

/// The example in the document.
fn example() -> Value {
    json!({
        "id": EXAMPLE_KEY,
        "type": "apikey",
        "email": null,
        "label": "Website",
        "role": "nanoReadOnly",
        "permissions": ["read"],
        "organisation": { "id": "8d0b4a4e-52a3-4f49-8f0c-6d2f2f2ed6c7", "name": "Chapel", "hash": "8sKpm" },
        "created_at": "2026-11-04T17:09:19.899Z",
    })
}
