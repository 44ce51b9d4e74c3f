//! Links that are good once, for who has no password or has lost it: an invitation to become a user, and a new password for who is one. An administrator hands
//! them over, and where there is a mail server it does (`mails`). To look at one uses nothing up.

use std::net::IpAddr;

use afterlive_domain::password::Weakness;
use afterlive_domain::{Act, Error as Refusal, InvitationId, OrganisationId, Permission, Role, ThingKind, UnixMillis, UserId};
use uuid::Uuid;

use super::mails::Planned;
use super::passwords::NotTaken;
use super::session_tokens::digest;
use super::write::{Note, user as by_user};
use super::wrong_links::TOO_LATE;
use super::{Caller, HalfSignIn, Identity, Result, Service, system, text, users};
use crate::db;
use crate::db::Tx;
use crate::db::audit::Thing;
use crate::db::invitations::Invitation;
use crate::db::password_links::Origin;
use crate::db::users::{Admission, User};
use crate::hexadecimal::hexadecimal;
use crate::mail;
use crate::random;

/// An invitation is good for so long.
const INVITATION_MS: i64 = 7 * DAY_MS;
/// A link for a new password is good for so long: what NIST SP 800-63B-4 §4.2.2.2 allows a code that is sent by mail.
const PASSWORD_LINK_MS: i64 = DAY_MS;
const DAY_MS: i64 = 86_400_000;

/// What came of choosing a password by a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Chosen {
    /// Sign them in, under a new session.
    Done(User),
    /// It is set; the user has a second factor too, which a link does not take the place of.
    NeedsCode(HalfSignIn),
    /// It never was one, was revoked or used, or has expired.
    WrongLink,
    /// The link can be used again.
    Weak(Weakness),
}

/// What a link has in it: as hard to guess as an API key, and kept as that is.
pub(super) fn draw() -> (String, String) {
    let secret = hexadecimal(&random::secret_bytes());
    let hash = digest(&secret);
    (secret, hash)
}

pub(super) fn thing(invitation: &Invitation) -> Thing {
    Thing::new(ThingKind::Invitation, invitation.id, invitation.email.as_str())
}

/// Of that address, by the caller.
pub(super) fn new_invitation(
    caller: &Caller,
    organisation: OrganisationId,
    email: String,
    role: Role,
    now: UnixMillis,
) -> Invitation {
    let id = InvitationId(Uuid::new_v4());
    Invitation {
        id,
        organisation,
        email,
        role,
        invited_by: maker(caller),
        created_at: now,
        expires_at: now.plus_ms(INVITATION_MS),
    }
}

/// Uses an invitation up, for who becomes a user in the same transaction. False where it was used or revoked meanwhile, or nobody of the organisation is let in.
pub(super) async fn use_up(tx: &mut Tx, organisation: OrganisationId, id: InvitationId) -> Result<bool> {
    // Whose place is being taken is counted by nobody meanwhile, neither as invited nor as a user.
    db::organisations::hold(tx, organisation).await?;
    let is_suspended = db::organisations::is_suspended(tx, organisation).await?;
    Ok(!is_suspended && db::invitations::delete(tx, organisation, id).await?.is_some())
}

/// Who is gone together with those whose links are to go with them.
fn maker(caller: &Caller) -> Option<UserId> {
    match caller.identity {
        Identity::User(id) | Identity::Token(id) => Some(id),
        Identity::Key(_) | Identity::Operator => None,
    }
}

impl Service {
    /// The link by which somebody becomes a user of that role. One that was made for the same address before is worth nothing then.
    ///
    /// # Errors
    /// `Denied` for all but admins; for `email` where it is none, or a user's; `WrongState` where there are too many.
    pub async fn invite(&self, caller: &Caller, email: &str, role: Role) -> Result<String> {
        caller.require(Permission::Administer)?;
        let (email, now) = (text::email(email)?, self.clock.now());
        let invitation = new_invitation(caller, caller.organisation, email, role, now);
        let (secret, hash) = draw();
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        // Another organisation's are not told of.
        let found = db::users::by_email(&mut tx, &invitation.email).await?;
        if found.is_some_and(|user| user.organisation == caller.organisation) {
            return Err(Refusal::NotUnique { parameter: "email".to_owned() }.into());
        }
        users::find_place(&mut tx, caller.organisation, &invitation.email, now).await?;
        db::invitations::put(&mut tx, &invitation, &hash).await?;
        let mail = self.plan_mail(&mut tx, caller.organisation, hash, invitation.expires_at).await?;
        tx.commit(Note::of(Act::UserInvited, thing(&invitation)).saying(format!("as {role}"))).await?;
        tracing::info!(invitation = %invitation.id, %role, by = %caller.identity, "invited somebody");
        Ok(self.send_invitation(&invitation, &secret, mail).await)
    }

