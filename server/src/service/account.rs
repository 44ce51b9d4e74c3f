//! A user's own account: the browser sessions and session tokens that are open, and the password. Where browser sessions lie, and how a browser names its own, is
//! `http/browser_session`'s.

use std::collections::HashMap;
use std::net::IpAddr;

use afterlive_domain::password::Weakness;
use afterlive_domain::{Act, Error as Refusal, UnixMillis, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::passwords::{Asking, NotTaken};
use super::session_tokens::digest;
use super::users::Ended;
use super::write::{Note, who};
use super::{Caller, Error, Identity, Result, Service, users};
use crate::db;
use crate::db::session_tokens::SessionToken;
use crate::db::users::{Admission, User};

/// Of what a browser says of itself so much is kept, in characters.
const MAX_BROWSER_CHARS: usize = 300;

/// The most browser sessions that a user has at a time; one more ends the one that was used longest ago. What signs in each minute fills no table and no page.
pub const MAX_SESSIONS: u32 = 100;

/// The key under which a session has who signed in.
pub const SIGNED_IN: &str = "signed_in";

/// What a session knows of who signed in with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedIn {
    pub user: UserId,
    /// [`User::credentials_digest`]: with another password or second factor the session is worth nothing.
    password_digest: String,
    /// The row of `user_identities` by which they came, where they came by the provider: without it the session is worth nothing either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<String>,
    pub began_at: UnixMillis,
    pub address: IpAddr,
    /// What the browser says that it is.
    pub browser: String,
}

/// A browser session that is good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenSession {
    /// The hash by which it lies in the database; it signs nobody in.
    pub id: String,
    pub signed_in: SignedIn,
    pub used_at: UnixMillis,
}

/// What is open of a user's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenAccount {
    pub user: User,
    /// Last used first.
    pub sessions: Vec<OpenSession>,
    /// With their hashes, newest first.
    pub tokens: Vec<(String, SessionToken)>,
}

/// What came of changing one's own password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PasswordChange {
    /// Sign them in, under a new session.
    Done(User),
    /// The present password is another.
    WrongPassword,
    Weak(Weakness),
    TooManyAttempts {
        retry_after_s: u32,
    },
}

/// What came of asking for the password once more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Confirmed {
    Yes(User),
    WrongPassword,
    /// They have none: they came by the provider.
    NoPassword,
    TooManyAttempts {
        retry_after_s: u32,
    },
}

impl SignedIn {
    #[must_use]
    pub fn new(user: &User, now: UnixMillis, address: IpAddr, browser: &str) -> Self {
        Self {
            user: user.id,
            password_digest: user.credentials_digest(),
            identity: None,
            began_at: now,
            address,
            browser: browser.chars().take(MAX_BROWSER_CHARS).collect(),
        }
    }

    /// The same by that row of `user_identities`, where they came by the provider.
    #[must_use]
    pub fn by(self, identity: Option<&str>) -> Self {
        Self { identity: identity.map(str::to_owned), ..self }
    }

    /// Whether it is the user's, and was begun with what signs them in by now.
    pub(super) fn is_good_for(&self, user: &User) -> bool {
        self.user == user.id && self.password_digest == user.credentials_digest()
    }
}

impl Service {
    /// The caller behind a browser session: the user as it is now, not as it was at signing in. Each request looks, so that who is removed or has another
    /// password is signed out at once, on every node. `session` is the SHA-256 by which the database has it; `None` of one that begins with this very
    /// request.
    ///
    /// # Errors
    /// Where the database fails; a user that is gone, has another password or second factor since, must set up a second factor first, or whose organisation is
    /// suspended, is `None`.
    pub async fn session_caller(&self, signed_in: &SignedIn, session: Option<[u8; 32]>) -> Result<Option<(Caller, User)>> {
        let found = self.admission(signed_in).await?.filter(|found| !found.must_enrol() || self.was_asked_elsewhere(signed_in));
        Ok(found.map(|found| as_caller(found.user, session)))
    }

