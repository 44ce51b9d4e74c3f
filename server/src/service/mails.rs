//! Which mails go out: with an invitation, with a link for a new password, and to who has forgotten theirs. The link is made and shown as without mail; the letter
//! goes after the commit, from memory. What a letter says, and how it is sent, is `mail`'s.

use std::collections::HashMap;
use std::future::ready;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{Act, InvitationId, OrganisationId, Permission, UnixMillis, WhoKind};
use tokio::time::{Instant, timeout};

use super::account_links::draw;
use super::session_tokens::digest;
use super::sign_in::network;
use super::write::{Change, Note};
use super::{Caller, Result, Service, text, users};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::audit::Who;
use crate::db::link_mails::{self, Fate};
use crate::db::password_links::{self, Origin};
use crate::db::users::User;
use crate::db::{self, Db, Tx};
use crate::hush::Hush;
use crate::mail::{self, LOST_AFTER_MS, Letter, Link, Mailer, Posting};
use crate::rate_limit::RateLimit;

/// A link that somebody asked for at the sign-in is good for so long: to whom it was of use sits before the mailbox, and it may have been asked for by anybody.
const ASKED_LINK_MS: i64 = 3_600_000;
/// So long an answer waits for the first try to end.
const FATE_PATIENCE: Duration = Duration::from_secs(3);
/// Without news of this node's tries the database is looked at this often: the mail may be another node's.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What is longer is no address, and is not looked for.
const MAX_TYPED_BYTES: usize = 512;

/// What comes of asking for a link at the sign-in. None says whether there is such a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Where there is such a user, a mail is on its way.
    Taken,
    TooManyAttempts {
        retry_after_s: u32,
    },
    /// No mail server is set.
    NoMail,
}

/// How often who may ask, and how many mails an organisation may have sent.
#[derive(Debug)]
pub(super) struct Limits {
    /// By what was typed, whether it is anybody's or not.
    by_account: RateLimit<String>,
    by_address: RateLimit<IpAddr>,
    /// So that nobody who administers an organisation makes the operator's mail server one that is refused elsewhere.
    pub(super) by_organisation: RateLimit<OrganisationId>,
    too_many: Hush<Option<IpAddr>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            by_account: RateLimit::new(3, 600_000),
            by_address: RateLimit::new(10, 60_000),
            by_organisation: RateLimit::new(100, 30_000),
            too_many: Hush::default(),
        }
    }
}

/// A mail that goes out once what it tells of is committed.
pub(super) struct Planned {
    mailer: Mailer,
    secret_hash: String,
    expires_at: UnixMillis,
    organisation_name: String,
}

impl Service {
    /// With what sends mail.
    #[must_use]
    pub fn with_mailer(self, mailer: Mailer) -> Self {
        Self { mailer: Some(mailer), ..self }
    }

    #[must_use]
    pub fn sends_mail(&self) -> bool {
        self.mailer.is_some()
    }

    /// Notes that the link of that hash is to be mailed; `None` where it is not.
    pub(super) async fn plan_mail(
        &self,
        tx: &mut Tx,
        organisation: OrganisationId,
        secret_hash: String,
        expires_at: UnixMillis,
    ) -> Result<Option<Planned>> {
        let Some(mailer) = self.mailer.clone() else { return Ok(None) };
        let now = self.clock.now();
        let is_allowed = self.mail_limits.by_organisation.attempt(&organisation, now);
        let fate = match is_allowed {
            Ok(()) => Fate::Waiting { problem: None },
            Err(wait_s) => {
                Fate::Failed { problem: format!("the organisation has had too many mails sent; the next one goes in {wait_s} s") }
            }
        };
        link_mails::put(tx, &secret_hash, organisation, &fate, now.plus_ms(LOST_AFTER_MS), expires_at).await?;
        if is_allowed.is_err() {
            return Ok(None);
        }
        let found = db::organisations::by_id(tx, organisation).await?;
        let organisation_name = found.map(|organisation| organisation.name).unwrap_or_default();
        Ok(Some(Planned { mailer, secret_hash, expires_at, organisation_name }))
    }

    /// Hands the letter over, which has the link `url`. Waits for no mail server, and fails nothing: what becomes of it is told by [`Service::mail_fate`].
    pub(super) async fn post(&self, planned: Option<Planned>, url: &str, letter: impl FnOnce(Link<'_>) -> Letter) {
        let Some(Planned { mailer, secret_hash, expires_at, organisation_name }) = planned else { return };
        let site = &self.config.http.public_url;
        let letter = letter(Link { url, expires_at, organisation: &organisation_name, site });
        let posting = Posting { letter, secret_hash: Some(secret_hash.clone()) };
        if mailer.order(ready(Some(posting))) {
            return;
        }
        tracing::warn!("a mail was not sent: too many wait");
        let writing = async {
            let mut tx = self.write_unnoted().await?;
            let fate = Fate::Failed { problem: "too many mails wait to be sent".to_owned() };
            link_mails::settle(&mut tx, &secret_hash, &fate).await?;
            tx.commit().await
        };
        let written: db::Result<()> = writing.await;
        if let Err(cause) = written {
            tracing::warn!(%cause, "that a mail was not sent could not be noted");
        }
    }

    /// What became of the mail with a link of the organisation's, of which `secret` is the last part; `None` where it was mailed to nobody. Waits a little for the
    /// first try to end.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn mail_fate(&self, caller: &Caller, secret: &str) -> Result<Option<Fate>> {
        caller.require(Permission::Administer)?;
        self.fate_of(caller.organisation, &digest(secret)).await
    }

