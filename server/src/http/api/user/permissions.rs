//! `GET /permission`: the caller's role, and what it may do.

use afterlive_domain::{Permission, Role};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::http::api::doc::{Access, Doc};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;

/// A role, and what it may.
#[derive(JsonSchema, Serialize)]
#[schemars(example = json!({ "role": "nanoUser", "permissions": ["read", "edit_streams"] }))]
pub struct Permissions {
    role: Role,
    /// Of `read`, `edit_streams` and `administer` those that it has.
    permissions: Vec<&'static str>,
}

impl Permissions {
    pub fn of(role: Role) -> Self {
        let permissions = Permission::ALL.into_iter().filter(|permission| role.allows(*permission)).map(Permission::as_str);
        Self { role, permissions: permissions.collect() }
    }
}

pub async fn handle(Authenticated(caller): Authenticated) -> Json<Permissions> {
    Json(Permissions::of(caller.role))
}

pub fn doc() -> Doc {
    Doc::new("What may the caller do?", Access::Role(Role::ReadOnly)).answers::<Permissions>("The role, and what it may.")
}
