//! Signing in and out, the set-up, and what the browser session keeps.
#![allow(clippy::unused_async, reason = "a server function is async, also where it waits for nothing")]

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::Flash;
use crate::backend::{Access, BackendError};

#[server(prefix = "/ui", endpoint = "access", input = Json)]
pub async fn load_access() -> Result<Access, BackendError> {
    super::outcome::with_status(crate::request::backend().access().await)
}

/// The outcome of the form before, once.
#[server(prefix = "/ui", endpoint = "take_flash", input = Json)]
pub async fn take_flash() -> Result<Option<Flash>, BackendError> {
    let text = crate::request::backend().take_flash().await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// What was typed into the sign-in that failed a moment ago.
#[server(prefix = "/ui", endpoint = "typed_email", input = Json)]
pub async fn load_typed_email() -> Result<String, BackendError> {
    Ok(crate::request::typed_email())
}

/// Whether who has forgotten the password can have a link mailed.
#[server(prefix = "/ui", endpoint = "sends_mail", input = Json)]
pub async fn load_sends_mail() -> Result<bool, BackendError> {
    Ok(crate::request::backend().sends_mail())
}

#[server(prefix = "/ui", endpoint = "ask_for_password_link")]
pub async fn ask_for_password_link(email: String) -> Result<(), BackendError> {
    use crate::backend::Asked;
    use crate::query::with_query;
    use crate::request::{backend, redirect};

    match backend().ask_for_password_link(email.trim()).await {
        Ok(Asked::Taken) => redirect("/forgotten?asked=1"),
        // The page says so by itself.
        Ok(Asked::NoMail) => redirect("/forgotten"),
        Ok(Asked::TooManyAttempts { retry_after_s }) => {
            redirect(&with_query("/forgotten", &[("error", "wait"), ("seconds", &retry_after_s.to_string())]));
        }
        Err(_) => redirect("/forgotten?error=server"),
    }
    Ok(())
}

#[server(prefix = "/ui", endpoint = "sign_in")]
pub async fn sign_in(email: String, password: String, #[server(default)] next: String) -> Result<(), BackendError> {
    use super::second_factor::CODE;
    use crate::backend::SignIn;
    use crate::query::with_query;
    use crate::request::{backend, keep_typed_email, local_path, redirect};

    let (next, email) = (local_path(&next), email.trim());
    let signed_in = backend().sign_in(email, &password).await;
    keep_typed_email(if matches!(signed_in, Ok(SignIn::Done | SignIn::NeedsCode)) { "" } else { email });
    match signed_in {
        Ok(SignIn::Done) => redirect(next),
        Ok(SignIn::Suspended) => redirect(&with_query("/auth", &[("error", "suspended"), ("next", next)])),
        Ok(SignIn::NeedsCode) => redirect(&with_query(CODE, &[("next", next)])),
        Ok(SignIn::WrongCredentials) => redirect(&with_query("/auth", &[("error", "credentials"), ("next", next)])),
        Ok(SignIn::TooManyAttempts { retry_after_s }) => {
            redirect(&with_query("/auth", &[("error", "wait"), ("seconds", &retry_after_s.to_string()), ("next", next)]));
        }
        Err(_) => redirect(&with_query("/auth", &[("error", "server"), ("next", next)])),
    }
    Ok(())
}

#[server(prefix = "/ui", endpoint = "sign_out")]
pub async fn sign_out() -> Result<(), BackendError> {
    let outcome = crate::request::backend().sign_out().await;
    crate::request::redirect(if outcome.is_ok() { "/auth?notice=signed-out" } else { "/auth?error=server" });
    Ok(())
}

#[server(prefix = "/ui", endpoint = "set_up")]
pub async fn set_up(token: String, organisation_name: String, email: String, password: String) -> Result<(), BackendError> {
    use super::outcome::tell_flash;
    use crate::backend::{SetUp, SetUpForm};
    use crate::query::with_query;
    use crate::request::{backend, redirect};

    let page = with_query("/setup", &[("token", &token)]);
    let (organisation_name, email) = (organisation_name.trim().to_owned(), email.trim().to_owned());
    let form = SetUpForm { token, organisation_name: organisation_name.clone(), email: email.clone(), password };
    match backend().set_up(form).await {
        Ok(SetUp::Done) => redirect("/?notice=welcome"),
        Ok(SetUp::WrongLink) => redirect("/setup?error=link"),
        Ok(SetUp::BadField { field, problem }) => {
            tell_flash(&page, Flash::SetUp { organisation_name, email, field, problem }).await?;
        }
        Err(error) => tell_flash(&page, Flash::Problem(error.to_string())).await?,
    }
    Ok(())
}

/// Without JavaScript; with it the browser sets the same cookie by itself.
#[server(prefix = "/ui", endpoint = "theme")]
pub async fn choose_theme(theme: String, #[server(default)] next: String) -> Result<(), BackendError> {
    use crate::request::{Theme, local_path, redirect, set_theme};

    set_theme(Theme::from_name(&theme));
    redirect(local_path(&next));
    Ok(())
}