    /// As [`Service::session_caller`], also for who must set up a second factor before anything else: for what does that, and nothing more.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn enrolling_caller(&self, signed_in: &SignedIn, session: Option<[u8; 32]>) -> Result<Option<(Caller, User)>> {
        Ok(self.admission(signed_in).await?.map(|found| as_caller(found.user, session)))
    }

    /// `None` where the session is worth nothing.
    async fn admission(&self, signed_in: &SignedIn) -> Result<Option<Admission>> {
        let mut connection = self.db.read_briefly().await?;
        let found = db::users::admission(&mut connection, signed_in.user).await?;
        let found = found.filter(|found| !found.is_suspended && signed_in.is_good_for(&found.user));
        // Looked for where there is somebody, and they came by the provider.
        let is_good =
            found.is_some() && self.is_still_connected(&mut connection, signed_in.user, signed_in.identity.as_deref()).await?;
        Ok(found.filter(|_| is_good))
    }

    /// Notes that the caller has signed out: to be called where the browser's session is ended.
    pub fn note_sign_out(&self, caller: &Caller) {
        if let Ok(user) = own(caller) {
            self.note(caller.organisation, (who(caller.identity), caller.from), Note::of(Act::SignedOut, user));
        }
    }

    /// # Errors
    /// `BadCredentials` for all who are no user that signed in to the dashboard.
    pub async fn open_account(&self, caller: &Caller) -> Result<OpenAccount> {
        let (now, mut connection) = (self.clock.now(), self.db.read().await?);
        let user = db::users::by_id(&mut connection, own(caller)?).await?.ok_or(Refusal::BadCredentials)?;
        let rows = db::browser_sessions::of_user(&mut connection, user.id, now, MAX_SESSIONS).await?;
        let sessions = rows.into_iter().filter_map(|(id, data, used_at)| {
            let signed_in = read(&data)?;
            Some(OpenSession { id, signed_in, used_at })
        });
        let sessions = sessions.collect();
        let tokens = db::session_tokens::of_user(&mut connection, user.id, now).await?;
        Ok(OpenAccount { user, sessions, tokens })
    }

    /// Ends one of the caller's own browser sessions, on every node. One that is over already stays so.
    ///
    /// # Errors
    /// As [`Service::open_account`].
    pub async fn end_session(&self, caller: &Caller, id: &str) -> Result<()> {
        let user = own(caller)?;
        let mut tx = self.write_own(caller).await?;
        let is_ended = db::browser_sessions::delete_of_user(&mut tx, user, id).await?;
        if is_ended {
            tx.commit(Note::of(Act::SessionRevoked, user)).await?;
        } else {
            tx.roll_back();
        }
        self.ask_viewers_where(is_ended, caller).await;
        Ok(())
    }

    /// As [`Service::end_session`], of a session token.
    ///
    /// # Errors
    /// As [`Service::open_account`].
    pub async fn end_session_token(&self, caller: &Caller, hash: &str) -> Result<()> {
        let user = own(caller)?;
        let mut tx = self.write_own(caller).await?;
        let is_ended = db::session_tokens::delete_of_user(&mut tx, user, hash).await?;
        if is_ended {
            tx.commit(Note::of(Act::SessionTokenRevoked, user)).await?;
        } else {
            tx.roll_back();
        }
        self.ask_viewers_where(is_ended, caller).await;
        Ok(())
    }

    /// Ends all that is open of the caller's but one browser session, and forgets all browsers of theirs but the one whose cookie has the secret `browser`.
    ///
    /// # Errors
    /// As [`Service::open_account`].
    pub async fn end_other_sessions(&self, caller: &Caller, kept: Option<&str>, browser: Option<&str>) -> Result<()> {
        let user = own(caller)?;
        let mut tx = self.write_own(caller).await?;
        let known = browser.map(digest);
        let Ended { sessions, tokens, browsers } = users::end_others(&mut tx, user, kept, known.as_deref()).await?;
        if sessions + tokens + browsers > 0 {
            let ended = format!("{sessions} of browsers, {tokens} of programs");
            tx.commit(Note::of(Act::OtherSessionsRevoked, user).saying(ended)).await?;
        } else {
            tx.roll_back();
        }
        tracing::info!(%user, sessions, tokens, "ended all other sessions");
        self.ask_viewers_where(sessions + tokens > 0, caller).await;
        Ok(())
    }

    /// Where nothing ended nobody is asked: else whoever has signed in has all of the organisation's viewers asked again as often as they like.
    async fn ask_viewers_where(&self, is_ended: bool, caller: &Caller) {
        if is_ended {
            self.ask_viewers_of(caller.organisation).await;
        }
    }

    /// Whether who calls, perhaps at a browser that was left open, knows the password of whose browser it is: asked for before what opens or closes a way into their
    /// account.
    ///
    /// # Errors
    /// As [`Service::open_account`].
    pub async fn confirm(&self, caller: &Caller, password: &str) -> Result<Confirmed> {
        let (id, now) = (own(caller)?, self.clock.now());
        let user = db::users::by_id(&mut self.db.read_briefly().await?, id).await?.ok_or(Refusal::BadCredentials)?;
        if !user.has_password() {
            return Ok(Confirmed::NoPassword);
        }
        if let Err(retry_after_s) = self.sign_in_limits.confirming.attempt(&id, now) {
            return Ok(Confirmed::TooManyAttempts { retry_after_s });
        }
        // Not looked at is not guessed.
        let not_looked_at = |_: &Error| self.sign_in_limits.confirming.give_back(&id);
        if !self.passwords.verify(password, Some(&user.password_hash), Asking::Known).await.inspect_err(not_looked_at)? {
            self.note(caller.organisation, (who(caller.identity), caller.from), Note::of(Act::PasswordRefused, id));
            return Ok(Confirmed::WrongPassword);
        }
        self.sign_in_limits.confirming.forgive(&id);
        Ok(Confirmed::Yes(user))
    }

    /// Changes the caller's own password, and ends all that is open but the browser session that is `kept`. Who does not know the present one is slowed as who
    /// signs in is, and counted apart from them: a browser that was left open gives no password away, and shuts nobody out.
    ///
    /// # Errors
    /// As [`Service::open_account`].
    pub async fn change_password(
        &self,
        caller: &Caller,
        present: &str,
        password: &str,
        kept: Option<&str>,
    ) -> Result<PasswordChange> {
        let id = own(caller)?;
        let user = match self.confirm(caller, present).await? {
            Confirmed::Yes(user) => user,
            Confirmed::WrongPassword | Confirmed::NoPassword => return Ok(PasswordChange::WrongPassword),
            Confirmed::TooManyAttempts { retry_after_s } => return Ok(PasswordChange::TooManyAttempts { retry_after_s }),
        };
        let password_hash = match self.hash_for(&user, password).await {
            Ok(hash) => hash,
            Err(NotTaken::Weak(weakness)) => return Ok(PasswordChange::Weak(weakness)),
            Err(NotTaken::Failed(error)) => return Err(error),
        };
        let mut tx = self.write_own(caller).await?;
        db::organisations::hold(&mut tx, user.organisation).await?;
        if !users::set_password(&mut tx, &user, &password_hash, kept).await? {
            tx.roll_back();
            return Ok(PasswordChange::WrongPassword);
        }
        tx.commit(Note::of(Act::PasswordChanged, id)).await?;
        self.ask_viewers_of(user.organisation).await;
        tracing::info!(user = %id, "changed the own password");
        Ok(PasswordChange::Done(User { password_hash, ..user }))
    }
}

fn as_caller(user: User, session: Option<[u8; 32]>) -> (Caller, User) {
    let (organisation, role, identity) = (user.organisation, user.role, Identity::User(user.id));
    (Caller { organisation, role, identity, from: None, let_in_by: session }, user)
}

/// Whose account it is. Programs have none: with a stolen token nobody ends its owner's sessions.
pub(super) fn own(caller: &Caller) -> Result<UserId, Refusal> {
    match caller.identity {
        Identity::User(id) => Ok(id),
        Identity::Token(_) | Identity::Key(_) | Identity::Operator => Err(Refusal::BadCredentials),
    }
}

/// Who has signed in with a session, by its data as `http/browser_session` wrote them; `None` where they are none of this version's.
pub(super) fn read(data: &str) -> Option<SignedIn> {
    let mut data: HashMap<String, Value> = serde_json::from_str(data).ok()?;
    serde_json::from_value(data.remove(SIGNED_IN)?).ok()
}
