//! The transaction of a use case that changes something: who calls is asked once more when it is their turn, and it commits with a note of what was done, for the
//! audit log, or not at all. What is changed is the use case's.

use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{Act, Error as Refusal, OrganisationId, Permission, Role, UnixMillis, UserId, WhoKind};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use super::turns::OnlyPlace;
use super::{Caller, Identity, Result, Service, account};
use crate::audit::{Seen, Whose};
use crate::db;
use crate::db::audit::{NewEntry, Thing, Who};
use crate::db::users::{Admission, User};
use crate::db::{Db, Tx};
use crate::hexadecimal::hexadecimal;

/// Changes by callers at a time. On PostgreSQL all nodes wait for each other where lines of the audit log get their numbers: those who wait there must not have all
/// connections, which publishes need too.
pub(super) const CHANGES_AT_ONCE: usize = 4;
/// Who signs in takes none of those turns, which others' changes may have for long, but one of these: for the same reason there are few.
pub(super) const SIGN_INS_AT_ONCE: usize = 1;
/// Who has waited so long for their organisation's turn, and then one of all, is told to come back later.
const CHANGE_WAIT: Duration = Duration::from_secs(5);
/// The same for what is somebody's own, as their password is and what is open of theirs: longer than the changes that were there before, so that
/// whoever floods an organisation keeps no user from ending what was stolen of theirs.
const OWN_WAIT: Duration = Duration::from_secs(10);
/// The same for who administers, and for who has a link, which is good once: longer than everybody else who was there before, so that whoever floods
/// an organisation, also with what is their own, cannot keep them from ending it.
const ADMINISTER_WAIT: Duration = Duration::from_secs(15);

/// A transaction that is not committed without saying what it did. Dropped, it is rolled back, as [`Change::roll_back`] says aloud.
#[must_use]
pub(super) struct Change {
    tx: Tx,
    organisation: OrganisationId,
    who: Who,
    from: Option<IpAddr>,
    at: UnixMillis,
    turn: Turn,
}

/// Among what is changed at a time.
#[expect(dead_code, reason = "what is held is given back when it is dropped")]
enum Turn {
    Change(OnlyPlace),
    SignIn(OwnedSemaphorePermit),
    /// Of who waits for none.
    None,
}

/// What was done, on what.
pub(super) struct Note {
    act: Act,
    on: Option<Thing>,
    detail: Option<String>,
}

impl Note {
    pub(super) fn of(act: Act, on: impl Into<Thing>) -> Self {
        Self { act, on: Some(on.into()), detail: None }
    }

    /// With what programs and people should know of it; nothing of it is a secret.
    pub(super) fn saying(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()).filter(|detail| !detail.is_empty()), ..self }
    }
}

impl Deref for Change {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for Change {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}

impl Change {
    /// By whomever, for what is done without the service at hand.
    pub(super) async fn begin(
        db: &Db,
        at: UnixMillis,
        organisation: OrganisationId,
        who: Who,
        from: Option<IpAddr>,
    ) -> Result<Self> {
        Ok(Self { tx: db.write().await?, organisation, who, from, at, turn: Turn::None })
    }

    /// Makes it durable, along with the note.
    ///
    /// # Errors
    /// Where either fails; then nothing has happened.
    pub(super) async fn commit(mut self, note: Note) -> Result<()> {
        self.note(note);
        // Whoever hangs up gives their turn to nobody before it is over: each has one of the database's connections until then.
        Ok(self.tx.commit_holding(self.turn).await?)
    }

    /// Where more than one thing is done.
    pub(super) fn note(&mut self, note: Note) {
        self.note_in(self.organisation, (self.who.clone(), self.from), note);
    }

    /// In another organisation's log, as done by who that one may know.
    pub(super) fn note_in(&mut self, organisation: OrganisationId, by: (Who, Option<IpAddr>), Note { act, on, detail }: Note) {
        let (who, address) = by;
        self.tx.note(NewEntry { organisation, at: self.at, first_at: self.at, times: 1, act, who, address, on, detail });
    }

