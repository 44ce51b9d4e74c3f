//! Above the organisations: who administers the installation sees that they are there and how large, makes, renames, suspends and resumes them, and says who else
//! does so. Nothing here shows or changes a stream, a recording, a key or a log: in all else a system administrator is a user of their own organisation like others.

use afterlive_domain::organisation::{RecordingSettings, Settings};
use afterlive_domain::{
    Act, EmbedDomains, Error as Refusal, OrganisationHash, OrganisationId, Role, StreamId, UnixMillis, UserId, WhoKind,
};
use uuid::Uuid;

use super::account_links::{self, draw, thing};
use super::organisations::named;
use super::session_tokens::digest;
use super::write::{Change, Note, difference, role_now, who};
use super::{Caller, Identity, Result, Service, text, users};
use crate::db::audit::Who;
use crate::db::invitations::Invitation;
use crate::db::link_mails::Fate;
use crate::db::organisations::Organisation;
use crate::db::system::{self, Administrator, Figures};
use crate::db::users::{Admission, User};
use crate::db::{self, Tx};
use crate::publish_key::PublishKeys;
use crate::random;

/// Organisations on a page.
pub const ORGANISATIONS_A_PAGE: u32 = 50;

/// An organisation as it is listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    pub organisation: Organisation,
    pub figures: Figures,
}

/// A page of the organisations, by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installation {
    pub organisations: Vec<Listed>,
    /// How many there are on all pages.
    pub total: u64,
    pub administrators: Vec<Administrator>,
}

/// One organisation, from above.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tenant {
    pub listed: Listed,
    /// Of its users those who administer it.
    pub administrators: Vec<User>,
    /// Who may become one.
    pub invited: Vec<Invitation>,
}

/// An organisation that was just made, and the link by which its first administrator comes in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Created {
    pub organisation: Organisation,
    pub link: String,
}

impl Service {
    /// # Errors
    /// `NotSystemAdministrator` for all others, and for programs whoever they are of.
    pub async fn require_system(&self, caller: &Caller) -> Result<()> {
        require(&mut self.db.read().await?, caller).await
    }

    /// The organisations of that page, counted from 1, and who administers the installation.
    ///
    /// # Errors
    /// As [`Service::require_system`].
    pub async fn installation(&self, caller: &Caller, page: u32) -> Result<Installation> {
        let mut connection = self.db.read().await?;
        require(&mut connection, caller).await?;
        let offset = u64::from(page.saturating_sub(1)) * u64::from(ORGANISATIONS_A_PAGE);
        let organisations = db::organisations::page(&mut connection, ORGANISATIONS_A_PAGE, offset).await?;
        let ids: Vec<OrganisationId> = organisations.iter().map(|organisation| organisation.id).collect();
        let mut figures = system::figures(&mut connection, &ids).await?;
        let listed = |organisation: Organisation| {
            let figures = figures.remove(&organisation.id).unwrap_or_default();
            Listed { organisation, figures }
        };
        Ok(Installation {
            organisations: organisations.into_iter().map(listed).collect(),
            total: db::organisations::count(&mut connection).await?,
            administrators: system::administrators(&mut connection).await?,
        })
    }

    /// # Errors
    /// As [`Service::require_system`]; `NoSuchOrganisation`.
    pub async fn tenant(&self, caller: &Caller, id: OrganisationId) -> Result<Tenant> {
        let mut connection = self.db.read().await?;
        require(&mut connection, caller).await?;
        let organisation = organisation(&mut connection, id).await?;
        let figures = system::figures(&mut connection, &[id]).await?.remove(&id).unwrap_or_default();
        let users = db::users::list(&mut connection, id).await?;
        let invited = db::invitations::list(&mut connection, id, self.clock.now()).await?;
        Ok(Tenant {
            listed: Listed { organisation, figures },
            administrators: users.into_iter().filter(|user| user.role == Role::Admin).collect(),
            invited: invited.into_iter().filter(|invitation| invitation.role == Role::Admin).collect(),
        })
    }

