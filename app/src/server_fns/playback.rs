//! Playback tokens of a stream: listed, made, revoked. And the secret that signs all of the organisation's.

use afterlive_domain::{StreamId, TokenId};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::backend::{BackendError, PlaybackTokenRow};

#[server(prefix = "/ui", endpoint = "playback_tokens", input = Json)]
pub async fn load_playback_tokens(stream: StreamId) -> Result<Vec<PlaybackTokenRow>, BackendError> {
    super::outcome::with_status(crate::request::backend().playback_tokens(stream).await)
}

/// Addresses and domains are separated by commas, spaces or lines.
#[server(prefix = "/ui", endpoint = "make_playback_token")]
pub async fn make_playback_token(
    stream: StreamId,
    #[server(default)] label: String,
    #[server(default)] amount: String,
    #[server(default)] unit: String,
    #[server(default)] ips: String,
    #[server(default)] domains: String,
) -> Result<(), BackendError> {
    use super::{
        Flash,
        outcome::{tell_error, tell_flash},
    };
    use crate::backend::{RecordingRange, TokenForm};
    use crate::request::backend;

    let page = format!("/stream/{stream}?tab=code");
    let list = |text: &str| -> Vec<String> {
        text.split([',', ' ', '\n', '\r', '\t']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let unit_s = if unit == "hours" { 3_600 } else { 86_400 };
    let made = match amount.trim().parse::<u64>() {
        Ok(amount) => {
            let label = label.trim().to_owned();
            let expires_in_s = amount.saturating_mul(unit_s);
            let form = TokenForm { label: label.clone(), expires_in_s, ips: list(&ips), domains: list(&domains) };
            async {
                let token = backend().make_playback_token(stream, form).await?;
                let playout = backend().overview(stream, RecordingRange::Page(1), None).await?.playout;
                Ok(Flash::NewPlaybackToken { label, token, playout })
            }
            .await
        }
        Err(_) => Err(BackendError::Refused(format!("Please give the days or hours as a whole number, not {amount:?}."))),
    };
    match made {
        Ok(flash) => tell_flash(&page, flash).await,
        Err(error) => tell_error(&page, error).await,
    }
}

#[server(prefix = "/ui", endpoint = "renew_playback_secret")]
pub async fn renew_playback_secret() -> Result<(), BackendError> {
    use super::outcome::tell_in_card;

    let outcome = crate::request::backend().renew_playback_secret().await;
    tell_in_card(outcome, "playback-secret", "playback-secret").await
}

#[server(prefix = "/ui", endpoint = "revoke_playback_token")]
pub async fn revoke_playback_token(stream: StreamId, token: TokenId) -> Result<(), BackendError> {
    let page = format!("/stream/{stream}?tab=code");
    let outcome = crate::request::backend().revoke_playback_token(token).await;
    super::outcome::tell_outcome(outcome, &page, &page, "token-revoked").await
}
