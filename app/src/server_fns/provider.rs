//! The provider by which people may sign in: what pages show of it, and disconnecting. The ways there and back are no server functions: they lead out of this site.
#![allow(clippy::unused_async, reason = "a server function is async, also where it waits for nothing")]

use afterlive_domain::UserId;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::backend::{BackendError, Connection};

/// As people call it; `None` where there is none.
#[server(prefix = "/ui", endpoint = "provider", input = Json)]
pub async fn load_provider() -> Result<Option<String>, BackendError> {
    Ok(crate::request::backend().provider())
}

/// How the caller stands to it.
#[server(prefix = "/ui", endpoint = "connection", input = Json)]
pub async fn load_connection() -> Result<Option<Connection>, BackendError> {
    super::outcome::with_status(crate::request::backend().connection().await)
}

#[server(prefix = "/ui", endpoint = "disconnect")]
pub async fn disconnect(present: String) -> Result<(), BackendError> {
    use super::outcome::{ACCOUNT, tell, tell_error};
    use crate::backend::Disconnected;
    use crate::format::too_many_attempts;

    let problem = match crate::request::backend().disconnect(&present).await {
        Ok(Disconnected::Done) => {
            tell(ACCOUNT, "disconnected");
            return Ok(());
        }
        Ok(Disconnected::NotSignedIn) => {
            crate::request::redirect("/auth?notice=disconnected");
            return Ok(());
        }
        Ok(Disconnected::WrongPassword) => "This is not your present password. Nothing was changed.".to_owned(),
        Ok(Disconnected::NoPassword) => {
            "You have no password, so there would be no way in. Ask an administrator for a link for one first.".to_owned()
        }
        Ok(Disconnected::TooManyAttempts { retry_after_s }) => too_many_attempts(retry_after_s),
        Err(error) => return tell_error(ACCOUNT, error).await,
    };
    tell_error(ACCOUNT, BackendError::Refused(problem)).await
}

/// Of somebody else.
#[server(prefix = "/ui", endpoint = "disconnect_user")]
pub async fn disconnect_user(user: UserId) -> Result<(), BackendError> {
    use super::outcome::tell_in_card;

    let outcome = crate::request::backend().disconnect_user(user).await;
    tell_in_card(outcome, "people", "user-disconnected").await
}
