//! Users of an organisation.

use afterlive_domain::{Error as Refusal, OrganisationId, Permission, Role, UnixMillis, UserId};
use uuid::Uuid;

use super::{Caller, Identity, Result, Service, passwords, text};
use crate::db;
use crate::db::api_keys::ApiKey;
use crate::db::users::User;

/// Who a caller is, looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    User(User),
    Key(ApiKey),
}

impl Service {
    /// Who calls.
    ///
    /// # Errors
    /// `BadCredentials` where that is nobody who is in the database (any more).
    pub async fn who(&self, caller: &Caller) -> Result<Who> {
        caller.require(Permission::Read)?;
        let mut connection = self.db.read().await?;
        let found = match caller.identity {
            Identity::User(id) | Identity::Token(id) => db::users::by_id(&mut connection, id).await?.map(Who::User),
            Identity::Key(id) => db::api_keys::by_id(&mut connection, caller.organisation, id).await?.map(Who::Key),
            Identity::Operator => None,
        };
        Ok(found.ok_or(Refusal::BadCredentials)?)
    }

    /// Adds a user to the caller's organisation.
    ///
    /// # Errors
    /// `Denied` for all but admins; for `email` where it is none or taken, for `password` where it is too short.
    pub async fn add_user(&self, caller: &Caller, email: &str, password: &str, role: Role) -> Result<User> {
        caller.require(Permission::Administer)?;
        let user = self.new_user(caller.organisation, email, password, role, self.clock.now()).await?;
        let mut tx = self.db.write().await?;
        match db::users::insert(&mut tx, &user).await {
            Err(error) if error.is_unique_violation() => return Err(Refusal::NotUnique { parameter: "email".to_owned() }.into()),
            other => other?,
        }
        tx.commit().await?;
        tracing::info!(user = %user.id, %role, "added a user");
        Ok(user)
    }

    pub(super) async fn new_user(
        &self,
        organisation: OrganisationId,
        email: &str,
        password: &str,
        role: Role,
        now: UnixMillis,
    ) -> Result<User> {
        let email = text::email(email)?;
        passwords::check(password)?;
        let password_hash = self.passwords.hash(password).await?;
        Ok(User { id: UserId(Uuid::new_v4()), organisation, email, password_hash, role, created_at: now })
    }
}
