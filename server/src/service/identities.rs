//! Whose account somebody's at the operator's OpenID provider is: who signs in, connects, joins by an invitation, and disconnects. Who somebody is at the provider has
//! been found by `oidc/`; what a browser keeps of it is `http/oidc`'s.
//!
//! What the provider knows somebody by, and by nothing else, is who they are. An address is none: many providers let people claim any, and give one that was given up to
//! somebody else. It counts where somebody was invited by that very address, or where the operator says that this provider's addresses are good.

use std::collections::HashMap;
use std::net::IpAddr;

use afterlive_domain::{Act, Error as Refusal, Permission, UnixMillis, UserId, WhoKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::{Confirmed, MAX_SESSIONS, SignedIn, own, read};
use super::account_links::{thing, use_up};
use super::session_tokens::digest;
use super::sign_in::network;
use super::write::{Change, Note, user as by_user, who};
use super::wrong_links::TOO_LATE;
use super::{Caller, Error, HalfSignIn, Result, Service, system, text, users};
use crate::db;
use crate::db::Connection as Database;
use crate::db::audit::Who;
use crate::db::invitations::Invitation;
use crate::db::user_identities::{self, Connected as Connection, Identity};
use crate::db::users::{Admission, User};
use crate::hexadecimal::hexadecimal;
use crate::oidc::{Flow, Person, Provider};
use crate::random;

/// Who came by the provider to sign in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ByProvider {
    /// A user, by that row of `user_identities`. Give the browser a session under a new id.
    Known(User, String),
    /// A user with a second factor: nobody has signed in before its code was given too.
    NeedsCode(HalfSignIn),
    /// A user of whose organisation nobody is let in.
    Suspended,
    /// Nobody here is connected with them.
    Unknown,
}

/// That the caller has given their password, to connect their account by one way to the provider: made when they permit, and taken once when they come back. It lies in
/// the browser's session, where nobody but the server writes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Permit {
    user: UserId,
    /// SHA-256 of the way's state, in hexadecimal.
    state: String,
    /// [`User::credentials_digest`]: with another password or second factor it is over.
    digest: String,
}

impl Permit {
    #[must_use]
    pub fn new(user: &User, flow: &Flow) -> Self {
        Self { user: user.id, state: digest(&flow.state()), digest: user.credentials_digest() }
    }

    /// Whether it was given for that very way.
    #[must_use]
    pub fn is_for(&self, flow: &Flow) -> bool {
        self.state == digest(&flow.state())
    }
}

/// What came of connecting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connected {
    Done,
    /// The session has ended, or the password or second factor is another by now: nothing was connected.
    Over,
    /// They are somebody else here.
    Others,
    /// The caller is connected with another account there.
    Another,
}

/// What came of accepting an invitation by the provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Joined {
    /// As [`ByProvider::Known`].
    Done(User, String),
    /// It never was one, was revoked or used, or has expired.
    WrongLink,
    /// The provider does not say that the address of the invitation is theirs.
    OtherAddress,
    /// They are a user already, or another one has the address by now.
    Taken,
}

/// The longest name of an account at the provider that is kept, in characters: as long as the longest address.
const MAX_CALLED_CHARS: usize = 254;

impl Service {
    /// `None` where people sign in with passwords alone.
    #[must_use]
    pub fn provider(&self) -> Option<&Provider> {
        self.provider.as_ref()
    }

    /// Counts a way to the provider, or back.
    ///
    /// # Errors
    /// `TooMany`.
    pub fn pass_to_provider(&self, address: IpAddr) -> Result<()> {
        let attempt = self.sign_in_limits.by_provider.attempt(&network(address), self.clock.now());
        attempt.map_err(|retry_after_s| Refusal::TooMany { retry_after_s }.into())
    }

    /// Takes back what was counted of a way there and back: who has come in is not guessing, and many may sit behind one address.
    pub fn came_by_provider(&self, address: IpAddr) {
        let limit = &self.sign_in_limits.by_provider;
        limit.give_back(&network(address));
        limit.give_back(&network(address));
    }

    /// Whether what a session came by is still connected, and the operator still trusts its provider. Of sessions by a password there is nothing to find.
    pub(super) async fn is_still_connected(
        &self,
        connection: &mut Database,
        user: UserId,
        identity: Option<&str>,
    ) -> Result<bool> {
        let Some(identity) = identity else { return Ok(true) };
        let Some(provider) = &self.provider else { return Ok(false) };
        let found = user_identities::of_user(connection, user, provider.issuer()).await?;
        Ok(found.is_some_and(|found| found.id == identity))
    }

