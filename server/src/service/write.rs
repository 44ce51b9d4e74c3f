//! The transaction of a use case that changes something: who calls is asked once more when it is their turn. What is changed is the use case's.

use afterlive_domain::{Error as Refusal, Permission, Role, UnixMillis};

use super::{Caller, Identity, Result, Service};
use crate::db;
use crate::db::Tx;

impl Service {
    /// A transaction for who may do so. Who waits for their turn may have been given less by then, or have been removed: what counts is what they may when it
    /// comes, and of those who administer an organisation only one has it at a time. So nobody who is let go makes themselves or a friend a way back.
    ///
    /// # Errors
    /// `Denied`; `BadCredentials` for who is gone, and for a key that was revoked or has expired.
    pub(super) async fn write_as(&self, caller: &Caller, permission: Permission) -> Result<Tx> {
        // At once for who need not wait for that.
        caller.require(permission)?;
        let mut tx = self.db.write().await?;
        if permission == Permission::Administer {
            // SQLite has one that writes at a time anyway.
            db::organisations::hold(&mut tx, caller.organisation).await?;
        }
        let role = role_now(&mut tx, caller, self.clock.now()).await?.ok_or(Refusal::BadCredentials)?;
        Caller { role, ..*caller }.require(permission)?;
        Ok(tx)
    }
}

/// What the caller is by now, and no more than their credential gave them; `None` for who is nobody any more.
async fn role_now(tx: &mut Tx, caller: &Caller, now: UnixMillis) -> Result<Option<Role>> {
    let role = match caller.identity {
        Identity::User(id) | Identity::Token(id) => {
            let user = db::users::by_id(tx, id).await?;
            user.filter(|user| user.organisation == caller.organisation).map(|user| user.role)
        }
        Identity::Key(id) => db::api_keys::role(tx, caller.organisation, id, now).await?,
        Identity::Operator => Some(caller.role),
    };
    Ok(role.map(|role| role.min(caller.role)))
}
