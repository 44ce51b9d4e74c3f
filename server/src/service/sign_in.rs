//! Signing in with e-mail and password, and finding the caller behind a credential.

use std::net::IpAddr;

use afterlive_domain::{Act, Error as Refusal, KeyId, KeyUse, OrganisationId, UnixMillis, UserId, WhoKind};

use super::known_browsers::Own;
use super::passwords::Asking;
use super::write::{Note, user as by_user, who};
use super::{Asker, Caller, HalfSignIn, Identity, Player, Result, Service, api_keys, text, users};
use crate::db;
use crate::db::api_keys::ApiKey;
use crate::db::audit::Who;
use crate::db::users::User;
use crate::hush::Hush;
use crate::rate_limit::{Attempt, RateLimit};

/// A key's last use is written down at most so often.
const TOUCH_INTERVAL_MS: i64 = 60_000;

/// No credential of ours is longer; a longer one is not looked up.
pub const MAX_CREDENTIAL_BYTES: usize = 512;

/// So many wrong passwords for one account pass at once, and then one each interval.
pub(super) const GUESSES: u16 = 10;
pub(super) const GUESS_INTERVAL_MS: u32 = 15_000;

/// How an attempt to sign in ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SignIn {
    /// Give the browser a session under a new id, and keep the user's id in it.
    Done(User),
    /// The password is right, and the user has a second factor: nobody has signed in before its code was given too.
    NeedsCode(HalfSignIn),
    /// Unknown e-mail or wrong password; which of them is not said, nor to be told from the time it took.
    WrongCredentials,
    /// The password is right, and nobody of the user's organisation is let in.
    Suspended,
    TooManyAttempts {
        retry_after_s: u32,
    },
}

/// How often strangers may try (whose browser is known is counted by `known_browsers`): by account, so that one password cannot be guessed from many addresses, and by address, so that
/// one address cannot try many accounts. And how often who is no stranger may sign in: each time takes a while of one of the few places where passwords are
/// checked, which are everybody's.
#[derive(Debug)]
pub(super) struct Limits {
    /// Of those who come by the provider, on their way there and back.
    pub(super) by_provider: RateLimit<IpAddr>,
    by_account: RateLimit<String>,
    by_address: RateLimit<IpAddr>,
    /// Of those of the networks of 64 bits that one customer of IPv6 may have: by the network of 48 bits that they are of.
    by_site: RateLimit<IpAddr>,
    /// Of those who are to give their password once more; by account. Apart from those who sign in: who found a browser open must not lock its owner out.
    pub(super) confirming: RateLimit<UserId>,
    /// Of those who give recovery codes, which nobody can guess; by account, for what trying them costs.
    pub(super) recovering: RateLimit<(UserId, Option<IpAddr>)>,
    /// Of those who give wrong codes of a second factor, by address. How often an account is tried stands in the database.
    pub(super) codes_by_address: RateLimit<IpAddr>,
    /// With the right password; by account, and wide.
    known_by_account: RateLimit<String>,
    /// Of those who ask whether a key is good, apart from those who sign in: a program must not lock people out.
    keys_by_address: RateLimit<IpAddr>,
    /// What the log says of who fails: by address, and by user where there is one of that e-mail.
    failed: Hush<(IpAddr, Option<UserId>)>,
    too_many: Hush<IpAddr>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            by_provider: RateLimit::new(30, 5_000),
            by_account: RateLimit::new(GUESSES, GUESS_INTERVAL_MS),
            by_address: RateLimit::new(30, 5_000),
            by_site: RateLimit::new(300, 500),
            confirming: RateLimit::new(10, 15_000),
            recovering: RateLimit::new(10, 15_000),
            codes_by_address: RateLimit::new(30, 10_000),
            known_by_account: RateLimit::new(60, 1_000),
            keys_by_address: RateLimit::new(30, 5_000),
            failed: Hush::default(),
            too_many: Hush::default(),
        }
    }
}

/// For whom an attempt counts.
enum Count {
    Strangers,
    Own(Own),
}

impl Service {
    /// Checks e-mail and password. Where it is done, have the browser [remembered](Service::remember_browser).
    ///
    /// # Errors
    /// Where the server fails, or has too many passwords to check; wrong credentials are no error.
    pub async fn sign_in(&self, email: &str, password: &str, asker: impl Into<Asker<'_>>) -> Result<SignIn> {
        let asker = asker.into();
        let outcome = self.check_sign_in(email, password, asker).await?;
        if let SignIn::Done(user) = &outcome {
            self.note_sign_in(user, asker.address, "").await;
        }
        Ok(outcome)
    }

