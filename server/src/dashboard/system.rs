//! The dashboard's port above the organisations: from the service's terms to the pages'. Decides nothing.

use afterlive_app::backend::{
    Answer, MailFate, System, SystemAdministratorRow, SystemPage, TenantAdministratorRow, TenantInvitationRow, TenantPage,
    TenantRow,
};
use afterlive_domain::{OrganisationId, UserId};

use super::{Dashboard, accounts};
use crate::db::system::{Administrator, Figures};
use crate::service::{Caller, Identity, Listed, ORGANISATIONS_A_PAGE};

#[async_trait::async_trait]
impl System for Dashboard {
    async fn system(&self, page: u32) -> Answer<SystemPage> {
        let (caller, page) = (self.signed_in().await?, page.max(1));
        let found = self.service.installation(&caller, page).await.map_err(|error| self.error(&error))?;
        let pages = found.total.div_ceil(u64::from(ORGANISATIONS_A_PAGE));
        Ok(SystemPage {
            organisations: found.organisations.into_iter().map(|listed| row(&caller, listed)).collect(),
            total: found.total,
            page,
            pages: u32::try_from(pages).unwrap_or(u32::MAX),
            administrators: found.administrators.into_iter().map(|found| administrator(&caller, found)).collect(),
            sends_mail: self.service.sends_mail(),
        })
    }

    async fn tenant(&self, organisation: OrganisationId) -> Answer<TenantPage> {
        let caller = self.signed_in().await?;
        let found = self.service.tenant(&caller, organisation).await.map_err(|error| self.error(&error))?;
        let administrators = found.administrators.into_iter().map(|user| TenantAdministratorRow {
            id: user.id,
            email: user.email,
            last_sign_in_at: user.last_sign_in_at,
            is_system: user.system_administrator,
        });
        let invitations = found
            .invited
            .into_iter()
            .map(|invitation| TenantInvitationRow { email: invitation.email, expires_at: invitation.expires_at });
        Ok(TenantPage {
            tenant: row(&caller, found.listed),
            administrators: administrators.collect(),
            invitations: invitations.collect(),
            sends_mail: self.service.sends_mail(),
        })
    }

    async fn create_organisation(&self, name: &str, email: &str) -> Answer<String> {
        let caller = self.signed_in().await?;
        let made = self.service.create_organisation(Some(&caller), name, email).await;
        made.map(|made| made.link).map_err(|error| self.error(&error))
    }

    async fn rename_organisation(&self, organisation: OrganisationId, name: &str) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.rename_organisation(&caller, organisation, name).await.map_err(|error| self.error(&error))
    }

    async fn suspend_organisation(&self, organisation: OrganisationId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.suspend_organisation(&caller, organisation).await.map_err(|error| self.error(&error))
    }

    async fn resume_organisation(&self, organisation: OrganisationId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.resume_organisation(&caller, organisation).await.map_err(|error| self.error(&error))
    }

    async fn invite_administrator(&self, organisation: OrganisationId, email: &str) -> Answer<String> {
        let caller = self.signed_in().await?;
        self.service.invite_administrator(&caller, organisation, email).await.map_err(|error| self.error(&error))
    }

    async fn give_system_role(&self, email: &str) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.give_system_role(Some(&caller), email).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn take_system_role(&self, user: UserId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.take_system_role(&caller, user).await.map_err(|error| self.error(&error))
    }

    async fn system_mail_fate(&self, secret: &str) -> Answer<Option<MailFate>> {
        let caller = self.signed_in().await?;
        let found = self.service.system_mail_fate(&caller, secret).await.map_err(|error| self.error(&error))?;
        Ok(found.map(accounts::mail_fate))
    }
}

fn row(caller: &Caller, Listed { organisation, figures }: Listed) -> TenantRow {
    let Figures { users, streams, recordings, size_bytes } = figures;
    TenantRow {
        is_own: caller.organisation == organisation.id,
        id: organisation.id,
        name: organisation.name,
        hash: organisation.hash,
        created_at: organisation.created_at,
        suspended_at: organisation.suspended_at,
        users,
        streams,
        recordings,
        size_bytes,
    }
}

fn administrator(caller: &Caller, found: Administrator) -> SystemAdministratorRow {
    let Administrator { user, organisation_name, is_suspended } = found;
    let is_self = caller.identity == Identity::User(user.id);
    SystemAdministratorRow { id: user.id, email: user.email, organisation_name, is_suspended, is_self }
}
