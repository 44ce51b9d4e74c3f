//! The organisation's settings and API keys.

use afterlive_domain::KeyId;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::backend::{BackendError, OrganisationPage};

/// The page on which all of it stands.
#[cfg(feature = "ssr")]
const PAGE: &str = "/organisation";

#[server(prefix = "/ui", endpoint = "organisation", input = Json)]
pub async fn load_organisation() -> Result<OrganisationPage, BackendError> {
    super::with_status(crate::request::backend().organisation().await)
}

/// The switches are checkboxes, which a browser sends only where they are ticked.
#[server(prefix = "/ui", endpoint = "save_organisation")]
pub async fn save_organisation(
    name: String,
    #[server(default)] recording_enabled: Option<String>,
    #[server(default)] vod_public: Option<String>,
) -> Result<(), BackendError> {
    use afterlive_domain::organisation::Settings;

    let settings = Settings { recording_enabled: recording_enabled.is_some(), vod_public: vod_public.is_some() };
    let outcome = crate::request::backend().save_organisation(name.trim(), settings).await;
    super::outcome::tell_outcome(outcome, PAGE, PAGE, "saved").await
}

#[server(prefix = "/ui", endpoint = "create_api_key")]
pub async fn create_api_key(label: String, role: String) -> Result<(), BackendError> {
    use super::{
        Flash,
        outcome::{tell_error, tell_flash},
    };
    use afterlive_domain::Role;

    let label = label.trim().to_owned();
    let made = match role.parse::<Role>() {
        Ok(role) => crate::request::backend().create_api_key(&label, role).await,
        Err(error) => Err(BackendError::Refused(error.to_string())),
    };
    match made {
        Ok(key) => tell_flash(PAGE, Flash::NewKey { label, key }).await,
        Err(error) => tell_error(PAGE, error).await,
    }
}

#[server(prefix = "/ui", endpoint = "revoke_api_key")]
pub async fn revoke_api_key(key: KeyId) -> Result<(), BackendError> {
    let outcome = crate::request::backend().revoke_api_key(key).await;
    super::outcome::tell_outcome(outcome, PAGE, PAGE, "revoked").await
}