    /// Counts an attempt to sign in, which may turn out to be of either kind. `Err`: how many seconds to wait. It is then not counted; but one too many for the
    /// account counts for the address.
    async fn count_attempt(
        &self,
        typed: &str,
        account: &String,
        asker: Asker<'_>,
    ) -> Result<Result<(Count, Attempt<'_, String>), u32>> {
        let (now, limits, address) = (self.clock.now(), &self.sign_in_limits, network(asker.address));
        if let Err(wait_s) = limits.by_address.attempt(&address, now) {
            return Ok(Err(wait_s));
        }
        // Who was never looked at has guessed nothing.
        let not_looked_at = |wait_s| {
            limits.by_address.give_back(&address);
            Ok(Err(wait_s))
        };
        // Who knows the password shuts out nobody else behind the address.
        let known = match limits.known_by_account.try_attempt(account, now) {
            Ok(known) => known,
            Err(wait_s) => return not_looked_at(wait_s),
        };
        let own = self.attempt_by_address(typed, asker.browser).await.inspect_err(|_| limits.by_address.give_back(&address))?;
        let counted = match own {
            Some(counted) => counted.map(Count::Own),
            None => {
                let site = site(asker.address);
                if let Some(Err(wait_s)) = site.map(|site| limits.by_site.attempt(&site, now)) {
                    return not_looked_at(wait_s);
                }
                limits.by_account.attempt(account, now).map(|()| Count::Strangers)
            }
        };
        Ok(counted.map(|count| (count, known)))
    }

    /// Takes back an attempt that came to nothing for want of a place or of the database: nobody has guessed by it, and who goes on being turned away locks nobody out.
    async fn take_back(&self, count: &Count, account: &String, from: IpAddr) {
        let limits = &self.sign_in_limits;
        limits.by_address.give_back(&network(from));
        match count {
            Count::Own(own) => self.give_back(own).await,
            Count::Strangers => {
                limits.by_account.give_back(account);
                if let Some(site) = site(from) {
                    limits.by_site.give_back(&site);
                }
            }
        }
    }

    /// `by` is what they signed in with, where that is worth telling.
    pub(super) async fn note_sign_in(&self, user: &User, address: IpAddr, by: &str) {
        let note = || Note::of(Act::SignedIn, user.id).saying(by);
        let noting = async {
            let mut tx = self.write_sign_in(user, address).await?;
            db::users::signed_in(&mut tx, user.id, self.clock.now()).await?;
            tx.commit(note()).await
        };
        // A database that cannot be written keeps nobody out.
        if let Err(cause) = noting.await {
            tracing::warn!(user = %user.id, %cause, "a sign-in could not be noted yet");
            self.note(user.organisation, (by_user(user.id), Some(address)), note());
        }
    }

    /// As [`Service::sign_in`], for who notes by themselves that somebody has signed in.
    pub(super) async fn check_sign_in(&self, email: &str, password: &str, asker: Asker<'_>) -> Result<SignIn> {
        let (now, from) = (self.clock.now(), asker.address);
        // A key of the limit is as long as the longest address that can have an account; who sends more shares one.
        let account = text::email(email).unwrap_or_default();
        let address = network(from);
        let (count, known) = match self.count_attempt(email, &account, asker).await? {
            Ok(counted) => counted,
            Err(retry_after_s) => {
                if let Some(unsaid) = self.sign_in_limits.too_many.says(address) {
                    tracing::warn!(%address, unsaid, "too many attempts to sign in");
                }
                return Ok(SignIn::TooManyAttempts { retry_after_s });
            }
        };
        let (user, matches) = match self.look_at(email, password, &count).await {
            Ok(looked_at) => looked_at,
            Err(cause) => {
                self.take_back(&count, &account, from).await;
                return Err(cause);
            }
        };
        if let (Count::Own(own), true) = (&count, matches) {
            self.give_back(own).await;
        }
        match user {
            Some(user) if matches => {
                known.keep();
                // Guesses of strangers go on counting where a browser that is known has its own.
                if let Count::Strangers = &count {
                    self.sign_in_limits.by_account.forgive(&account);
                }
                // Who knows the password is not guessing: many programs may sign in from one address.
                self.sign_in_limits.by_address.give_back(&address);
                if let (Count::Strangers, Some(site)) = (&count, site(from)) {
                    self.sign_in_limits.by_site.give_back(&site);
                }
                if db::organisations::is_suspended(&mut self.db.read_briefly().await?, user.organisation).await? {
                    self.note_suspended((by_user(user.id), Some(from)), user.organisation, Note::of(Act::SignInRefused, user.id));
                    return Ok(SignIn::Suspended);
                }
                if user.second_factor.is_some() {
                    tracing::info!(user = %user.id, %address, "gave the right password, and is asked for a code");
                    return Ok(SignIn::NeedsCode(HalfSignIn::new(&user, now)));
                }
                tracing::info!(user = %user.id, %address, "signed in");
                Ok(SignIn::Done(user))
            }
            other => {
                // Whose account it is, where it is one; never what was typed, which may have been the password.
                if let Some(user) = &other {
                    let by = (Who::nobody(WhoKind::Stranger), Some(from));
                    self.note(user.organisation, by, Note::of(Act::SignInRefused, user.id));
                }
                let user = other.map(|user| user.id);
                if let Some(unsaid) = self.sign_in_limits.failed.says((address, user)) {
                    tracing::info!(%address, user = user.map(tracing::field::display), unsaid, "an attempt to sign in failed");
                }
                Ok(SignIn::WrongCredentials)
            }
        }
    }