    /// Waits a little for the first try to end.
    pub(super) async fn fate_of(&self, organisation: OrganisationId, hash: &str) -> Result<Option<Fate>> {
        let until = Instant::now() + FATE_PATIENCE;
        let mut tries = self.mailer.as_ref().map(Mailer::tries);
        loop {
            // Before it is looked up: else a try that ends in between would be missed.
            if let Some(tries) = &mut tries {
                tries.mark_unchanged();
            }
            let found = link_mails::fate(&mut self.db.read().await?, organisation, hash, self.clock.now()).await?;
            let left = until.saturating_duration_since(Instant::now());
            match (&found, &mut tries) {
                (Some(Fate::Waiting { problem: None }), Some(tries)) if !left.is_zero() => {
                    let _ = timeout(left.min(LOOK_EVERY), tries.changed()).await;
                }
                _ => return Ok(found),
            }
        }
    }

    /// What became of the mails with the invitations that can still be used.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn invitation_mails(&self, caller: &Caller) -> Result<HashMap<InvitationId, Fate>> {
        caller.require(Permission::Administer)?;
        let found = link_mails::of_invitations(&mut self.db.read().await?, caller.organisation, self.clock.now()).await?;
        Ok(found.into_iter().collect())
    }

    /// Has a link for a new password mailed to who has the typed address, where that is a user. Nothing is looked up before the answer: it is the same, after the
    /// same time, for whatever was typed. `address` is the browser's.
    pub fn ask_for_password_link(&self, typed: &str, address: IpAddr) -> Asked {
        let Some(mailer) = &self.mailer else { return Asked::NoMail };
        let (now, from, address) = (self.clock.now(), address, network(address));
        let account = text::email(typed).unwrap_or_default();
        let limits = &self.mail_limits;
        let attempt = limits.by_address.attempt(&address, now).and_then(|()| limits.by_account.attempt(&account, now));
        if let Err(retry_after_s) = attempt {
            if let Some(unsaid) = limits.too_many.says(Some(address)) {
                tracing::warn!(%address, unsaid, "too many links for new passwords were asked for");
            }
            return Asked::TooManyAttempts { retry_after_s };
        }
        if typed.len() <= MAX_TYPED_BYTES {
            let (db, clock, config) = (self.db.clone(), self.clock.clone(), Arc::clone(&self.config));
            let asked = AskedLink { db, clock, config, from };
            let typed = typed.to_owned();
            let is_taken = mailer.order_of_stranger(async move { asked.make(&typed).await });
            if let Some(unsaid) = (!is_taken).then(|| limits.too_many.says(None)).flatten() {
                tracing::warn!(unsaid, "a link for a new password was not sent: too many mails wait");
            }
        }
        Asked::Taken
    }
}

/// What makes such a link, when its turn comes.
struct AskedLink {
    db: Db,
    clock: Clock,
    config: Arc<Config>,
    from: IpAddr,
}

impl AskedLink {
    async fn make(&self, typed: &str) -> Option<Posting> {
        self.try_to_make(typed).await.unwrap_or_else(|cause| {
            tracing::error!(%cause, "a link for a new password that was asked for could not be made");
            None
        })
    }

    async fn try_to_make(&self, typed: &str) -> Result<Option<Posting>> {
        let found = users::by_typed_email(&mut self.db.read().await?, typed).await?;
        // Who signs in by the operator's provider has forgotten none: what the provider asks of them is not to be gone around by a mailbox.
        let Some(user) = found.filter(User::has_password) else { return Ok(None) };
        let (secret, secret_hash) = draw();
        let now = self.clock.now();
        let expires_at = now.plus_ms(ASKED_LINK_MS);
        let mut tx = Change::begin(&self.db, now, user.organisation, Who::nobody(WhoKind::Stranger), Some(self.from)).await?;
        // Removed meanwhile, or nobody of the organisation is let in.
        if !db::users::hold(&mut tx, user.id).await? || db::organisations::is_suspended(&mut tx, user.organisation).await? {
            return Ok(None);
        }
        password_links::put(&mut tx, user.id, &secret_hash, Origin::AskedFor, expires_at).await?;
        let fate = Fate::Waiting { problem: None };
        link_mails::put(&mut tx, &secret_hash, user.organisation, &fate, now.plus_ms(LOST_AFTER_MS), expires_at).await?;
        let organisation = db::organisations::by_id(&mut tx, user.organisation).await?;
        tx.commit(Note::of(Act::PasswordLinkMade, user.id).saying("asked for at the sign-in")).await?;
        tracing::info!(user = %user.id, "a link for a new password was asked for at the sign-in");
        let site = &self.config.http.public_url;
        let (url, name) = (format!("{site}/password/{secret}"), organisation.map(|found| found.name).unwrap_or_default());
        let letter = mail::asked_for(&user.email, Link { url: &url, expires_at, organisation: &name, site });
        Ok(Some(Posting { letter, secret_hash: Some(secret_hash) }))
    }
}
