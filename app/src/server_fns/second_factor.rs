//! The second factor: asked for at the sign-in, set up and switched off under one's own account, reset and required by administrators.

use afterlive_domain::UserId;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::backend::{BackendError, Offer, SecondFactor, SecondFactorRule};

/// Where a secret is taken into an app.
pub const SETTING_UP: &str = "/account/second-factor";
/// Where a code is asked for after the password.
pub const CODE: &str = "/sign-in/code";

#[server(prefix = "/ui", endpoint = "is_code_asked", input = Json)]
pub async fn load_is_code_asked() -> Result<bool, BackendError> {
    super::outcome::with_status(crate::request::backend().is_code_asked().await)
}

#[server(prefix = "/ui", endpoint = "sign_in_with_code")]
pub async fn sign_in_with_code(code: String, #[server(default)] next: String) -> Result<(), BackendError> {
    use crate::backend::Proof;
    use crate::query::with_query;
    use crate::request::{backend, local_path, redirect};

    let next = local_path(&next);
    let again = |problem: &str| redirect(&with_query(CODE, &[("error", problem), ("next", next)]));
    match backend().sign_in_with_code(&code).await {
        Ok(Proof::Done) => redirect(next),
        Ok(Proof::TooManyAttempts { retry_after_s }) => {
            redirect(&with_query(CODE, &[("error", "wait"), ("seconds", &retry_after_s.to_string()), ("next", next)]));
        }
        Ok(Proof::Exhausted) => again("exhausted"),
        Ok(Proof::Over) => redirect(&with_query("/auth", &[("error", "again"), ("next", next)])),
        Ok(Proof::WrongCode | Proof::WrongPassword | Proof::NoPassword | Proof::Codes(_) | Proof::NotSignedIn) => again("code"),
        Err(_) => again("server"),
    }
    Ok(())
}

#[server(prefix = "/ui", endpoint = "second_factor", input = Json)]
pub async fn load_second_factor() -> Result<SecondFactor, BackendError> {
    super::outcome::with_status(crate::request::backend().second_factor().await)
}

/// `back` is the page of the form: one's account, or the sign-in where it must be done first.
#[server(prefix = "/ui", endpoint = "begin_second_factor")]
pub async fn begin_second_factor(present: String, #[server(default)] back: String) -> Result<(), BackendError> {
    use super::outcome::tell_proof;
    use crate::request::{backend, local_path};

    let begun = backend().begin_second_factor(&present).await;
    tell_proof(begun, local_path(&back), SETTING_UP, "second-factor-begun").await
}

#[server(prefix = "/ui", endpoint = "second_factor_offer", input = Json)]
pub async fn load_offer() -> Result<Option<Offer>, BackendError> {
    super::outcome::with_status(crate::request::backend().second_factor_offer().await)
}

#[server(prefix = "/ui", endpoint = "confirm_second_factor")]
pub async fn confirm_second_factor(code: String) -> Result<(), BackendError> {
    use super::outcome::{ACCOUNT, tell_proof};

    let confirmed = crate::request::backend().confirm_second_factor(&code).await;
    tell_proof(confirmed, SETTING_UP, ACCOUNT, "saved").await
}

#[server(prefix = "/ui", endpoint = "renew_recovery_codes")]
pub async fn renew_recovery_codes(present: String, code: String) -> Result<(), BackendError> {
    use super::outcome::{ACCOUNT, tell_proof};

    let renewed = crate::request::backend().renew_recovery_codes(&present, &code).await;
    tell_proof(renewed, ACCOUNT, ACCOUNT, "saved").await
}

#[server(prefix = "/ui", endpoint = "remove_second_factor")]
pub async fn remove_second_factor(present: String, code: String) -> Result<(), BackendError> {
    use super::outcome::{ACCOUNT, tell_proof};

    let removed = crate::request::backend().remove_second_factor(&present, &code).await;
    tell_proof(removed, ACCOUNT, ACCOUNT, "second-factor-off").await
}

#[server(prefix = "/ui", endpoint = "reset_second_factor")]
pub async fn reset_second_factor(user: UserId) -> Result<(), BackendError> {
    use super::outcome::tell_in_card;

    let outcome = crate::request::backend().reset_second_factor(user).await;
    tell_in_card(outcome, "people", "second-factor-reset").await
}

#[server(prefix = "/ui", endpoint = "second_factor_rule", input = Json)]
pub async fn load_rule() -> Result<SecondFactorRule, BackendError> {
    super::outcome::with_status(crate::request::backend().second_factor_rule().await)
}

#[server(prefix = "/ui", endpoint = "require_second_factor")]
pub async fn require_second_factor(#[server(default)] required: Option<String>) -> Result<(), BackendError> {
    use super::outcome::tell_in_card;

    let outcome = crate::request::backend().require_second_factor(required.is_some()).await;
    tell_in_card(outcome, "second-factor-rule", "saved").await
}