    /// Who has that address, and whether the password is theirs.
    async fn look_at(&self, email: &str, password: &str, count: &Count) -> Result<(Option<User>, bool)> {
        let asking = match count {
            Count::Strangers => Asking::Stranger,
            Count::Own(_) => Asking::Known,
        };
        let user = users::by_typed_email(&mut self.db.read_briefly().await?, email).await?;
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let matches = self.passwords.verify(password, hash, asking).await?;
        Ok((user, matches))
    }

    /// The caller behind an API key.
    ///
    /// # Errors
    /// `BadCredentials` where there is no such key, or it is revoked or has expired; `Suspended`. Each call looks: nothing is remembered that could outlive a key.
    pub async fn key_caller(&self, key: &str, address: IpAddr) -> Result<Caller> {
        let key = self.used_key(KeyUse::Api, key, Some(address)).await?;
        let (organisation, role, identity) = (key.organisation, key.role, Identity::Key(key.id));
        Ok(Caller { organisation, role, identity, from: Some(address), let_in_by: None })
    }

    /// Who has a player key.
    ///
    /// # Errors
    /// As [`Service::key_caller`].
    pub async fn player(&self, key: &str) -> Result<Player> {
        Ok(Player { organisation: self.used_key(KeyUse::Player, key, None).await?.organisation })
    }

    /// `address` where it is to be noted that a key is over: of what every page has that is many viewers' doing, and nobody's.
    async fn used_key(&self, kind: KeyUse, key: &str, address: Option<IpAddr>) -> Result<ApiKey> {
        // Looked up by hash: how long the comparison takes says something of the hash, from which nobody gets to the key.
        let now = self.clock.now();
        let hash = api_keys::secret_hash(kind, key);
        let key = self.good_key(kind, &hash, address).await?;
        if key.last_used_at.is_none_or(|used| now.ms_since(used) >= TOUCH_INTERVAL_MS) {
            // A database that cannot be written must not keep programs from reading.
            if let Err(cause) = self.touch(key.id, now).await {
                tracing::warn!(key = %key.id, %cause, "when a key was last used could not be noted");
            }
        }
        Ok(key)
    }

    async fn touch(&self, key: KeyId, now: UnixMillis) -> db::Result<()> {
        let mut tx = self.write_unnoted().await?;
        db::api_keys::touch(&mut tx, key, now).await?;
        tx.commit().await
    }

    /// # Errors
    /// `BadCredentials` where no key has that hash, or it is revoked or has expired, which is noted as coming from `address`; `Suspended`.
    async fn good_key(&self, kind: KeyUse, hash: &str, address: Option<IpAddr>) -> Result<ApiKey> {
        let mut connection = self.db.read_briefly().await?;
        if let Some((key, is_suspended)) = db::api_keys::by_secret_hash(&mut connection, kind, hash, self.clock.now()).await? {
            if !is_suspended {
                return Ok(key);
            }
            if address.is_some() {
                let by = (who(Identity::Key(key.id)), address);
                self.note_suspended(by, key.organisation, Note::of(Act::KeyRefused, key.id));
            }
            return Err(Refusal::Suspended.into());
        }
        if address.is_some()
            && let Some((organisation, key)) = db::api_keys::owner(&mut connection, kind, hash).await?
        {
            self.note(organisation, (who(Identity::Key(key)), address), Note::of(Act::KeyRefused, key));
        }
        Err(Refusal::BadCredentials.into())
    }

    /// Notes that somebody was refused since their organisation is suspended.
    pub(super) fn note_suspended(&self, by: (Who, Option<IpAddr>), organisation: OrganisationId, note: Note) {
        self.note(organisation, by, note.saying("the organisation is suspended"));
    }

