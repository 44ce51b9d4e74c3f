//! One's own second factor: set up, given new recovery codes, switched off.

use std::fmt;

use afterlive_domain::{Act, Error as Refusal, UnixMillis};
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use super::codes::CodeCheck;
use crate::db;
use crate::db::Tx;
use crate::db::second_factors::SecondFactor;
use crate::db::users::User;
use crate::second_factor::{Qr, RecoveryCodes, TotpSecret};
use crate::service::account::{Confirmed, own};
use crate::service::users::{end_others, is_unchanged};
use crate::service::write::Note;
use crate::service::{Caller, Error, Result, Service};

/// An offer is good for so long.
const OFFER_MS: i64 = 15 * 60_000;
/// Under which apps list it, with the server's host.
const ISSUER: &str = "Afterlive";

/// A secret that was shown to who gave their password, and counts once they have shown a code of it. It lies in the browser's session, sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Offer {
    secret: String,
    /// [`User::credentials_digest`] when it was made.
    digest: String,
    until: UnixMillis,
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Offer(…)")
    }
}

/// An offer as its page shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownOffer {
    /// For who cannot scan the code.
    pub secret: String,
    pub qr: Qr,
}

/// What came of asking for an offer.
#[derive(Debug)]
pub enum Offered {
    Made(Offer),
    WrongPassword,
    /// They have none to give, as they came by the provider.
    NoPassword,
    TooManyAttempts {
        retry_after_s: u32,
    },
}

/// What came of showing a code of an offer.
pub enum Enrolled {
    /// All sessions but this browser's have ended: sign them in anew. The codes are shown this once.
    Done(User, RecoveryCodes),
    WrongCode,
    /// It took too long, or the password is another by now, or a second factor was set up elsewhere.
    Over,
}

/// What came of changing something about one's own second factor.
pub enum FactorChange {
    /// New recovery codes, to be shown this once.
    Codes(RecoveryCodes),
    /// It is switched off, and all sessions but this browser's have ended: sign them in anew.
    Off(User),
    WrongPassword,
    WrongCode,
    TooManyAttempts {
        retry_after_s: u32,
    },
    Exhausted,
    /// There is none, or it was changed elsewhere.
    Over,
}

/// One's own second factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnSecondFactor {
    pub since: UnixMillis,
    /// How many recovery codes were not used yet.
    pub codes_left: u64,
}

impl Service {
    /// `None` where the password alone signs in.
    ///
    /// # Errors
    /// `BadCredentials` for all who are no user that signed in to the dashboard.
    pub async fn own_second_factor(&self, caller: &Caller) -> Result<Option<OwnSecondFactor>> {
        let (id, mut connection) = (own(caller)?, self.db.read().await?);
        let user = db::users::by_id(&mut connection, id).await?.ok_or(Refusal::BadCredentials)?;
        if user.second_factor.is_none() {
            return Ok(None);
        }
        let found = db::second_factors::of_user(&mut connection, id).await?;
        let since = found.map_or(user.created_at, |factor| factor.created_at);
        let codes_left = db::second_factors::recovery_codes_left(&mut connection, id).await?;
        Ok(Some(OwnSecondFactor { since, codes_left }))
    }

    /// Draws a secret for who gives their password.
    ///
    /// # Errors
    /// As [`Service::own_second_factor`]; `WrongState` where there is a second factor already.
    pub async fn offer_second_factor(&self, caller: &Caller, password: &str) -> Result<Offered> {
        let user = match self.confirm(caller, password).await? {
            Confirmed::Yes(user) => user,
            Confirmed::WrongPassword => return Ok(Offered::WrongPassword),
            Confirmed::NoPassword => return Ok(Offered::NoPassword),
            Confirmed::TooManyAttempts { retry_after_s } => return Ok(Offered::TooManyAttempts { retry_after_s }),
        };
        if user.second_factor.is_some() {
            return Err(Refusal::WrongState { state: "with a second factor that is set up already".to_owned() }.into());
        }
        let (secret, digest) = (TotpSecret::draw().to_base32(), user.credentials_digest());
        Ok(Offered::Made(Offer { secret, digest, until: self.clock.now().plus_ms(OFFER_MS) }))
    }