    /// Whether a session came by a provider that asks people for a second factor itself, by the operator's word.
    pub(super) fn was_asked_elsewhere(&self, signed_in: &SignedIn) -> bool {
        signed_in.identity.is_some() && self.provider.as_ref().is_some_and(Provider::asks_second_factor)
    }

    /// Who somebody of the provider's is here. `from` is the browser's.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn sign_in_by_provider(&self, person: &Person, from: IpAddr) -> Result<ByProvider> {
        let mut connection = self.db.read_briefly().await?;
        if let Some((found, identity)) = connected(&mut connection, person).await? {
            drop(connection);
            return self.let_in(found, identity, from).await;
        }
        let named = match address(person) {
            Some(email) => db::users::by_email(&mut connection, &email).await?,
            None => None,
        };
        let Some(user) = named else {
            tracing::info!(address = %network(from), "somebody came by the provider who is nobody here");
            return Ok(ByProvider::Unknown);
        };
        let found = db::users::admission(&mut connection, user.id).await?;
        drop(connection);
        let is_trusted = person.is_verified && self.provider.as_ref().is_some_and(Provider::matches_verified_email);
        if is_trusted && let Some(found) = found {
            // Nothing is connected for who is not let in.
            if found.is_suspended {
                return Ok(self.shut_out(&found.user, from));
            }
            let mut tx = self.write_sign_in(&found.user, from).await?;
            if let Some(identity) = connect(&mut tx, user.id, person, self.clock.now()).await? {
                tx.commit(Note::of(Act::IdentityConnected, user.id).saying("by their verified address")).await?;
                tracing::info!(user = %user.id, "connected with the provider by a verified address");
                return self.let_in(found, identity, from).await;
            }
            tx.roll_back();
            // In another tab they have been connected just now.
            let connected = connected(&mut self.db.read().await?, person).await?;
            if let Some((found, identity)) = connected.filter(|(found, _)| found.user.id == user.id) {
                return self.let_in(found, identity, from).await;
            }
        }
        let by = (Who::nobody(WhoKind::Stranger), Some(from));
        self.note(
            user.organisation,
            by,
            Note::of(Act::SignInRefused, user.id).saying(format!("{}, which is not connected", self.by_provider())),
        );
        Ok(ByProvider::Unknown)
    }

    /// Who is connected with somebody that came: in, or asked for the code of their second factor, as who comes with a password is.
    async fn let_in(&self, found: Admission, identity: String, from: IpAddr) -> Result<ByProvider> {
        let Admission { user, is_suspended, .. } = found;
        if is_suspended {
            return Ok(self.shut_out(&user, from));
        }
        if user.second_factor.is_some() {
            tracing::info!(user = %user.id, "came by the provider, and is asked for a code");
            return Ok(ByProvider::NeedsCode(HalfSignIn::new(&user, self.clock.now()).by(identity)));
        }
        self.note_sign_in(&user, from, &self.by_provider()).await;
        tracing::info!(user = %user.id, "signed in by the provider");
        Ok(ByProvider::Known(user, identity))
    }

    fn shut_out(&self, user: &User, from: IpAddr) -> ByProvider {
        self.note_suspended((by_user(user.id), Some(from)), user.organisation, Note::of(Act::SignInRefused, user.id));
        ByProvider::Suspended
    }

    /// For the audit log.
    pub(super) fn by_provider(&self) -> String {
        format!("by {}", self.provider.as_ref().map_or("the provider", Provider::name))
    }

    /// With which account of the provider the caller is connected.
    ///
    /// # Errors
    /// `BadCredentials` for all who are no user that signed in to the dashboard.
    pub async fn own_connection(&self, caller: &Caller) -> Result<Option<Connection>> {
        let id = own(caller)?;
        let Some(provider) = &self.provider else { return Ok(None) };
        Ok(user_identities::of_user(&mut self.db.read().await?, id, provider.issuer()).await?)
    }

    /// With which account of the provider each user of the caller's organisation is connected, of those who are.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn connections(&self, caller: &Caller) -> Result<HashMap<UserId, String>> {
        caller.require(Permission::Administer)?;
        let Some(provider) = &self.provider else { return Ok(HashMap::new()) };
        let found = user_identities::of_organisation(&mut self.db.read().await?, caller.organisation, provider.issuer()).await?;
        Ok(found.into_iter().collect())
    }

    /// Connects the caller, who has given their password in that browser session, with who they are at the provider. They may have been there for minutes: what ended
    /// their session meanwhile ends this too.
    ///
    /// # Errors
    /// As [`Service::own_connection`].
    pub async fn connect_identity(&self, caller: &Caller, person: &Person, permit: &Permit, session: &str) -> Result<Connected> {
        let (id, now) = (own(caller)?, self.clock.now());
        let mut tx = match self.write_own(caller).await {
            Err(Error::Refused(Refusal::BadCredentials)) => return Ok(Connected::Over),
            begun => begun?,
        };
        let is_user = db::users::hold(&mut tx, id).await? && permit.user == id;
        let user = db::users::admission(&mut tx, id).await?.and_then(Admission::unless_suspended);
        let is_same = is_user && user.is_some_and(|user| user.credentials_digest() == permit.digest);
        if !is_same || !db::browser_sessions::is_of_user(&mut tx, id, session, now).await? {
            tx.roll_back();
            return Ok(Connected::Over);
        }
        if let Some((_, owner)) = user_identities::owner(&mut tx, &person.issuer, &person.subject).await? {
            tx.roll_back();
            if owner == id {
                return Ok(Connected::Done);
            }
            self.note_refused_connection(caller, "it is connected with another user");
            return Ok(Connected::Others);
        }
        if connect(&mut tx, id, person, now).await?.is_none() {
            tx.roll_back();
            self.note_refused_connection(caller, "they are connected with another account there");
            return Ok(Connected::Another);
        }
        tx.commit(Note::of(Act::IdentityConnected, id)).await?;
        tracing::info!(user = %id, "connected with the provider");
        Ok(Connected::Done)
    }

    /// Notes that the caller came back from the provider, and was not connected.
    pub fn note_refused_connection(&self, caller: &Caller, why: &str) {
        if let Ok(id) = own(caller) {
            self.note(caller.organisation, (who(caller.identity), caller.from), Note::of(Act::IdentityRefused, id).saying(why));
        }
    }

    /// Disconnects the caller, who keeps their password, and ends all that came by the provider. `Yes`: sign them in, under a new session.
    ///
    /// # Errors
    /// As [`Service::own_connection`].
    pub async fn disconnect_identity(&self, caller: &Caller, present: &str) -> Result<Confirmed> {
        let (user, provider) = match (self.confirm(caller, present).await?, &self.provider) {
            (Confirmed::Yes(user), Some(provider)) => (user, provider),
            // Without a provider there is nothing to disconnect from.
            (other, _) => return Ok(other),
        };
        let mut tx = self.write_own(caller).await?;
        if !db::users::hold(&mut tx, user.id).await? {
            return Err(Refusal::BadCredentials.into());
        }
        if !user_identities::delete(&mut tx, user.id, provider.issuer()).await? {
            tx.roll_back();
            return Ok(Confirmed::Yes(user));
        }
        end_sessions(&mut tx, user.id, self.clock.now()).await?;
        tx.commit(Note::of(Act::IdentityDisconnected, user.id)).await?;
        self.ask_viewers_of(user.organisation).await;
        tracing::info!(user = %user.id, "disconnected from the provider");
        Ok(Confirmed::Yes(user))
    }

    /// Disconnects a user, of whichever provider, and ends all that came by it. Who has no password needs a link for one then.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NotSystemAdministrator` for all but system administrators where the user is one; `NoSuchUser`; `WrongState` for who would disconnect
    /// themselves: that takes the password.
    pub async fn disconnect_user(&self, caller: &Caller, id: UserId) -> Result<()> {
        caller.require(Permission::Administer)?;
        if matches!(caller.identity, super::Identity::User(own) | super::Identity::Token(own) if own == id) {
            return Err(Refusal::WrongState { state: "for your own, which is done under “Your account”".to_owned() }.into());
        }
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let user = users::of_organisation(&mut tx, caller.organisation, id).await?;
        system::may_recover(&mut tx, caller, &user).await?;
        // Disconnected already, as by a second click.
        if !db::users::hold(&mut tx, id).await? || user_identities::delete_of(&mut tx, id).await? == 0 {
            tx.roll_back();
            return Ok(());
        }
        end_sessions(&mut tx, id, self.clock.now()).await?;
        tx.commit(Note::of(Act::IdentityDisconnected, id)).await?;
        self.ask_viewers_of(caller.organisation).await;
        tracing::info!(user = %id, by = %caller.identity, "disconnected a user from the provider");
        Ok(())
    }

    /// Makes the user that was invited, without a password, where the provider says that the address of the invitation is theirs. Of two that use one link at
    /// once exactly one is `Done`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn accept_invitation_by_provider(&self, secret: &str, person: &Person, from: IpAddr) -> Result<Joined> {
        let Some((invitation, _)) = self.invitation(secret).await? else {
            self.note_wrong_invitation(secret, Some(from)).await?;
            return Ok(Joined::WrongLink);
        };
        if address(person).filter(|_| person.is_verified).as_deref() != Some(&invitation.email) {
            self.note_refused_invitation(&invitation, from, "the provider does not say that the address is theirs");
            return Ok(Joined::OtherAddress);
        }
        let now = self.clock.now();
        let Invitation { id, organisation, ref email, role, .. } = invitation;
        let user = users::user(organisation, email.clone(), no_password(), role, now);
        let user = User { last_sign_in_at: Some(now), ..user };
        let mut tx = self.write_by(organisation, by_user(user.id), Some(from)).await?;
        if !use_up(&mut tx, organisation, id).await? {
            tx.roll_back();
            self.note_wrong_link(organisation, thing(&invitation), Some(from), TOO_LATE);
            return Ok(Joined::WrongLink);
        }
        match users::insert(&mut tx, &user).await {
            Err(Error::Refused(Refusal::NotUnique { .. })) => {
                tx.roll_back();
                self.note_refused_invitation(&invitation, from, "there is a user with the address by now");
                return Ok(Joined::Taken);
            }
            other => other?,
        }
        let Some(identity) = connect(&mut tx, user.id, person, now).await? else {
            tx.roll_back();
            self.note_refused_invitation(&invitation, from, "they are a user already");
            return Ok(Joined::Taken);
        };
        tx.note(Note::of(Act::IdentityConnected, user.id));
        tx.commit(Note::of(Act::InvitationAccepted, user.id).saying(format!("as {role}, {}", self.by_provider()))).await?;
        tracing::info!(user = %user.id, invitation = %id, "an invitation was accepted by the provider");
        Ok(Joined::Done(user, identity))
    }

    fn note_refused_invitation(&self, invitation: &Invitation, from: IpAddr, why: &str) {
        let by = (Who::nobody(WhoKind::Stranger), Some(from));
        self.note(invitation.organisation, by, Note::of(Act::IdentityRefused, thing(invitation)).saying(why));
    }
}

