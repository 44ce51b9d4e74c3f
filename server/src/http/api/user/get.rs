//! `GET /user`: who calls: the user of the session token, or the API key. All names are ours.

use std::sync::Arc;

use afterlive_domain::{OrganisationHash, OrganisationId, UnixMillis};
use axum::extract::State;
use serde::Serialize;

use super::permissions::Permissions;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{Service, Who};

#[derive(Serialize)]
pub struct UserJson {
    /// Of the user, or of the key.
    id: String,
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

#[derive(Serialize)]
struct Organisation {
    id: OrganisationId,
    name: String,
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