    /// What is known of an API key, for who shows it and has no other credential. `address` is theirs.
    ///
    /// # Errors
    /// `TooMany` for who has asked too often for what is no key; `BadCredentials` where there is no such key, or it is revoked or has expired.
    pub async fn inspect_key(&self, key: &str, address: IpAddr) -> Result<ApiKey> {
        // Not even hashed.
        if key.len() > MAX_CREDENTIAL_BYTES {
            return Err(Refusal::BadCredentials.into());
        }
        let now = self.clock.now();
        let address = network(address);
        if let Err(retry_after_s) = self.sign_in_limits.keys_by_address.attempt(&address, now) {
            if let Some(unsaid) = self.sign_in_limits.too_many.says(address) {
                tracing::warn!(%address, unsaid, "too many keys tried");
            }
            return Err(Refusal::TooMany { retry_after_s }.into());
        }
        let hash = api_keys::secret_hash(KeyUse::Api, key);
        let key = self.good_key(KeyUse::Api, &hash, Some(address)).await?;
        // A program that asks about its own key as often as it likes guesses none.
        self.sign_in_limits.keys_by_address.give_back(&address);
        Ok(key)
    }
}

/// What one subscriber has: an IPv4 address, or the 64 bits of an IPv6 network.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) >> 64 << 64).to_be_bytes()),
        v4 => v4,
    }
}

/// The IPv6 network of 48 bits, which one customer may have: 65,536 times what [`network`] counts. An IPv4 address has nothing so wide around it.
fn site(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        IpAddr::V6(v6) => Some(IpAddr::from((u128::from(v6) >> 80 << 80).to_be_bytes())),
        IpAddr::V4(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Error;
    use super::super::fixture::a_service;
    use super::*;

    #[tokio::test]
    async fn who_was_turned_away_unlooked_at_has_guessed_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let service = a_service(&folder).await;
        let places: Vec<_> = std::iter::from_fn(|| service.passwords.wait_in_line(Asking::Stranger).ok()).collect();
        let (subscriber, other) = ("2001:db8:1:2::3".parse::<IpAddr>().unwrap(), IpAddr::from([192, 0, 2, 1]));
        let attempt = async |email: &str, from: IpAddr| service.sign_in(email, "wrong horse battery", from).await;
        // More than one of the counts takes.
        for _ in 0..320 {
            let outcome = attempt("ada@example.com", subscriber).await;
            assert!(matches!(outcome, Err(Error::Refused(Refusal::TooMany { .. }))), "{outcome:?}");
        }
        drop(places);
        for _ in 0..GUESSES {
            assert_eq!(attempt("ada@example.com", other).await.unwrap(), SignIn::WrongCredentials, "by account");
        }
        assert!(matches!(attempt("ada@example.com", other).await.unwrap(), SignIn::TooManyAttempts { .. }));
        for n in 0..30 {
            assert_eq!(attempt(&format!("{n}@example.com"), subscriber).await.unwrap(), SignIn::WrongCredentials, "by address");
        }
        assert!(matches!(attempt("x@example.com", subscriber).await.unwrap(), SignIn::TooManyAttempts { .. }));
    }

    #[tokio::test]
    async fn the_networks_of_one_customer_of_ipv6_have_a_count_together_too() {
        let folder = tempfile::tempdir().unwrap();
        let service = a_service(&folder).await;
        let of_site = |site: u128, n: u128| IpAddr::from((0x2001_0db8_u128 << 96 | site << 80 | n << 64).to_be_bytes());
        let (clock, email) = (service.clock.now(), String::from("ada@example.com"));
        let attempt = async |from: IpAddr| {
            let counted = service.count_attempt(&email, &email, from.into()).await.unwrap();
            // Of one account there would be fewer.
            service.sign_in_limits.by_account.forgive(&email);
            counted.map(|_| ())
        };
        for n in 0..300 {
            assert_eq!(attempt(of_site(1, n)).await, Ok(()), "{n}");
        }
        for _ in 0..30 {
            assert_eq!(attempt(of_site(1, 300)).await, Err(1));
        }
        // Which counted for no address.
        assert_eq!(service.sign_in_limits.by_address.attempt(&of_site(1, 300), clock), Ok(()));
        assert_eq!(attempt(of_site(2, 0)).await, Ok(()), "another customer");
        assert_eq!(attempt(IpAddr::from([192, 0, 2, 1])).await, Ok(()));
    }

    #[test]
    fn what_one_customer_of_ipv6_may_have_is_one_site_and_an_ipv4_address_is_of_none() {
        let site = |text: &str| site(text.parse().unwrap()).map(|site| site.to_string());
        assert_eq!(site("2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1::"));
        assert_eq!(site("2001:db8:1:ffff::").as_deref(), Some("2001:db8:1::"));
        assert_eq!((site("192.0.2.7"), site("::ffff:192.0.2.7")), (None, None));
    }

    #[test]
    fn an_ipv6_subscriber_has_one_address_however_many_it_uses() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
    }
}