    /// Mails it, where that is planned; gives the link.
    pub(super) async fn send_invitation(&self, invitation: &Invitation, secret: &str, mail: Option<Planned>) -> String {
        let url = format!("{}/invitation/{secret}", self.config.http.public_url);
        self.post(mail, &url, |link| mail::invitation(&invitation.email, invitation.role, link)).await;
        url
    }

    /// Those that can still be used, newest first.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn invitations(&self, caller: &Caller) -> Result<Vec<Invitation>> {
        caller.require(Permission::Administer)?;
        Ok(db::invitations::list(&mut self.db.read().await?, caller.organisation, self.clock.now()).await?)
    }

    /// # Errors
    /// `Denied` for all but admins; `NoSuchInvitation`.
    pub async fn revoke_invitation(&self, caller: &Caller, id: InvitationId) -> Result<()> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let Some(email) = db::invitations::delete(&mut tx, caller.organisation, id).await? else {
            return Err(Refusal::NoSuchInvitation { invitation: id }.into());
        };
        tx.commit(Note::of(Act::InvitationRevoked, Thing::new(ThingKind::Invitation, id, email))).await?;
        tracing::info!(invitation = %id, by = %caller.identity, "revoked an invitation");
        Ok(())
    }

    /// Who is invited, and into which organisation, for who has the link.
    ///
    /// # Errors
    /// Where the database fails; `None` where the link is worth nothing, and for as long as the organisation is suspended.
    pub async fn invitation(&self, secret: &str) -> Result<Option<(Invitation, String)>> {
        let mut connection = self.db.read().await?;
        let found = db::invitations::by_secret_hash(&mut connection, &digest(secret), self.clock.now()).await?;
        let Some(invitation) = found else { return Ok(None) };
        let organisation = db::organisations::by_id(&mut connection, invitation.organisation).await?;
        let organisation = organisation.filter(|organisation| organisation.suspended_at.is_none());
        Ok(organisation.map(|organisation| (invitation, organisation.name)))
    }

    /// Makes the user that was invited, who is there. Of two that use one link at once exactly one is `Done`.
    ///
    /// # Errors
    /// For `email` where it became a user's in another way; the link can then be used again.
    pub async fn accept_invitation(&self, secret: &str, password: &str, from: Option<IpAddr>) -> Result<Chosen> {
        let Some((invitation, organisation_name)) = self.invitation(secret).await? else {
            self.note_wrong_invitation(secret, from).await?;
            return Ok(Chosen::WrongLink);
        };
        let on = thing(&invitation);
        let Invitation { id, organisation, email, role, .. } = invitation;
        let user = match self.new_user(organisation, &organisation_name, &email, password, role).await {
            Ok(user) => User { last_sign_in_at: Some(self.clock.now()), ..user },
            Err(NotTaken::Weak(weakness)) => return Ok(Chosen::Weak(weakness)),
            Err(NotTaken::Failed(error)) => return Err(error),
        };
        let mut tx = self.write_by(organisation, by_user(user.id), from).await?;
        if !use_up(&mut tx, organisation, id).await? {
            tx.roll_back();
            self.note_wrong_link(organisation, on, from, TOO_LATE);
            return Ok(Chosen::WrongLink);
        }
        users::insert(&mut tx, &user).await?;
        tx.commit(Note::of(Act::InvitationAccepted, user.id).saying(format!("as {role}"))).await?;
        tracing::info!(user = %user.id, invitation = %id, "an invitation was accepted");
        Ok(Chosen::Done(user))
    }

    /// The link by which a user sets a new password. One that was made before is worth nothing then; the password is good until the link is used.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchUser`; `NotSystemAdministrator` where the user is one and the caller is not.
    pub async fn make_password_link(&self, caller: &Caller, user: UserId) -> Result<String> {
        caller.require(Permission::Administer)?;
        let (secret, hash) = draw();
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let found = users::of_organisation(&mut tx, caller.organisation, user).await?;
        system::may_recover(&mut tx, caller, &found).await?;
        let email = found.email;
        let expires_at = self.clock.now().plus_ms(PASSWORD_LINK_MS);
        db::password_links::put(&mut tx, user, &hash, Origin::MadeBy(maker(caller)), expires_at).await?;
        let mail = self.plan_mail(&mut tx, caller.organisation, hash, expires_at).await?;
        tx.commit(Note::of(Act::PasswordLinkMade, user)).await?;
        tracing::info!(%user, by = %caller.identity, "made a link for a new password");
        let url = format!("{}/password/{secret}", self.config.http.public_url);
        self.post(mail, &url, |link| mail::new_password(&email, link)).await;
        Ok(url)
    }

    /// As [`Service::make_password_link`], by the operator at the server's terminal; `None` where nobody has that address.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn operators_password_link(&self, email: &str) -> Result<Option<String>> {
        let found = users::by_typed_email(&mut self.db.read().await?, email).await?;
        let Some(user) = found else { return Ok(None) };
        self.make_password_link(&Caller::operator(user.organisation), user.id).await.map(Some)
    }

    /// Whose password the link sets, for who has it.
    ///
    /// # Errors
    /// Where the database fails; `None` where the link is worth nothing, or nobody of the organisation is let in.
    pub async fn password_link(&self, secret: &str) -> Result<Option<User>> {
        let mut connection = self.db.read().await?;
        let found = db::password_links::user(&mut connection, &digest(secret), self.clock.now()).await?;
        let Some(user) = found else { return Ok(None) };
        Ok(db::users::admission(&mut connection, user).await?.and_then(Admission::unless_suspended))
    }

    /// Sets a user's password by a link, and ends all of the user's sessions and tokens. Of two that use one link at once exactly one is `Done`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_password_by_link(&self, secret: &str, password: &str, from: Option<IpAddr>) -> Result<Chosen> {
        let Some(user) = self.password_link(secret).await? else {
            self.note_wrong_password_link(secret, from).await?;
            return Ok(Chosen::WrongLink);
        };
        let password_hash = match self.hash_for(&user, password).await {
            Ok(hash) => hash,
            Err(NotTaken::Weak(weakness)) => return Ok(Chosen::Weak(weakness)),
            Err(NotTaken::Failed(error)) => return Err(error),
        };
        let mut tx = self.write_by(user.organisation, by_user(user.id), from).await?;
        // The organisation before the user, and the user before what hangs on the user, as all others take them: two that took them in turn would
        // wait for each other.
        db::organisations::hold(&mut tx, user.organisation).await?;
        let is_user = db::users::hold(&mut tx, user.id).await?;
        let is_used_now = is_user && db::password_links::delete(&mut tx, &digest(secret)).await?;
        if !is_used_now || !users::set_password(&mut tx, &user, &password_hash, None).await? {
            tx.roll_back();
            self.note_wrong_link(user.organisation, user.id.into(), from, TOO_LATE);
            return Ok(Chosen::WrongLink);
        }
        let now = self.clock.now();
        let needs_code = user.second_factor.is_some();
        if !needs_code {
            db::users::signed_in(&mut tx, user.id, now).await?;
        }
        tx.commit(Note::of(Act::PasswordSetByLink, user.id)).await?;
        self.ask_viewers_of(user.organisation).await;
        tracing::info!(user = %user.id, "a new password was set by a link");
        if needs_code {
            return Ok(Chosen::NeedsCode(HalfSignIn::new(&User { password_hash, ..user }, now)));
        }
        Ok(Chosen::Done(User { password_hash, last_sign_in_at: Some(now), ..user }))
    }

    /// The hash of a password that the user chose.
    pub(super) async fn hash_for(&self, user: &User, password: &str) -> Result<String, NotTaken> {
        let organisation = self.organisation_name(user.organisation).await?;
        self.hash_chosen(password, &user.email, &organisation).await
    }

    async fn organisation_name(&self, id: OrganisationId) -> Result<String> {
        let found = db::organisations::by_id(&mut self.db.read().await?, id).await?;
        Ok(found.map(|organisation| organisation.name).unwrap_or_default())
    }
}
