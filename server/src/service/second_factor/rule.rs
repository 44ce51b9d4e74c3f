//! Second factors as administrators have to do with them: whether everybody of their organisation needs one, and a user's that is reset.

use afterlive_domain::{Act, Error as Refusal, Permission, UserId};

use super::own::take_away;
use crate::db;
use crate::service::write::Note;
use crate::service::{Caller, Identity, Result, Service, system, users};

impl Service {
    /// Whether everybody of the caller's organisation needs a second factor.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn requires_second_factor(&self, caller: &Caller) -> Result<bool> {
        caller.require(Permission::Administer)?;
        Ok(db::organisations::requires_second_factor(&mut self.db.read().await?, caller.organisation).await?)
    }

    /// Sets whether everybody needs a second factor. Who has none is led to set one up with their next request, and does nothing else before; their session tokens
    /// are worth nothing until then.
    ///
    /// # Errors
    /// `Denied` for all but admins; `WrongState` for who has none themselves and would switch it on: they would shut themselves out, and learn too late what it asks.
    pub async fn require_second_factor(&self, caller: &Caller, is_required: bool) -> Result<()> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        if is_required {
            let user = match caller.identity {
                Identity::User(id) => db::users::by_id(&mut tx, id).await?,
                Identity::Token(_) | Identity::Key(_) | Identity::Operator => None,
            };
            if user.is_none_or(|user| user.second_factor.is_none()) {
                return Err(Refusal::WrongState { state: "before you have a second factor yourself".to_owned() }.into());
            }
        }
        if db::organisations::requires_second_factor(&mut tx, caller.organisation).await? == is_required {
            tx.roll_back();
            return Ok(());
        }
        db::organisations::require_second_factor(&mut tx, caller.organisation, is_required, self.clock.now()).await?;
        let what = if is_required { "required" } else { "not required" };
        tx.commit(Note::of(Act::SecondFactorRuleChanged, caller.organisation).saying(what)).await?;
        self.ask_viewers_of(caller.organisation).await;
        tracing::info!(organisation = %caller.organisation, by = %caller.identity, is_required, "changed whether a second factor is required");
        Ok(())
    }

    /// Takes a user's second factor away, for who has lost app and recovery codes, and ends all that is open of theirs. The password stays. They are told by mail,
    /// where there is a mail server.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NotSystemAdministrator` for all but system administrators where the user is one; `NoSuchUser`; `WrongState` for who would reset their own: that takes a code, as switching it off does.
    pub async fn reset_second_factor(&self, caller: &Caller, id: UserId) -> Result<()> {
        caller.require(Permission::Administer)?;
        if matches!(caller.identity, Identity::User(own) | Identity::Token(own) if own == id) {
            return Err(
                Refusal::WrongState { state: "for your own, which is switched off under “Your account”".to_owned() }.into()
            );
        }
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let user = users::of_organisation(&mut tx, caller.organisation, id).await?;
        system::may_recover(&mut tx, caller, &user).await?;
        // Reset already, as by a second click.
        if user.second_factor.is_none() || !take_away(&mut tx, &user, None).await? {
            tx.roll_back();
            return Ok(());
        }
        let organisation = db::organisations::by_id(&mut tx, caller.organisation).await?;
        tx.commit(Note::of(Act::SecondFactorReset, id)).await?;
        self.ask_viewers_of(caller.organisation).await;
        tracing::info!(user = %id, by = %caller.identity, "reset a user's second factor");
        self.tell_of_reset(&user, &organisation.map(|found| found.name).unwrap_or_default());
        Ok(())
    }

    /// As [`Service::reset_second_factor`], by the operator at the server's terminal; false where nobody has that address.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn operators_second_factor_reset(&self, email: &str) -> Result<bool> {
        let found = users::by_typed_email(&mut self.db.read().await?, email).await?;
        let Some(user) = found else { return Ok(false) };
        self.reset_second_factor(&Caller::operator(user.organisation), user.id).await?;
        Ok(true)
    }
}
