//! The first organisation and its first admin: by a link that is printed at the first start, or from the terminal.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use afterlive_domain::{Act, Role};
use subtle::ConstantTimeEq as _;

use super::api_keys::Opens;
use super::system::new_organisation;
use super::write::{self, Note};
use super::{Identity, NewApiKey, Result, Service, text};
use crate::db;
use crate::db::organisations::Organisation;
use crate::db::users::User;
use crate::hexadecimal::hexadecimal;
use crate::random;

/// What the first key is called.
const FIRST_KEY_LABEL: &str = "First key";

/// The secret of the set-up link. Only in memory: a restart makes a new one, and the old link is worth nothing.
#[derive(Default)]
pub(super) struct Token(Mutex<Option<String>>);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, token: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}

/// The first organisation and its first admin, as a person gives them.
#[derive(Clone, Copy)]
pub struct SetUpForm<'a> {
    pub organisation_name: &'a str,
    pub email: &'a str,
    pub password: &'a str,
}

/// What set-up made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FirstSteps {
    pub organisation: Organisation,
    pub user: User,
    /// Of role nanoAdmin; `None` where the caller asked for none.
    pub api_key: Option<NewApiKey>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetUp {
    Done(Box<FirstSteps>),
    /// The link is not the one printed at this start, or set-up has been done.
    WrongLink,
}

impl Service {
    /// Whether there is no organisation yet.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn needs_set_up(&self) -> Result<bool> {
        Ok(!db::organisations::any(&mut self.db.read().await?).await?)
    }

    /// Makes the link under which set-up can be done, where it has not been done. An earlier link is worth nothing then.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_up_link(&self) -> Result<Option<String>> {
        if !self.needs_set_up().await? {
            return Ok(None);
        }
        let token = hexadecimal(&random::secret_bytes());
        let link = format!("{}/setup?token={token}", self.config.http.public_url);
        self.set_up_token.set(Some(token));
        Ok(Some(link))
    }

    /// Sets up with the token of the link. Of two that race exactly one is `Done`.
    ///
    /// # Errors
    /// For the field that is wrong; the link can then be used again.
    pub async fn set_up_with_link(&self, token: &str, form: SetUpForm<'_>, from: Option<IpAddr>) -> Result<SetUp> {
        let right = self.set_up_token.get().is_some_and(|right| bool::from(right.as_bytes().ct_eq(token.as_bytes())));
        if !right {
            self.log_unknown_link("a link for set-up", from);
            return Ok(SetUp::WrongLink);
        }
        let outcome = self.set_up_by(form, false, from).await?;
        if outcome == SetUp::WrongLink {
            self.log_unknown_link("a link for set-up", from);
        }
        Ok(outcome)
    }

    /// Sets up without a link: for the operator at the terminal. `WrongLink` where it has been done before.
    ///
    /// # Errors
    /// For the field that is wrong.
    pub async fn set_up(&self, form: SetUpForm<'_>) -> Result<SetUp> {
        self.set_up_by(form, true, None).await
    }

    /// At the terminal with a key, and from nowhere.
    async fn set_up_by(&self, form: SetUpForm<'_>, with_key: bool, from: Option<IpAddr>) -> Result<SetUp> {
        let now = self.clock.now();
        let organisation = new_organisation(text::name("organisation", form.organisation_name)?, now);
        let user = self.new_user(organisation.id, &organisation.name, form.email, form.password, Role::Admin).await?;
        // By the link: who does it is signed in then.
        let user = User { last_sign_in_at: (!with_key).then_some(now), system_administrator: true, ..user };
        let api_key =
            with_key.then(|| NewApiKey::draw(organisation.id, FIRST_KEY_LABEL.to_owned(), Opens::Role(Role::Admin), now, None));
        let by = if with_key { write::who(Identity::Operator) } else { write::user(user.id) };
        let mut tx = self.write_by(organisation.id, by, from).await?;
        if !db::organisations::insert_first(&mut tx, &organisation).await? {
            tx.roll_back();
            return Ok(SetUp::WrongLink);
        }
        db::users::insert(&mut tx, &user).await?;
        if let Some(key) = &api_key {
            db::api_keys::insert(&mut tx, &key.row, &key.hash()).await?;
        }
        tx.commit(Note::of(Act::OrganisationSetUp, organisation.id)).await?;
        self.set_up_token.set(None);
        tracing::info!(organisation = %organisation.id, user = %user.id, "set up the first organisation");
        Ok(SetUp::Done(Box::new(FirstSteps { organisation, user, api_key })))
    }
}