/// Ends the browser sessions that a user has by a provider. They are worth nothing any more; listed they are not to be either.
async fn end_sessions(tx: &mut Change, user: UserId, now: UnixMillis) -> Result<()> {
    for (session, data, _) in db::browser_sessions::of_user(tx, user, now, MAX_SESSIONS).await? {
        if read(&data).is_some_and(|signed_in| signed_in.identity.is_some()) {
            db::browser_sessions::delete_of_user(tx, user, &session).await?;
        }
    }
    Ok(())
}

/// What the provider calls somebody, for people to read: the address, or a name. In one line, and not long.
fn called(person: &Person) -> Option<String> {
    let said = [&person.email, &person.name].into_iter().flatten();
    let read = |text: &String| text.trim().chars().filter(|c| !c.is_control()).take(MAX_CALLED_CHARS).collect::<String>();
    said.map(read).find(|text| !text.is_empty())
}

/// The address that the provider says, as addresses of users are kept. One that is only equivalent to another (`ﬁ` and `fi`) is another's there, and so nobody's here.
fn address(person: &Person) -> Option<String> {
    let said = person.email.as_deref()?;
    text::email(said).ok().filter(|email| *email == said.trim().to_lowercase())
}

/// Who is connected with them, and by which row.
async fn connected(connection: &mut Database, person: &Person) -> Result<Option<(Admission, String)>> {
    let owner = user_identities::owner(connection, &person.issuer, &person.subject).await?;
    let Some((identity, id)) = owner else { return Ok(None) };
    Ok(db::users::admission(connection, id).await?.map(|found| (found, identity)))
}

/// The row's id; `None` where somebody else has it, or the user has another one of that provider.
async fn connect(tx: &mut Change, user: UserId, person: &Person, now: UnixMillis) -> Result<Option<String>> {
    let identity = Identity {
        id: Uuid::new_v4().to_string(),
        user,
        issuer: person.issuer.clone(),
        subject: person.subject.clone(),
        called: called(person),
        connected_at: now,
    };
    Ok(user_identities::insert(tx, &identity).await?.then_some(identity.id))
}

/// In place of a password's hash there is what no password is right for, and is no other user's: what hangs on it ends when they are given a password, as it ends for
/// others with another one.
fn no_password() -> String {
    format!("none:{}", hexadecimal(&random::secret_bytes()))
}