    /// The organisation of that hash, for the operator.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn organisation_of_hash(&self, hash: &OrganisationHash) -> Result<Option<OrganisationId>> {
        let found = db::organisations::by_hash(&mut self.db.read().await?, hash).await?;
        Ok(found.map(|organisation| organisation.id))
    }

    /// Makes an organisation together with the invitation of its first administrator.
    ///
    /// # Errors
    /// As [`Service::require_system`]; for `name` where it is empty or too long; for `email` where it is none, or a user's of any organisation.
    pub async fn create_organisation(&self, caller: Option<&Caller>, name: &str, email: &str) -> Result<Created> {
        let now = self.clock.now();
        let organisation = new_organisation(text::name("name", name)?, now);
        let id = organisation.id;
        let caller = caller.copied().unwrap_or_else(|| Caller::operator(id));
        let invitation = account_links::new_invitation(&caller, id, text::email(email)?, Role::Admin, now);
        // At once for who may not.
        self.require_system(&caller).await?;
        let mut tx = self.begin_system(&caller, id).await?;
        not_a_user(&mut tx, &invitation.email).await?;
        db::organisations::insert(&mut tx, &organisation).await?;
        let (secret, hash) = draw();
        db::invitations::put(&mut tx, &invitation, &hash).await?;
        let mail = self.plan_mail(&mut tx, id, hash, invitation.expires_at).await?;
        tx.note(Note::of(Act::OrganisationCreated, id));
        let invited = || Note::of(Act::UserInvited, thing(&invitation)).saying(format!("as {}", Role::Admin));
        commit(tx, &caller, id, invited(), Note::of(Act::OrganisationCreated, id)).await?;
        tracing::info!(organisation = %id, by = %caller.identity, "created an organisation");
        let link = self.send_invitation(&invitation, &secret, mail).await;
        Ok(Created { organisation, link })
    }

    /// The link by which somebody becomes an administrator of an organisation that has none. One that has some invites for itself: else who administers the
    /// installation would let themselves in.
    ///
    /// # Errors
    /// As [`Service::tenant`]; `WrongState` where it has an administrator; for `email` as [`Service::create_organisation`].
    pub async fn invite_administrator(&self, caller: &Caller, id: OrganisationId, email: &str) -> Result<String> {
        self.require_system(caller).await?;
        let now = self.clock.now();
        let invitation = account_links::new_invitation(caller, id, text::email(email)?, Role::Admin, now);
        let mut tx = self.begin_system(caller, id).await?;
        organisation(&mut tx, id).await?;
        if db::users::count(&mut tx, id, Some(Role::Admin)).await? > 0 {
            return Err(Refusal::WrongState { state: "administered by somebody already".to_owned() }.into());
        }
        not_a_user(&mut tx, &invitation.email).await?;
        users::find_place(&mut tx, id, &invitation.email, now).await?;
        let (secret, hash) = draw();
        // One from outside at a time: who was invited by a mistyped address, or by who administers the installation for themselves, must not come in behind the right one.
        db::invitations::delete_of_role(&mut tx, id, Role::Admin).await?;
        db::invitations::put(&mut tx, &invitation, &hash).await?;
        let mail = self.plan_mail(&mut tx, id, hash, invitation.expires_at).await?;
        let note = Note::of(Act::UserInvited, thing(&invitation)).saying(format!("as {}", Role::Admin));
        commit(tx, caller, id, note, Note::of(Act::UserInvited, id).saying(format!("as {}", Role::Admin))).await?;
        tracing::info!(organisation = %id, by = %caller.identity, "invited an administrator of an organisation");
        Ok(self.send_invitation(&invitation, &secret, mail).await)
    }

    /// What became of the mail with an invitation of any organisation, of which `secret` is the last part: who knows that has made it.
    ///
    /// # Errors
    /// As [`Service::require_system`].
    pub async fn system_mail_fate(&self, caller: &Caller, secret: &str) -> Result<Option<Fate>> {
        self.require_system(caller).await?;
        let hash = digest(secret);
        let found = db::invitations::by_secret_hash(&mut self.db.read().await?, &hash, self.clock.now()).await?;
        match found {
            Some(invitation) => self.fate_of(invitation.organisation, &hash).await,
            None => Ok(None),
        }
    }

    /// # Errors
    /// As [`Service::tenant`]; for `name` where it is empty or too long.
    pub async fn rename_organisation(&self, caller: &Caller, id: OrganisationId, name: &str) -> Result<()> {
        let name = text::name("name", name)?;
        self.require_system(caller).await?;
        let mut tx = self.begin_system(caller, id).await?;
        let before = organisation(&mut tx, id).await?.name;
        if before == name {
            tx.roll_back();
            return Ok(());
        }
        db::organisations::rename(&mut tx, id, &name, self.clock.now()).await?;
        let note = || Note::of(Act::OrganisationChanged, id).saying(difference(&named(&before), &named(&name)));
        commit(tx, caller, id, note(), note()).await
    }

    /// From the next request on nobody of it is let in, on every node: neither people nor programs, encoders nor viewers. What is on air ends as when the encoder
    /// leaves, and its recordings are finished. Nothing is deleted. A second time changes nothing.
    ///
    /// # Errors
    /// As [`Service::tenant`]; `WrongState` for the caller's own; `LastSystemAdministrator` where nobody who can sign in would administer the installation.
    pub async fn suspend_organisation(&self, caller: &Caller, id: OrganisationId) -> Result<()> {
        self.require_system(caller).await?;
        if caller.identity != Identity::Operator && caller.organisation == id {
            return Err(Refusal::WrongState { state: "your own organisation".to_owned() }.into());
        }
        let (mut tx, now) = (self.begin_system(caller, id).await?, self.clock.now());
        let hash = organisation(&mut tx, id).await?.hash;
        if system::count_others(&mut tx, None, None).await? > 0 && system::count_others(&mut tx, None, Some(id)).await? == 0 {
            return Err(Refusal::LastSystemAdministrator.into());
        }
        if db::organisations::suspend(&mut tx, id, Some(now), now).await? {
            let note = || Note::of(Act::OrganisationSuspended, id);
            commit(tx, caller, id, note(), note()).await?;
            tracing::info!(organisation = %id, by = %caller.identity, "suspended an organisation");
        } else {
            tx.roll_back();
        }
        self.forget_policy(&hash);
        self.end_publishes_of_suspended().await;
        Ok(())
    }

    /// All is as it was before. A second time changes nothing.
    ///
    /// # Errors
    /// As [`Service::tenant`].
    pub async fn resume_organisation(&self, caller: &Caller, id: OrganisationId) -> Result<()> {
        self.require_system(caller).await?;
        let mut tx = self.begin_system(caller, id).await?;
        let hash = organisation(&mut tx, id).await?.hash;
        if db::organisations::suspend(&mut tx, id, None, self.clock.now()).await? {
            let note = || Note::of(Act::OrganisationResumed, id);
            commit(tx, caller, id, note(), note()).await?;
            tracing::info!(organisation = %id, by = %caller.identity, "resumed an organisation");
        } else {
            tx.roll_back();
        }
        self.forget_policy(&hash);
        Ok(())
    }

    /// Makes who has that address a system administrator, from their next request on.
    ///
    /// # Errors
    /// As [`Service::require_system`]; for `email` where it is no user's.
    pub async fn give_system_role(&self, caller: Option<&Caller>, email: &str) -> Result<UserId> {
        if let Some(caller) = caller {
            self.require_system(caller).await?;
        }
        let user = self.user_called(email).await?;
        self.set_system_role(caller, &user, true).await?;
        Ok(user.id)
    }

    /// From their next request on they are one no more, and the links end that they made for other organisations.
    ///
    /// # Errors
    /// As [`Service::require_system`]; `NoSuchUser`; `LastSystemAdministrator`.
    pub async fn take_system_role(&self, caller: &Caller, id: UserId) -> Result<()> {
        self.require_system(caller).await?;
        let found = db::users::by_id(&mut self.db.read().await?, id).await?;
        let user = found.filter(|user| user.system_administrator).ok_or(Refusal::NoSuchUser { user: id })?;
        self.set_system_role(Some(caller), &user, false).await
    }

    /// As [`Service::take_system_role`], by the operator at the server's terminal.
    ///
    /// # Errors
    /// For `email` where it is no user's; `LastSystemAdministrator`.
    pub async fn operator_takes_system_role(&self, email: &str) -> Result<()> {
        let user = self.user_called(email).await?;
        self.set_system_role(None, &user, false).await
    }

    async fn user_called(&self, email: &str) -> Result<User> {
        let found = users::by_typed_email(&mut self.db.read().await?, email).await?;
        let expected = "the e-mail address of somebody who is a user already".to_owned();
        Ok(found.ok_or_else(|| Refusal::WrongType { parameter: "email".to_owned(), expected })?)
    }

    /// Without a caller by the operator.
    async fn set_system_role(&self, caller: Option<&Caller>, user: &User, is_one: bool) -> Result<()> {
        let (id, organisation) = (user.id, user.organisation);
        let caller = caller.copied().unwrap_or_else(|| Caller::operator(organisation));
        let mut tx = self.begin_system(&caller, organisation).await?;
        if users::of_organisation(&mut tx, organisation, id).await?.system_administrator == is_one {
            tx.roll_back();
            return Ok(());
        }
        if !is_one && system::count_others(&mut tx, Some(id), None).await? == 0 {
            return Err(Refusal::LastSystemAdministrator.into());
        }
        system::set_administrator(&mut tx, id, is_one).await?;
        if is_one {
            // Of one that was made for less, who has it would be one too.
            db::password_links::delete_of(&mut tx, id).await?;
        } else {
            db::invitations::delete_by_elsewhere(&mut tx, id, organisation).await?;
            // Some may be for those who still are what they were.
            db::password_links::delete_by(&mut tx, id).await?;
        }
        let act = if is_one { Act::SystemRoleGiven } else { Act::SystemRoleTaken };
        // Who of another organisation it is, that one's log says.
        let own = Note::of(act, organisation).saying(format!("user {id}"));
        commit(tx, &caller, organisation, Note::of(act, id), own).await?;
        tracing::info!(user = %id, is_one, by = %caller.identity, "said who administers the installation");
        Ok(())
    }

    /// A transaction on that organisation, while which nobody else changes it or who administers the installation. Who waited for it is asked once more.
    async fn begin_system(&self, caller: &Caller, id: OrganisationId) -> Result<Change> {
        let from = caller.from.filter(|_| caller.organisation == id);
        let mut tx = self.write_from_above(caller, (id, by(caller, id), from)).await?;
        db::organisations::hold(&mut tx, id).await?;
        system::hold_administrators(&mut tx).await?;
        role_now(&mut tx, caller, self.clock.now()).await?;
        require(&mut tx, caller).await?;
        Ok(tx)
    }

    /// Ends what this process has on air of organisations that are suspended, by whichever process that was done. What cannot be found out now is asked again soon.
    pub async fn end_publishes_of_suspended(&self) {
        let live = self.hub.live_streams();
        if live.is_empty() {
            return;
        }
        let asking = async { system::on_air_of_suspended(&mut self.db.read().await?).await };
        let suspended: db::Result<Vec<StreamId>> = asking.await;
        match suspended {
            Ok(suspended) => {
                for stream in suspended.into_iter().filter(|stream| live.contains(stream)) {
                    tracing::info!(%stream, "ends a publish of an organisation that is suspended");
                    self.hub.stop(stream);
                }
            }
            Err(cause) => tracing::warn!(%cause, "what is on air of suspended organisations cannot be found out yet"),
        }
    }
}

