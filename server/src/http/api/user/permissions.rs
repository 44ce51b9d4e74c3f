//! `GET /permission`: the caller's role, and what it may do.

use afterlive_domain::{Permission, Role};
use serde::Serialize;

use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;

#[derive(Serialize)]
pub struct Permissions {
    role: Role,
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
