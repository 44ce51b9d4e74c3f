//! One's own account: what is open of it, and the password.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::backend::{Account, BackendError};

#[server(prefix = "/ui", endpoint = "account", input = Json)]
pub async fn load_account() -> Result<Account, BackendError> {
    super::outcome::with_status(crate::request::backend().account().await)
}

#[server(prefix = "/ui", endpoint = "change_password")]
pub async fn change_password(present: String, password: String) -> Result<(), BackendError> {
    use super::Flash;
    use super::outcome::{ACCOUNT, SIGN_IN_ANEW, tell_error, tell_flash};
    use crate::backend::PasswordChange;
    use crate::format::too_many_attempts;

    let problem = match crate::request::backend().change_password(&present, &password).await {
        Ok(PasswordChange::Done) => return tell_flash(ACCOUNT, Flash::PasswordChanged).await,
        Ok(PasswordChange::NotSignedIn) => {
            crate::request::redirect(SIGN_IN_ANEW);
            return Ok(());
        }
        Ok(PasswordChange::WrongPassword) => "This is not your present password. Nothing was changed.".to_owned(),
        Ok(PasswordChange::Weak(weakness)) => format!("Please give {}.", weakness.asked_for()),
        Ok(PasswordChange::TooManyAttempts { retry_after_s }) => too_many_attempts(retry_after_s),
        Err(error) => return tell_error(ACCOUNT, error).await,
    };
    tell_error(ACCOUNT, BackendError::Refused(problem)).await
}

#[server(prefix = "/ui", endpoint = "end_session")]
pub async fn end_session(id: String) -> Result<(), BackendError> {
    use super::outcome::{ACCOUNT, tell_outcome};

    let outcome = crate::request::backend().end_session(&id).await;
    tell_outcome(outcome, ACCOUNT, ACCOUNT, "session-ended").await
}

#[server(prefix = "/ui", endpoint = "end_session_token")]
pub async fn end_session_token(id: String) -> Result<(), BackendError> {
    use super::outcome::{ACCOUNT, tell_outcome};

    let outcome = crate::request::backend().end_session_token(&id).await;
    tell_outcome(outcome, ACCOUNT, ACCOUNT, "session-ended").await
}

#[server(prefix = "/ui", endpoint = "end_other_sessions")]
pub async fn end_other_sessions() -> Result<(), BackendError> {
    use super::outcome::{ACCOUNT, tell_outcome};

    let outcome = crate::request::backend().end_other_sessions().await;
    tell_outcome(outcome, ACCOUNT, ACCOUNT, "sessions-ended").await
}