    /// Nothing is changed, and so nothing noted.
    pub(super) fn roll_back(self) {
        drop(self);
    }
}

impl Service {
    /// A transaction for who may do so. Who waits for their turn may have been given less by then, or have been removed, or what let them in has
    /// ended: what counts is what they may when it comes, and of those who administer an organisation only one has it at a time. So nobody who is let
    /// go, and no thief who is shut out, makes themselves or a friend a way back.
    ///
    /// # Errors
    /// `Denied`; `BadCredentials` for who is gone, whose session or session token has ended or is of another password or second factor, and for a key
    /// that was revoked or has expired; `TooMany` where their turn does not come soon.
    pub(super) async fn write_as(&self, caller: &Caller, permission: Permission) -> Result<Change> {
        // At once for who need not wait for that.
        caller.require(permission)?;
        let wait = if permission == Permission::Administer { ADMINISTER_WAIT } else { CHANGE_WAIT };
        let by = (caller.organisation, who(caller.identity), caller.from);
        let mut change = self.write_in_turn(caller.organisation, wait, by).await?;
        if permission == Permission::Administer {
            // SQLite has one that writes at a time anyway.
            db::organisations::hold(&mut change, caller.organisation).await?;
        }
        let role = role_now(&mut change, caller, self.clock.now()).await?;
        Caller { role, ..*caller }.require(permission)?;
        Ok(change)
    }

    /// A transaction of who changes what is their own, which takes no permission: whether they may is the use case's to find. What let them in is
    /// looked for once more, as [`Service::write_as`] does.
    ///
    /// # Errors
    /// `BadCredentials` and `TooMany` as [`Service::write_as`].
    pub(super) async fn write_own(&self, caller: &Caller) -> Result<Change> {
        let by = (caller.organisation, who(caller.identity), caller.from);
        let mut change = self.write_in_turn(caller.organisation, OWN_WAIT, by).await?;
        role_now(&mut change, caller, self.clock.now()).await?;
        Ok(change)
    }

    /// A transaction of somebody who is no caller yet but has a link, or is one by what this very transaction makes. Of one organisation there is one
    /// at a time: whoever has a thousand running keeps nobody of another waiting.
    ///
    /// # Errors
    /// `TooMany` where their turn does not come soon.
    pub(super) async fn write_by(&self, organisation: OrganisationId, who: Who, from: Option<IpAddr>) -> Result<Change> {
        self.write_in_turn(organisation, ADMINISTER_WAIT, (organisation, who, from)).await
    }

    /// A transaction of who administers the installation, on an organisation: in the turn of their own one, whatever goes on in that. Who calls is
    /// asked once more by the use case, when it holds what it must.
    ///
    /// # Errors
    /// As [`Service::write_by`].
    pub(super) async fn write_from_above(&self, caller: &Caller, on: (OrganisationId, Who, Option<IpAddr>)) -> Result<Change> {
        self.write_in_turn(caller.organisation, ADMINISTER_WAIT, on).await
    }

    async fn write_in_turn(
        &self,
        turn_of: OrganisationId,
        wait: Duration,
        (organisation, who, from): (OrganisationId, Who, Option<IpAddr>),
    ) -> Result<Change> {
        let turn = Turn::Change(self.changes.take(turn_of, wait).await?);
        let change = Change::begin(&self.db, self.clock.now(), organisation, who, from).await?;
        Ok(Change { turn, ..change })
    }

    /// A transaction of who signs in with a right credential: no caller's changes are waited for, whoseever they are.
    pub(super) async fn write_sign_in(&self, user: &User, from: IpAddr) -> Result<Change> {
        // Never closed.
        let turn = Arc::clone(&self.sign_ins).acquire_owned().await.map_or(Turn::None, Turn::SignIn);
        let change = Change::begin(&self.db, self.clock.now(), user.organisation, self::user(user.id), Some(from)).await?;
        Ok(Change { turn, ..change })
    }

    /// A transaction of which the audit log hears nothing: of what nobody asked for, such as when a key was last used.
    pub(super) async fn write_unnoted(&self) -> db::Result<Tx> {
        self.db.write().await
    }

