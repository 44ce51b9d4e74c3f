//! Users of an organisation: listed, given another role, removed. How they come in, and get a new password, is `account_links`'s.

use afterlive_domain::{Act, Error as Refusal, OrganisationId, Permission, Role, ThingKind, UnixMillis, UserId};
use url::Url;
use uuid::Uuid;

use super::passwords::NotTaken;
use super::write::Note;
use super::{Caller, Error, Identity, Result, Service, system, text};
use crate::db;
use crate::db::api_keys::ApiKey;
use crate::db::audit::Thing;
use crate::db::users::User;
use crate::db::{Connection, Tx};

/// A word that is tried first wherever it runs.
const PRODUCT: &str = "afterlive";
/// The most users of an organisation, with those who are invited.
pub const MAX_PEOPLE: u64 = 1_000;

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
    /// `Denied` for all but admins; for `email` where it is none or taken, for `password` where it is too short or guessable; `WrongState` where there are too many.
    pub async fn add_user(&self, caller: &Caller, email: &str, password: &str, role: Role) -> Result<User> {
        caller.require(Permission::Administer)?;
        let organisation = self.organisation(caller).await?;
        let user = self.new_user(organisation.id, &organisation.name, email, password, role).await?;
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        find_place(&mut tx, organisation.id, &user.email, self.clock.now()).await?;
        insert(&mut tx, &user).await?;
        tx.commit(Note::of(Act::UserAdded, user.id).saying(format!("as {role}"))).await?;
        tracing::info!(user = %user.id, %role, by = %caller.identity, "added a user");
        Ok(user)
    }

    /// Those of the caller's organisation, by their addresses.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn users(&self, caller: &Caller) -> Result<Vec<User>> {
        caller.require(Permission::Administer)?;
        Ok(db::users::list(&mut self.db.read().await?, caller.organisation).await?)
    }

    /// Gives a user another role, from their next request on. Who is no administrator any more has no links open that they made as one, and who becomes one no
    /// link for a password that was made for less.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchUser`; `LastAdmin` where nobody would be left to administer the organisation.
    pub async fn change_role(&self, caller: &Caller, id: UserId, role: Role) -> Result<()> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let user = of_organisation(&mut tx, caller.organisation, id).await?;
        if role == user.role {
            tx.roll_back();
            return Ok(());
        }
        if role != Role::Admin && administers_alone(&mut tx, &user).await? {
            return Err(Refusal::LastAdmin { user: id }.into());
        }
        db::users::set_role(&mut tx, id, role).await?;
        if role == Role::Admin {
            db::password_links::delete_of(&mut tx, id).await?;
        } else {
            db::invitations::delete_by(&mut tx, id).await?;
            db::password_links::delete_by(&mut tx, id).await?;
        }
        tx.commit(Note::of(Act::RoleChanged, id).saying(format!("{} → {role}", user.role))).await?;
        tracing::info!(user = %id, %role, by = %caller.identity, "gave a user another role");
        Ok(())
    }

    /// Removes a user: signed out everywhere with the next request, on every node, since each looks the user up; who watches with that sign-in is cut, and so is
    /// who watches by the address of a recording or a stream that a page of theirs had in it. What they
    /// made for others stays, apart from links to become a user or to set a password.
    ///
    /// # Errors
    /// As [`Service::change_role`]; `LastSystemAdministrator`.
    pub async fn remove_user(&self, caller: &Caller, id: UserId) -> Result<()> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let user = of_organisation(&mut tx, caller.organisation, id).await?;
        if administers_alone(&mut tx, &user).await? {
            return Err(Refusal::LastAdmin { user: id }.into());
        }
        system::may_go(&mut tx, &user).await?;
        db::invitations::delete_of(&mut tx, caller.organisation, &user.email).await?;
        self.end_passes(&mut tx, caller.organisation, id).await?;
        db::users::delete(&mut tx, id).await?;
        tx.commit(Note::of(Act::UserRemoved, Thing::new(ThingKind::User, id, user.email))).await?;
        self.ask_viewers_of(caller.organisation).await;
        tracing::info!(user = %id, by = %caller.identity, "removed a user");
        Ok(())
    }

    /// Somebody's sign-in is over: who watches with it is asked again. What ended it has happened, and is no failure where this fails: they are asked in some
    /// seconds anyway.
    pub(super) async fn ask_viewers_of(&self, organisation: OrganisationId) {
        let asking = async { db::organisations::by_id(&mut self.db.read().await?, organisation).await };
        match asking.await {
            Ok(found) => found.into_iter().for_each(|found| self.forget_policy(&found.hash)),
            Err(cause) => tracing::warn!(%organisation, %cause, "who watches could not be asked again at once"),
        }
    }

    /// Not in the database yet. `organisation_name` is no password.
    ///
    /// # Errors
    /// For `email` where it is none, for `password` where it is too short or guessable.
    pub(super) async fn new_user(
        &self,
        organisation: OrganisationId,
        organisation_name: &str,
        email: &str,
        password: &str,
        role: Role,
    ) -> Result<User, NotTaken> {
        let email = text::email(email).map_err(Error::from)?;
        let password_hash = self.hash_chosen(password, &email, organisation_name).await?;
        Ok(user(organisation, email, password_hash, role, self.clock.now()))
    }

    /// The hash of a password that somebody chose: none that is about them, the organisation, us, or where this server is.
    pub(super) async fn hash_chosen(&self, password: &str, email: &str, organisation_name: &str) -> Result<String, NotTaken> {
        let url = Url::parse(&self.config.http.public_url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        self.passwords.hash_chosen(password, &[email, organisation_name, PRODUCT, host]).await
    }
}

