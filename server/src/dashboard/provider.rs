//! What pages show of the OpenID provider and of who is connected with it, and disconnecting from it. Decides nothing.

use afterlive_app::backend::{Answer, Connection, Disconnected, ProviderAccount};

use super::Dashboard;
use super::accounts::About;
use crate::service::{Caller, Confirmed};

impl Dashboard {
    pub(super) async fn own_connection(&self) -> Answer<Option<Connection>> {
        let caller = self.signed_in().await?;
        let Some(provider) = self.service.provider() else { return Ok(None) };
        let own = self.service.own_connection(&caller).await.map_err(|error| self.error(&error))?;
        let account = own.map(|own| ProviderAccount { called: own.account, connected_at: own.at });
        Ok(Some(Connection { provider: provider.name().to_owned(), account }))
    }

    /// What the page of people shows beside users and invitations.
    pub(super) async fn about_people(&self, caller: &Caller) -> Answer<About> {
        let mails = self.service.invitation_mails(caller).await.map_err(|error| self.error(&error))?;
        let accounts = self.service.connections(caller).await.map_err(|error| self.error(&error))?;
        let provider = self.service.provider().map(|provider| provider.name().to_owned());
        Ok(About { mails, sends_mail: self.service.sends_mail(), provider, accounts })
    }

    pub(super) async fn disconnect_own(&self, present: &str) -> Answer<Disconnected> {
        let caller = self.signed_in().await?;
        match self.service.disconnect_identity(&caller, present).await.map_err(|error| self.error(&error))? {
            // It may have been by the provider that this browser was signed in.
            Confirmed::Yes(user) => {
                Ok(self.begin_session(&user).await.map_or(Disconnected::NotSignedIn, |()| Disconnected::Done))
            }
            Confirmed::WrongPassword => Ok(Disconnected::WrongPassword),
            Confirmed::NoPassword => Ok(Disconnected::NoPassword),
            Confirmed::TooManyAttempts { retry_after_s } => Ok(Disconnected::TooManyAttempts { retry_after_s }),
        }
    }
}