    /// Notes something for the audit log that is no change, or none that must not happen without its note: some time soon, and nobody waits for it.
    pub(super) fn note(&self, organisation: OrganisationId, by: (Who, Option<IpAddr>), Note { act, on, detail }: Note) {
        let (who, from) = by;
        self.audit.note(Seen { whose: Whose::Organisation(organisation), at: self.clock.now(), act, who, from, on, detail });
    }
}

/// A caller as the audit log has them.
pub(super) fn who(identity: Identity) -> Who {
    match identity {
        Identity::User(id) => Who::new(WhoKind::User, id),
        Identity::Token(id) => Who::new(WhoKind::SessionToken, id),
        Identity::Key(id) => Who::new(WhoKind::Key, id),
        Identity::Operator => Who::nobody(WhoKind::Operator),
    }
}

/// A user, by whatever they are known.
pub(super) fn user(id: UserId) -> Who {
    who(Identity::User(id))
}

/// What differs between two states of the same settings, in words: `live_public: true → false; …`. Nothing of them may be a secret.
pub(super) fn difference(before: &impl Serialize, after: &impl Serialize) -> String {
    let (Ok(Value::Object(before)), Ok(Value::Object(after))) = (serde_json::to_value(before), serde_json::to_value(after))
    else {
        return String::new();
    };
    let changed = after.iter().filter_map(|(name, after)| {
        let before = before.get(name).unwrap_or(&Value::Null);
        (before != after).then(|| format!("{name}: {} → {}", plain(before), plain(after)))
    });
    changed.collect::<Vec<_>>().join("; ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "the server's".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What the caller is by now, and no more than their credential gave them.
///
/// # Errors
/// `BadCredentials` for who is nobody any more, or is let in no more by what let them in.
pub(super) async fn role_now(tx: &mut Tx, caller: &Caller, now: UnixMillis) -> Result<Role> {
    let role = match caller.identity {
        Identity::User(id) | Identity::Token(id) => {
            let user = db::users::admission(tx, id).await?.and_then(Admission::unless_suspended);
            let user = user.filter(|user| user.organisation == caller.organisation);
            let is_in = match &user {
                Some(user) => is_let_in(tx, caller, user, now).await?,
                None => false,
            };
            user.filter(|_| is_in).map(|user| user.role)
        }
        Identity::Key(id) => db::api_keys::role(tx, caller.organisation, id, now).await?,
        Identity::Operator => Some(caller.role),
    };
    Ok(role.ok_or(Refusal::BadCredentials)?.min(caller.role))
}

/// Whether the browser session or session token that let the user in is there still, and was begun with what signs them in by now.
async fn is_let_in(tx: &mut Tx, caller: &Caller, user: &User, now: UnixMillis) -> Result<bool> {
    let Some(row) = caller.let_in_by.map(|hash| hexadecimal(&hash)) else { return Ok(true) };
    if let Identity::Token(_) = caller.identity {
        let token = db::session_tokens::by_hash(tx, &row, now).await?;
        return Ok(token.is_some_and(|token| token.user == user.id && token.password_digest == user.credentials_digest()));
    }
    let session = db::browser_sessions::load(tx, &row, now).await?;
    Ok(session.and_then(|(data, _)| account::read(&data)).is_some_and(|signed_in| signed_in.is_good_for(user)))
}

#[cfg(test)]
mod tests {
    use afterlive_domain::organisation::{RecordingSettings, Settings};

    use afterlive_domain::Role;
    use futures::FutureExt as _;
    use futures::future::join_all;
    use serde_json::json;
    use tokio::time::timeout;
    use uuid::Uuid;

    use super::super::fixture::a_service;
    use super::super::system::new_organisation;
    use super::super::users::user;
    use super::super::{Error, SignedIn};
    use super::*;
    use crate::db::browser_sessions::Written;
    use crate::db::session_tokens::SessionToken;

    #[tokio::test]
    async fn one_organisations_changes_keep_neither_others_waiting_nor_who_signs_in() {
        let folder = tempfile::tempdir().unwrap();
        let service = a_service(&folder).await;
        let organisation = |n| OrganisationId(Uuid::from_u128(n));
        let change = |n| service.write_by(organisation(n), Who::nobody(WhoKind::Operator), None).boxed();
        let first = change(1).await.unwrap();
        let mut waiting: Vec<_> = (0..1_000).map(|_| change(1)).collect();
        for waits in &mut waiting {
            assert!(waits.now_or_never().is_none());
        }
        // The others' turns, while the first has the one connection that writes.
        let take = |n| service.changes.take(organisation(n), Duration::from_secs(60));
        let mut others: Vec<_> = (2..=4).map(|n| take(n).now_or_never().expect("their turn is free").unwrap()).collect();
        first.roll_back();
        others.push(take(5).now_or_never().expect("the last of all").unwrap());
        let ada = user(organisation(1), "ada@example.com".to_owned(), String::new(), Role::User, service.clock.now());
        let signing_in = timeout(Duration::from_secs(20), service.write_sign_in(&ada, IpAddr::from([192, 0, 2, 1]))).await;
        signing_in.expect("no turn is waited for").unwrap().roll_back();
        drop((others, waiting));
    }

    /// Of an organisation of their own.
    async fn a_user(service: &Service, role: Role) -> User {
        let now = service.clock.now();
        let organisation = new_organisation("Chapel".to_owned(), now);
        let ada = user(organisation.id, "ada@example.com".to_owned(), "$argon2id$x".to_owned(), role, now);
        let mut tx = service.db.write().await.unwrap();
        db::organisations::insert(&mut tx, &organisation).await.unwrap();
        db::users::insert(&mut tx, &ada).await.unwrap();
        tx.commit().await.unwrap();
        ada
    }

    #[tokio::test]
    async fn what_let_somebody_in_is_looked_for_once_more_when_their_turn_has_come() {
        let folder = tempfile::tempdir().unwrap();
        let service = a_service(&folder).await;
        let ada = a_user(&service, Role::Admin).await;
        let (now, session, token) = (service.clock.now(), [7_u8; 32], [8_u8; 32]);
        let expires_at = now.plus_ms(60_000);
        let data = json!({ "signed_in": SignedIn::new(&ada, now, [192, 0, 2, 1].into(), "Browser") }).to_string();
        let id = hexadecimal(&session);
        let row = Written { id: &id, data: &data, user: Some(ada.id), used_at: now, expires_at };
        let password_digest = ada.credentials_digest();
        let of_token = SessionToken { user: ada.id, role: ada.role, password_digest, created_at: now, expires_at };
        let mut tx = service.db.write().await.unwrap();
        assert!(db::browser_sessions::insert(&mut tx, row, 100).await.unwrap());
        assert!(db::session_tokens::add(&mut tx, &of_token, &hexadecimal(&token), 100).await.unwrap());
        tx.commit().await.unwrap();

        let operator = Caller::operator(ada.organisation);
        let signed_in = Caller { identity: Identity::User(ada.id), let_in_by: Some(session), ..operator };
        let program = Caller { identity: Identity::Token(ada.id), let_in_by: Some(token), ..signed_in };
        let changes = || {
            [
                service.write_as(&signed_in, Permission::Administer).boxed(),
                service.write_as(&program, Permission::Administer).boxed(),
                service.write_own(&signed_in).boxed(),
            ]
        };
        for change in changes() {
            change.await.unwrap().roll_back();
        }
        let slow = service.changes.take(ada.organisation, CHANGE_WAIT).await.unwrap();
        let mut waiting = changes();
        for waits in &mut waiting {
            assert!(waits.now_or_never().is_none());
        }
        let mut tx = service.db.write().await.unwrap();
        assert!(db::users::set_password(&mut tx, ada.id, &ada.password_hash, "$argon2id$y").await.unwrap());
        tx.commit().await.unwrap();
        drop(slow);
        for waits in waiting {
            assert!(matches!(waits.await, Err(Error::Refused(Refusal::BadCredentials))));
        }
    }

    #[tokio::test]
    async fn who_ends_what_is_open_of_theirs_gets_through_a_flood_of_their_organisation() {
        let folder = tempfile::tempdir().unwrap();
        let service = a_service(&folder).await;
        let ada = a_user(&service, Role::User).await;
        let caller = Caller { identity: Identity::User(ada.id), role: ada.role, ..Caller::operator(ada.organisation) };
        let slow = service.changes.take(ada.organisation, CHANGE_WAIT).await.unwrap();
        let change = || service.write_as(&caller, Permission::EditStreams).boxed();
        let mut flood: Vec<_> = (0..10).map(|_| change()).collect();
        for waits in &mut flood {
            assert!(waits.now_or_never().is_none());
        }
        let mut own = service.end_other_sessions(&caller, None, None).boxed();
        assert!((&mut own).now_or_never().is_none());
        // When these have waited long enough, so would what is their own, which came before.
        flood.extend((0..10).map(|_| change()));
        for outcome in join_all(flood).await {
            assert!(matches!(outcome, Err(Error::Refused(Refusal::TooMany { .. }))));
        }
        assert!((&mut own).now_or_never().is_none(), "it waits for longer");
        drop(slow);
        own.await.unwrap();
    }

    #[test]
    fn what_settings_differ_in_is_told_and_nothing_else() {
        let before = Settings::default();
        assert_eq!(difference(&before, &before), "");
        assert_eq!(difference(&before, &Settings { live_public: false, ..before }), "live_public: true → false");
        let rules = RecordingSettings { max_bytes: Some(0), ..RecordingSettings::default() };
        assert_eq!(difference(&RecordingSettings::default(), &rules), "max_bytes: the server's → 0");
    }
}
