//! Above the organisations: what system administrators see of them, and do to them. A port of its own beside [`Backend`](super::Backend), which has it in it.

use afterlive_domain::{OrganisationHash, OrganisationId, UnixMillis, UserId};
use serde::{Deserialize, Serialize};

use super::{Answer, MailFate};

/// An organisation as system administrators see it. Nothing of what is in it is here.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TenantRow {
    pub id: OrganisationId,
    pub name: String,
    pub hash: OrganisationHash,
    pub created_at: UnixMillis,
    /// `None` where people of it are let in.
    pub suspended_at: Option<UnixMillis>,
    pub users: u64,
    pub streams: u64,
    pub recordings: u64,
    /// In all regions, with the bin.
    pub size_bytes: u64,
    /// Whether it is that of who looks at the page.
    pub is_own: bool,
}

/// Who administers the installation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SystemAdministratorRow {
    pub id: UserId,
    pub email: String,
    pub organisation_name: String,
    /// Then they cannot sign in.
    pub is_suspended: bool,
    /// Whether it is who looks at the page.
    pub is_self: bool,
}

/// All organisations, a page of them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SystemPage {
    /// By name.
    pub organisations: Vec<TenantRow>,
    /// How many there are on all pages.
    pub total: u64,
    /// Counted from 1.
    pub page: u32,
    pub pages: u32,
    /// By their addresses.
    pub administrators: Vec<SystemAdministratorRow>,
    /// Whether links are mailed too.
    pub sends_mail: bool,
}

/// Who administers an organisation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TenantAdministratorRow {
    pub id: UserId,
    pub email: String,
    pub last_sign_in_at: Option<UnixMillis>,
    /// Whether they administer the installation too.
    pub is_system: bool,
}

/// Who may come to administer an organisation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TenantInvitationRow {
    pub email: String,
    pub expires_at: UnixMillis,
}

/// One organisation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TenantPage {
    pub tenant: TenantRow,
    /// By their addresses.
    pub administrators: Vec<TenantAdministratorRow>,
    /// Newest first.
    pub invitations: Vec<TenantInvitationRow>,
    /// Whether links are mailed too.
    pub sends_mail: bool,
}

/// For system administrators alone, all of it.
#[async_trait::async_trait]
pub trait System: Send + Sync {
    async fn system(&self, page: u32) -> Answer<SystemPage>;
    async fn tenant(&self, organisation: OrganisationId) -> Answer<TenantPage>;
    /// The link of the first administrator's invitation, which is never shown again.
    async fn create_organisation(&self, name: &str, email: &str) -> Answer<String>;
    async fn rename_organisation(&self, organisation: OrganisationId, name: &str) -> Answer<()>;
    /// Nobody of it is let in from now on; what is on air ends. Nothing is deleted.
    async fn suspend_organisation(&self, organisation: OrganisationId) -> Answer<()>;
    async fn resume_organisation(&self, organisation: OrganisationId) -> Answer<()>;
    /// Where it has no administrator: the link of an invitation, which is never shown again.
    async fn invite_administrator(&self, organisation: OrganisationId, email: &str) -> Answer<String>;
    /// Of whichever organisation who has that address is.
    async fn give_system_role(&self, email: &str) -> Answer<()>;
    async fn take_system_role(&self, user: UserId) -> Answer<()>;
    /// As [`Backend::mail_fate`](super::Backend::mail_fate), of an invitation into any organisation.
    async fn system_mail_fate(&self, secret: &str) -> Answer<Option<MailFate>>;
}
