//! The organisation's settings and API keys.

use afterlive_domain::KeyId;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::backend::{BackendError, OrganisationPage};

#[server(prefix = "/ui", endpoint = "organisation", input = Json)]
pub async fn load_organisation() -> Result<OrganisationPage, BackendError> {
    super::outcome::with_status(crate::request::backend().organisation().await)
}

/// The switches are checkboxes, which a browser sends only where they are ticked.
#[server(prefix = "/ui", endpoint = "save_organisation")]
pub async fn save_organisation(
    name: String,
    #[server(default)] recording_enabled: Option<String>,
    #[server(default)] vod_public: Option<String>,
    #[server(default)] live_public: Option<String>,
) -> Result<(), BackendError> {
    use super::outcome::tell_in_card;
    use afterlive_domain::organisation::Settings;

    let settings = Settings {
        recording_enabled: recording_enabled.is_some(),
        vod_public: vod_public.is_some(),
        live_public: live_public.is_some(),
    };
    let outcome = crate::request::backend().save_organisation(name.trim(), settings).await;
    tell_in_card(outcome, "settings", "saved").await
}

#[server(prefix = "/ui", endpoint = "save_embed_domains")]
pub async fn save_embed_domains(#[server(default)] domains: String) -> Result<(), BackendError> {
    use super::outcome::{tell_error_in_card, tell_in_card};
    use afterlive_domain::EmbedDomains;

    match domains.parse::<EmbedDomains>() {
        Ok(domains) => tell_in_card(crate::request::backend().save_embed_domains(domains).await, "embedding", "saved").await,
        Err(_) => {
            let problem = "Please give host names, such as example.com or *.example.com, with spaces between them.";
            tell_error_in_card("embedding", BackendError::Refused(problem.to_owned())).await
        }
    }
}

/// An empty field: nobody is asked.
#[server(prefix = "/ui", endpoint = "save_webhook")]
pub async fn save_webhook(#[server(default)] url: String) -> Result<(), BackendError> {
    use super::outcome::{refused, tell_error_in_card, tell_in_card};
    use afterlive_domain::WebhookUrl;

    let webhook = Some(url.trim()).filter(|url| !url.is_empty()).map(WebhookUrl::parse).transpose();
    match webhook {
        Ok(webhook) => tell_in_card(crate::request::backend().save_webhook(webhook).await, "webhook", "saved").await,
        Err(error) => tell_error_in_card("webhook", refused(&error)).await,
    }
}

#[server(prefix = "/ui", endpoint = "require_publish_key")]
pub async fn require_publish_key(#[server(default)] required: Option<String>) -> Result<(), BackendError> {
    use super::outcome::tell_in_card;

    let outcome = crate::request::backend().require_publish_key(required.is_some()).await;
    tell_in_card(outcome, "publish-keys", "saved").await
}

/// An empty field goes back to the server's default.
#[server(prefix = "/ui", endpoint = "save_recording_settings")]
pub async fn save_recording_settings(
    #[server(default)] max_duration_s: String,
    #[server(default)] max_megabytes: String,
    #[server(default)] reconnect_window_s: String,
    #[server(default)] retention_days: String,
) -> Result<(), BackendError> {
    use super::outcome::{tell_error_in_card, tell_in_card};
    use crate::format::bytes_of_megabytes;
    use afterlive_domain::organisation::RecordingSettings;

    let read = |text: &str, what: &str, parse: fn(&str) -> Option<u64>| match text.trim() {
        "" => Ok(None),
        text => {
            parse(text).map(Some).ok_or_else(|| BackendError::Refused(format!("Please give {what} as a number, not {text:?}.")))
        }
    };
    let whole = |text: &str| text.parse().ok();
    let settings = (|| {
        Ok(RecordingSettings {
            max_duration_s: read(&max_duration_s, "the longest recording in whole seconds", whole)?,
            max_bytes: read(&max_megabytes, "the largest recording in MB", bytes_of_megabytes)?,
            reconnect_window_s: read(&reconnect_window_s, "the reconnect window in whole seconds", whole)?,
            retention_days: read(&retention_days, "how long to keep recordings in whole days", whole)?,
        })
    })();
    match settings {
        Ok(settings) => {
            let outcome = crate::request::backend().save_recording_settings(settings).await;
            tell_in_card(outcome, "limits", "saved").await
        }
        Err(error) => tell_error_in_card("limits", error).await,
    }
}

/// The role `player` makes a player key, which has none. Without days the key is good until it is revoked.
#[server(prefix = "/ui", endpoint = "create_api_key")]
pub async fn create_api_key(
    #[server(default)] label: String,
    #[server(default)] role: String,
    #[server(default)] days: String,
) -> Result<(), BackendError> {
    use super::outcome::ORGANISATION;
    use super::{
        Flash,
        outcome::{tell_error_in_card, tell_flash},
    };
    use crate::backend::KeyForm;
    use afterlive_domain::Role;

    let label = label.trim().to_owned();
    let form = (|| {
        let role = match role.as_str() {
            "player" => None,
            role => match role.parse::<Role>() {
                Ok(role) => Some(role),
                Err(_) => return Err(BackendError::Refused("Please choose a role, or a player key.".to_owned())),
            },
        };
        let expires_in_s = match days.trim() {
            "" => None,
            days => match days.parse::<u64>() {
                Ok(days) => Some(days.saturating_mul(86_400)),
                Err(_) => return Err(BackendError::Refused(format!("Please give the days as a whole number, not {days:?}."))),
            },
        };
        Ok(KeyForm { label: label.clone(), role, expires_in_s })
    })();
    let made = match form {
        Ok(form) => crate::request::backend().create_api_key(form).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(key) => tell_flash(ORGANISATION, Flash::NewKey { label, key }).await,
        Err(error) => tell_error_in_card("keys", error).await,
    }
}

#[server(prefix = "/ui", endpoint = "revoke_api_key")]
pub async fn revoke_api_key(key: KeyId) -> Result<(), BackendError> {
    use super::outcome::tell_in_card;

    let outcome = crate::request::backend().revoke_api_key(key).await;
    tell_in_card(outcome, "keys", "revoked").await
}
