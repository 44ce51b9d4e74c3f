//! Above the organisations, for system administrators.

use afterlive_domain::{OrganisationId, UserId};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::backend::{BackendError, MailFate, SystemPage, TenantPage};

#[server(prefix = "/ui", endpoint = "system", input = Json)]
pub async fn load_system(page: u32) -> Result<SystemPage, BackendError> {
    super::outcome::with_status(crate::request::backend().system(page).await)
}

#[server(prefix = "/ui", endpoint = "tenant", input = Json)]
pub async fn load_tenant(organisation: OrganisationId) -> Result<TenantPage, BackendError> {
    super::outcome::with_status(crate::request::backend().tenant(organisation).await)
}

/// What became of the mail with a link into any organisation.
#[server(prefix = "/ui", endpoint = "system_mail_fate", input = Json)]
pub async fn load_system_mail_fate(secret: String) -> Result<Option<MailFate>, BackendError> {
    super::outcome::with_status(crate::request::backend().system_mail_fate(&secret).await)
}

#[server(prefix = "/ui", endpoint = "create_organisation")]
pub async fn create_organisation(name: String, email: String) -> Result<(), BackendError> {
    use super::Flash;
    use super::outcome::{SYSTEM, tell_error, tell_flash};

    let (name, email) = (name.trim().to_owned(), email.trim().to_owned());
    match crate::request::backend().create_organisation(&name, &email).await {
        Ok(link) => tell_flash(SYSTEM, Flash::AdministratorInvited { email, link }).await,
        Err(BackendError::Refused(problem)) => tell_flash(SYSTEM, Flash::NotCreated { name, email, problem }).await,
        Err(error) => tell_error(SYSTEM, error).await,
    }
}

#[server(prefix = "/ui", endpoint = "rename_organisation")]
pub async fn rename_organisation(organisation: OrganisationId, name: String) -> Result<(), BackendError> {
    use super::outcome::{tell_outcome, tenant_page};

    let page = tenant_page(organisation);
    tell_outcome(crate::request::backend().rename_organisation(organisation, name.trim()).await, &page, &page, "saved").await
}

#[server(prefix = "/ui", endpoint = "suspend_organisation")]
pub async fn suspend_organisation(organisation: OrganisationId) -> Result<(), BackendError> {
    use super::outcome::{tell_outcome, tenant_page};

    let page = tenant_page(organisation);
    tell_outcome(crate::request::backend().suspend_organisation(organisation).await, &page, &page, "suspended").await
}

#[server(prefix = "/ui", endpoint = "resume_organisation")]
pub async fn resume_organisation(organisation: OrganisationId) -> Result<(), BackendError> {
    use super::outcome::{tell_outcome, tenant_page};

    let page = tenant_page(organisation);
    tell_outcome(crate::request::backend().resume_organisation(organisation).await, &page, &page, "resumed").await
}

#[server(prefix = "/ui", endpoint = "invite_administrator")]
pub async fn invite_administrator(organisation: OrganisationId, email: String) -> Result<(), BackendError> {
    use super::Flash;
    use super::outcome::{tell_error, tell_flash, tenant_page};

    let (page, email) = (tenant_page(organisation), email.trim().to_owned());
    match crate::request::backend().invite_administrator(organisation, &email).await {
        Ok(link) => tell_flash(&page, Flash::AdministratorInvited { email, link }).await,
        Err(error) => tell_error(&page, error).await,
    }
}

#[server(prefix = "/ui", endpoint = "give_system_role")]
pub async fn give_system_role(email: String) -> Result<(), BackendError> {
    use super::outcome::{SYSTEM, tell_outcome};

    tell_outcome(crate::request::backend().give_system_role(email.trim()).await, SYSTEM, SYSTEM, "system-role-given").await
}

#[server(prefix = "/ui", endpoint = "take_system_role")]
pub async fn take_system_role(user: UserId) -> Result<(), BackendError> {
    use super::outcome::{SYSTEM, tell_outcome};

    tell_outcome(crate::request::backend().take_system_role(user).await, SYSTEM, SYSTEM, "system-role-taken").await
}