/// As the organisation's log knows them. A system administrator of another one is no more than an id to it: their address and where they are stand in the log of
/// their own.
fn by(caller: &Caller, organisation: OrganisationId) -> Who {
    match caller.identity {
        Identity::User(id) if caller.organisation != organisation => Who::new(WhoKind::SystemAdministrator, id),
        identity => who(identity),
    }
}

/// With a note in that organisation's log, and where that is not the caller's own with one in that too.
async fn commit(mut tx: Change, caller: &Caller, organisation: OrganisationId, note: Note, own: Note) -> Result<()> {
    if caller.organisation != organisation {
        tx.note_in(caller.organisation, (who(caller.identity), caller.from), own);
    }
    tx.commit(note).await
}

async fn require(connection: &mut db::Connection, caller: &Caller) -> Result<()> {
    let id = match caller.identity {
        Identity::Operator => return Ok(()),
        Identity::User(id) => id,
        // Nothing that a program holds is worth that much.
        Identity::Token(_) | Identity::Key(_) => return Err(Refusal::NotSystemAdministrator.into()),
    };
    let user = db::users::admission(connection, id).await?.and_then(Admission::unless_suspended);
    let user = user.ok_or(Refusal::BadCredentials)?;
    if user.system_administrator { Ok(()) } else { Err(Refusal::NotSystemAdministrator.into()) }
}