    /// An offer as it is shown to whose it is; `None` where it is over.
    ///
    /// # Errors
    /// As [`Service::own_second_factor`].
    pub async fn show_offer(&self, caller: &Caller, offer: &Offer) -> Result<Option<ShownOffer>> {
        let user = db::users::by_id(&mut self.db.read().await?, own(caller)?).await?.ok_or(Refusal::BadCredentials)?;
        let Some(secret) = self.offered(offer, &user) else { return Ok(None) };
        let url = Url::parse(&self.config.http.public_url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        let qr = Qr::of(&secret.uri(format!("{ISSUER} {host}").trim(), &user.email));
        Ok(qr.map(|qr| ShownOffer { secret: secret.to_base32(), qr }))
    }

    fn offered(&self, offer: &Offer, user: &User) -> Option<TotpSecret> {
        let is_good = self.clock.now() < offer.until && user.second_factor.is_none() && user.credentials_digest() == offer.digest;
        TotpSecret::from_base32(&offer.secret).filter(|_| is_good)
    }

    /// Turns the second factor on for who shows a code of the offer, and ends all that is open of the user's but the browser session that is `kept`.
    ///
    /// # Errors
    /// As [`Service::own_second_factor`]; where the secret cannot be kept.
    pub async fn enrol(&self, caller: &Caller, offer: &Offer, code: &str, kept: Option<&str>) -> Result<Enrolled> {
        let (id, now) = (own(caller)?, self.clock.now());
        let user = db::users::by_id(&mut self.db.read().await?, id).await?.ok_or(Refusal::BadCredentials)?;
        let Some(secret) = self.offered(offer, &user) else { return Ok(Enrolled::Over) };
        let Some(last_step) = secret.step_of(&crate::second_factor::as_typed(code), now) else {
            return Ok(Enrolled::WrongCode);
        };
        let owner = id.to_string();
        let sealing = self.with_keyring(move |keyring| Ok((keyring.seal(&owner, &secret)?, keyring.name()?)));
        let (sealed, sealed_by) = sealing.await?;
        if db::second_factors::any_sealed_otherwise(&mut self.db.read().await?, &sealed_by).await? {
            // Whoever set up a second factor at this node could not sign in at another.
            return Err(Error::OtherSecondFactorKey);
        }
        let codes = RecoveryCodes::draw();
        let name = Uuid::new_v4().to_string();
        let factor = SecondFactor { sealed, sealed_by, last_step, wrong_in_a_row: 0, wait_until: UnixMillis(0), created_at: now };
        let mut tx = self.write_own(caller).await?;
        if !is_unchanged(&mut tx, &user).await? || !db::users::set_second_factor(&mut tx, id, None, Some(&name)).await? {
            tx.roll_back();
            return Ok(Enrolled::Over);
        }
        db::second_factors::put(&mut tx, id, &factor).await?;
        db::second_factors::put_recovery_codes(&mut tx, id, &codes.hashes()).await?;
        end_others(&mut tx, id, kept, None).await?;
        tx.commit(Note::of(Act::SecondFactorOn, id)).await?;
        self.ask_viewers_of(user.organisation).await;
        tracing::info!(user = %id, "set up a second factor");
        Ok(Enrolled::Done(User { second_factor: Some(name), ..user }, codes))
    }

    /// Makes new recovery codes, for who gives their password and a code; those before are worth nothing then.
    ///
    /// # Errors
    /// As [`Service::own_second_factor`].
    pub async fn renew_recovery_codes(&self, caller: &Caller, password: &str, code: &str) -> Result<FactorChange> {
        let user = match self.prove(caller, password, code).await? {
            Ok(user) => user,
            Err(refused) => return Ok(refused),
        };
        let codes = RecoveryCodes::draw();
        let mut tx = self.write_own(caller).await?;
        if !is_unchanged(&mut tx, &user).await? {
            tx.roll_back();
            return Ok(FactorChange::Over);
        }
        db::second_factors::put_recovery_codes(&mut tx, user.id, &codes.hashes()).await?;
        tx.commit(Note::of(Act::RecoveryCodesMade, user.id)).await?;
        tracing::info!(user = %user.id, "made new recovery codes");
        Ok(FactorChange::Codes(codes))
    }

    /// Switches the second factor off, for who gives their password and a code, and ends all that is open of the user's but the browser session that is `kept`.
    ///
    /// # Errors
    /// As [`Service::own_second_factor`].
    pub async fn remove_second_factor(
        &self,
        caller: &Caller,
        password: &str,
        code: &str,
        kept: Option<&str>,
    ) -> Result<FactorChange> {
        let user = match self.prove(caller, password, code).await? {
            Ok(user) => user,
            Err(refused) => return Ok(refused),
        };
        let mut tx = self.write_own(caller).await?;
        if !is_unchanged(&mut tx, &user).await? || !take_away(&mut tx, &user, kept).await? {
            tx.roll_back();
            return Ok(FactorChange::Over);
        }
        tx.commit(Note::of(Act::SecondFactorOff, user.id)).await?;
        self.ask_viewers_of(user.organisation).await;
        tracing::info!(user = %user.id, "switched off the own second factor");
        Ok(FactorChange::Off(User { second_factor: None, ..user }))
    }

    /// Whether who calls knows the password, and has the app or a recovery code. The code is used up.
    async fn prove(&self, caller: &Caller, password: &str, code: &str) -> Result<std::result::Result<User, FactorChange>> {
        let user = match self.confirm(caller, password).await? {
            Confirmed::Yes(user) => user,
            Confirmed::WrongPassword | Confirmed::NoPassword => return Ok(Err(FactorChange::WrongPassword)),
            Confirmed::TooManyAttempts { retry_after_s } => return Ok(Err(FactorChange::TooManyAttempts { retry_after_s })),
        };
        if user.second_factor.is_none() {
            return Ok(Err(FactorChange::Over));
        }
        Ok(match self.check_code(user.id, &user.credentials_digest(), code, caller.from, None).await? {
            CodeCheck::Right(user, _) => Ok(user),
            CodeCheck::Wrong => Err(FactorChange::WrongCode),
            CodeCheck::TooManyAttempts { retry_after_s } => Err(FactorChange::TooManyAttempts { retry_after_s }),
            CodeCheck::Exhausted => Err(FactorChange::Exhausted),
            CodeCheck::Over => Err(FactorChange::Over),
        })
    }
}

/// Takes a user's second factor away, and ends what is open of theirs but the browser session that is `kept`. False where it is another one by now.
pub(super) async fn take_away(tx: &mut Tx, user: &User, kept: Option<&str>) -> Result<bool> {
    if !db::users::set_second_factor(tx, user.id, user.second_factor.as_deref(), None).await? {
        return Ok(false);
    }
    db::second_factors::delete(tx, user.id).await?;
    end_others(tx, user.id, kept, None).await?;
    Ok(true)
}