/// That there is a place for who has that address, be it the one of their invitation. Within a transaction of [`Service::write_as`] for who administers: of two
/// that take the last one only one may.
///
/// # Errors
/// `WrongState` where there are too many.
pub(super) async fn find_place(tx: &mut Tx, organisation: OrganisationId, email: &str, now: UnixMillis) -> Result<()> {
    let users = db::users::count(tx, organisation, None).await?;
    let invited = db::invitations::count_others(tx, organisation, email, now).await?;
    if users + invited >= MAX_PEOPLE {
        return Err(Refusal::WrongState { state: format!("{MAX_PEOPLE} users, which is the most") }.into());
    }
    Ok(())
}

/// Who has come in another way than by their invitation has none any more: it would outlive them.
///
/// # Errors
/// `NotUnique` where the e-mail address is taken.
pub(super) async fn insert(tx: &mut Tx, user: &User) -> Result<()> {
    db::invitations::delete_of(tx, user.organisation, &user.email).await?;
    match db::users::insert(tx, user).await {
        Err(error) if error.is_unique_violation() => Err(Refusal::NotUnique { parameter: "email".to_owned() }.into()),
        other => Ok(other?),
    }
}

/// Who has the address that somebody typed; also one that was taken before addresses were brought into the form of now, and so is another.
pub(super) async fn by_typed_email(connection: &mut Connection, typed: &str) -> Result<Option<User>> {
    let (now, before) = (text::email(typed), typed.trim().to_lowercase());
    if let Ok(email) = &now
        && let Some(user) = db::users::by_email(connection, email).await?
    {
        return Ok(Some(user));
    }
    // PostgreSQL takes no text with a zero in it, and no address ever had one.
    if now.as_ref() == Ok(&before) || before.contains(char::is_control) {
        return Ok(None);
    }
    Ok(db::users::by_email(connection, &before).await?)
}

/// One who is new, is not inserted yet, and has not signed in.
pub(super) fn user(
    organisation: OrganisationId,
    email: String,
    password_hash: String,
    role: Role,
    created_at: UnixMillis,
) -> User {
    User {
        id: UserId(Uuid::new_v4()),
        organisation,
        email,
        password_hash,
        role,
        created_at,
        last_sign_in_at: None,
        system_administrator: false,
        second_factor: None,
    }
}

/// # Errors
/// `NoSuchUser`, also where it is another organisation's.
pub(super) async fn of_organisation(tx: &mut Tx, organisation: OrganisationId, id: UserId) -> Result<User> {
    let user = db::users::by_id(tx, id).await?.filter(|user| user.organisation == organisation);
    Ok(user.ok_or(Refusal::NoSuchUser { user: id })?)
}

/// Whether the user is the organisation's last administrator. Stays true or false until the transaction ends, which is one of [`Service::write_as`] for who
/// administers: of two that would take away the last two only one may.
async fn administers_alone(tx: &mut Tx, user: &User) -> Result<bool> {
    Ok(user.role == Role::Admin && db::users::count(tx, user.organisation, Some(Role::Admin)).await? <= 1)
}

/// Sets a user's password, and ends whatever the one before opened: browser sessions but the one that is `kept`, session tokens, what was known of their browsers, a link for a new password, and
/// what lets somebody else in that was made with it: invitations, links for others' passwords, and the connection with the sign-in provider. False where the password has been changed meanwhile.
/// To be called while the organisation is held: what is made with the old password on another node meanwhile is there already, and ends, or comes
/// later, and is refused.
pub(super) async fn set_password(tx: &mut Tx, user: &User, password_hash: &str, kept: Option<&str>) -> Result<bool> {
    if !db::users::set_password(tx, user.id, &user.password_hash, password_hash).await? {
        return Ok(false);
    }
    end_others(tx, user.id, kept, None).await?;
    db::password_links::delete_of(tx, user.id).await?;
    db::password_links::delete_by(tx, user.id).await?;
    db::invitations::delete_by(tx, user.id).await?;
    // Of who had no password it was not made with one: they were invited, and joined by the provider.
    if user.has_password() {
        db::user_identities::delete_of(tx, user.id).await?;
    }
    Ok(true)
}

/// Whether what signs the user in is what it was; it stays so to the end of the transaction.
pub(super) async fn is_unchanged(tx: &mut Tx, user: &User) -> Result<bool> {
    if !db::users::hold(tx, user.id).await? {
        return Ok(false);
    }
    let now = db::users::by_id(tx, user.id).await?;
    Ok(now.is_some_and(|now| now.credentials_digest() == user.credentials_digest()))
}

/// What of a user's was ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ended {
    pub(super) sessions: u64,
    pub(super) tokens: u64,
    /// Browsers that were known, and are strangers' again.
    pub(super) browsers: u64,
}

/// Ends what is open of a user's but the browser session that is `kept`, and forgets the browsers that they have signed in with but the `known` one.
pub(super) async fn end_others(tx: &mut Tx, user: UserId, kept: Option<&str>, known: Option<&str>) -> Result<Ended> {
    let sessions = db::browser_sessions::delete_others(tx, user, kept).await?;
    let tokens = db::session_tokens::delete_all(tx, user).await?;
    let browsers = db::known_browsers::delete_others(tx, user, known).await?;
    Ok(Ended { sessions, tokens, browsers })
}
