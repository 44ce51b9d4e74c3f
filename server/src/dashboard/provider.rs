//! What an account's page shows of the OpenID provider, and disconnecting from it. Decides nothing.

use afterlive_app::backend::{Answer, Connection, Disconnected};

use super::Dashboard;
use crate::service::Confirmed;

impl Dashboard {
    pub(super) async fn own_connection(&self) -> Answer<Option<Connection>> {
        let caller = self.signed_in().await?;
        let Some(provider) = self.service.provider() else { return Ok(None) };
        let own = self.service.own_connection(&caller).await.map_err(|error| self.error(&error))?;
        let provider = provider.name().to_owned();
        Ok(Some(Connection { provider, connected_at: own.connected_at, has_password: own.has_password }))
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