/// That who makes a link for a system administrator's password, or takes their second factor away, is one too, or stands at the terminal: else whoever administers
/// that one's organisation would be one by a link.
///
/// # Errors
/// `NotSystemAdministrator`.
pub(super) async fn may_recover(tx: &mut Tx, caller: &Caller, user: &User) -> Result<()> {
    if user.system_administrator { require(tx, caller).await } else { Ok(()) }
}

/// That another one is left where the user is a system administrator. Holds it so until the transaction ends.
///
/// # Errors
/// `LastSystemAdministrator`.
pub(super) async fn may_go(tx: &mut Tx, user: &User) -> Result<()> {
    if !user.system_administrator {
        return Ok(());
    }
    system::hold_administrators(tx).await?;
    if system::count_others(tx, Some(user.id), None).await? == 0 {
        return Err(Refusal::LastSystemAdministrator.into());
    }
    Ok(())
}

async fn organisation(connection: &mut db::Connection, id: OrganisationId) -> Result<Organisation> {
    let found = db::organisations::by_id(connection, id).await?;
    Ok(found.ok_or(Refusal::NoSuchOrganisation { organisation: id })?)
}

/// An address is one user on the whole installation: an invitation for somebody's would open nothing.
async fn not_a_user(tx: &mut Tx, email: &str) -> Result<()> {
    match db::users::by_email(tx, email).await? {
        Some(_) => Err(Refusal::NotUnique { parameter: "email".to_owned() }.into()),
        None => Ok(()),
    }
}

/// With the settings of a new one, and a hash that is drawn.
pub(super) fn new_organisation(name: String, now: UnixMillis) -> Organisation {
    Organisation {
        id: OrganisationId(Uuid::new_v4()),
        hash: OrganisationHash::draw(random::below_62),
        name,
        settings: Settings::default(),
        recording: RecordingSettings::default(),
        embed_domains: EmbedDomains::default(),
        webhook: None,
        publish_keys: PublishKeys::Off,
        suspended_at: None,
        created_at: now,
        updated_at: now,
    }
}
