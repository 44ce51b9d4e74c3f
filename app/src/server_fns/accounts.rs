//! The people of an organisation: listed, invited, given a role or a link for a new password, removed. And what who has such a link does with it.

use afterlive_domain::{InvitationId, Role, UserId};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::backend::{BackendError, Invited, MailFate, People};

#[server(prefix = "/ui", endpoint = "people", input = Json)]
pub async fn load_people() -> Result<People, BackendError> {
    super::outcome::with_status(crate::request::backend().people().await)
}

#[server(prefix = "/ui", endpoint = "change_role")]
pub async fn change_role(user: UserId, role: Role) -> Result<(), BackendError> {
    use super::outcome::tell_in_card;

    let outcome = crate::request::backend().change_role(user, role).await;
    tell_in_card(outcome, "people", "role").await
}

#[server(prefix = "/ui", endpoint = "remove_user")]
pub async fn remove_user(user: UserId) -> Result<(), BackendError> {
    use super::outcome::tell_in_card;

    let outcome = crate::request::backend().remove_user(user).await;
    tell_in_card(outcome, "people", "removed").await
}

#[server(prefix = "/ui", endpoint = "invite")]
pub async fn invite(email: String, role: Role) -> Result<(), BackendError> {
    use super::Flash;
    use super::outcome::{ORGANISATION, tell_error_in_card, tell_flash, tell_flash_in_card};

    let email = email.trim().to_owned();
    match crate::request::backend().invite(&email, role).await {
        Ok(link) => tell_flash(ORGANISATION, Flash::Invitation { email, link }).await,
        Err(BackendError::Refused(problem)) => tell_flash_in_card("people", Flash::NotInvited { email, problem }).await,
        Err(error) => tell_error_in_card("people", error).await,
    }
}

#[server(prefix = "/ui", endpoint = "revoke_invitation")]
pub async fn revoke_invitation(invitation: InvitationId) -> Result<(), BackendError> {
    use super::outcome::tell_in_card;

    let outcome = crate::request::backend().revoke_invitation(invitation).await;
    tell_in_card(outcome, "people", "invitation-revoked").await
}

/// `email` is for the page that shows the link.
#[server(prefix = "/ui", endpoint = "make_password_link")]
pub async fn make_password_link(user: UserId, #[server(default)] email: String) -> Result<(), BackendError> {
    use super::Flash;
    use super::outcome::{ORGANISATION, tell_error_in_card, tell_flash};

    match crate::request::backend().make_password_link(user).await {
        Ok(link) => tell_flash(ORGANISATION, Flash::PasswordLink { email, link }).await,
        Err(error) => tell_error_in_card("people", error).await,
    }
}

/// What became of the mail with a link. Waits a little for the first try to end.
#[server(prefix = "/ui", endpoint = "mail_fate", input = Json)]
pub async fn load_mail_fate(secret: String) -> Result<Option<MailFate>, BackendError> {
    super::outcome::with_status(crate::request::backend().mail_fate(&secret).await)
}

/// Uses nothing up: also what only looks at links, such as a mail server, comes here.
#[server(prefix = "/ui", endpoint = "invitation", input = Json)]
pub async fn load_invitation(secret: String) -> Result<Option<Invited>, BackendError> {
    super::outcome::with_status(crate::request::backend().invitation(&secret).await)
}

#[server(prefix = "/ui", endpoint = "accept_invitation")]
pub async fn accept_invitation(secret: String, password: String) -> Result<(), BackendError> {
    let chosen = crate::request::backend().accept_invitation(&secret, &password).await;
    super::outcome::tell_chosen(chosen, &format!("/invitation/{secret}"), "/?notice=joined");
    Ok(())
}

/// As [`load_invitation`].
#[server(prefix = "/ui", endpoint = "password_link", input = Json)]
pub async fn load_password_link(secret: String) -> Result<Option<String>, BackendError> {
    super::outcome::with_status(crate::request::backend().password_link(&secret).await)
}

#[server(prefix = "/ui", endpoint = "choose_password")]
pub async fn choose_password(secret: String, password: String) -> Result<(), BackendError> {
    let chosen = crate::request::backend().choose_password(&secret, &password).await;
    super::outcome::tell_chosen(chosen, &format!("/password/{secret}"), "/?notice=password");
    Ok(())
}
