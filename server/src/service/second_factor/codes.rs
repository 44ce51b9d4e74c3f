//! Codes, looked at: each is good once, on whichever node, and wrong ones are few. What a right one opens is decided elsewhere.

use std::net::IpAddr;
use std::sync::Arc;

use afterlive_domain::{Act, Error as Refusal, UnixMillis, UserId, WhoKind};

use crate::db;
use crate::db::audit::Who;
use crate::db::second_factors::SecondFactor;
use crate::db::users::{Admission, User};
use crate::second_factor::{KeyError, Keyring, Opening, RecoveryCode, TotpSecret, as_typed};
use crate::service::sign_in::network;
use crate::service::write::Note;
use crate::service::{Error, Result, Service};

/// So many wrong codes in a row, and the app's are not looked at any more, until a recovery code was given or the second factor was reset: SP 800-63B-4 §3.2.2. Each
/// is right by chance three times in a million. A right code of whose it is sets the count back, so that who knows the password comes in by guessing with three chances in
/// ten thousand between two of their sign-ins.
pub const MAX_WRONG_CODES: i64 = 100;
/// So many are not waited for.
pub(super) const FREE_WRONG_CODES: i64 = 5;
/// After the next one, and twice as long after each that follows.
const FIRST_WAIT_MS: i64 = 30_000;
/// The right user waits no longer, whoever else tries.
const LONGEST_WAIT_MS: i64 = 15 * 60_000;
/// What is begun earlier may be looked at later, by another server's clock even.
const OTHER_CLOCK_MS: i64 = 60_000;

/// What came of looking at a code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CodeCheck {
    /// The user as it is now. The code is used up.
    Right(User, Proven),
    Wrong,
    TooManyAttempts {
        retry_after_s: u32,
    },
    /// There were [`MAX_WRONG_CODES`].
    Exhausted,
    /// Whose password or second factor is another by now.
    Over,
}

/// By what somebody has shown that they are the user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proven {
    App,
    RecoveryCode { left: u64 },
}

impl Proven {
    /// For the audit log.
    pub(super) fn in_words(self) -> String {
        match self {
            Self::App => "with a code of their app".to_owned(),
            Self::RecoveryCode { left } => format!("with a recovery code, {left} left"),
        }
    }
}

impl Service {
    /// Looks at a code of the user's app or a recovery code, where what signs the user in still has that digest, and uses it up. A `browser` that is known waits for its
    /// own wrong codes alone, and not for those of who else has the password.
    ///
    /// # Errors
    /// Where the server fails.
    pub(super) async fn check_code(
        &self,
        id: UserId,
        digest: &str,
        typed: &str,
        from: Option<IpAddr>,
        browser: Option<&str>,
    ) -> Result<CodeCheck> {
        let (now, limits) = (self.clock.now(), &self.sign_in_limits);
        let address = from.map(network);
        let too_many = |retry_after_s| Ok(CodeCheck::TooManyAttempts { retry_after_s });
        if let Some(retry_after_s) = address.and_then(|address| limits.codes_by_address.attempt(&address, now).err()) {
            return too_many(retry_after_s);
        }
        let typed = as_typed(typed);
        let checked = match RecoveryCode::hash_of(&typed) {
            Some(hash) => match limits.recovering.attempt(&(id, address), now) {
                Ok(()) => self.try_recovery_code(id, digest, &hash).await?,
                Err(retry_after_s) => return too_many(retry_after_s),
            },
            None => match self.attempt_of_known(id, browser).await? {
                Some(Ok(_)) => self.try_app_code((id, digest), &typed, from, Waits::Elsewhere).await?,
                Some(Err(retry_after_s)) => return too_many(retry_after_s),
                None => self.try_app_code((id, digest), &typed, from, Waits::Here).await?,
            },
        };
        match &checked {
            CodeCheck::Right(..) => {
                if let Some(address) = &address {
                    limits.codes_by_address.give_back(address);
                }
                limits.recovering.forgive(&(id, address));
            }
            CodeCheck::Wrong => self.note_wrong_code(id, from).await?,
            CodeCheck::TooManyAttempts { .. } | CodeCheck::Exhausted | CodeCheck::Over => {}
        }
        Ok(checked)
    }

    async fn note_wrong_code(&self, id: UserId, from: Option<IpAddr>) -> Result<()> {
        tracing::info!(user = %id, "a code of a second factor was wrong");
        if let Some(user) = db::users::by_id(&mut self.db.read_briefly().await?, id).await? {
            self.note(user.organisation, (Who::nobody(WhoKind::Stranger), from), Note::of(Act::CodeRefused, id));
        }
        Ok(())
    }

    async fn try_recovery_code(&self, id: UserId, digest: &str, hash: &str) -> Result<CodeCheck> {
        let mut tx = self.write_unnoted().await?;
        let Some(user) = held(&mut tx, id, digest).await? else { return Ok(CodeCheck::Over) };
        if !db::second_factors::use_recovery_code(&mut tx, id, hash).await? {
            return Ok(CodeCheck::Wrong);
        }
        let left = db::second_factors::recovery_codes_left(&mut tx, id).await?;
        tx.commit().await?;
        Ok(CodeCheck::Right(user, Proven::RecoveryCode { left }))
    }

    async fn try_app_code(
        &self,
        (id, digest): (UserId, &str),
        typed: &str,
        from: Option<IpAddr>,
        waits: Waits,
    ) -> Result<CodeCheck> {
        let now = self.clock.now();
        let found = db::second_factors::of_user(&mut self.db.read_briefly().await?, id).await?;
        // Gone with a bad restore: none is right.
        let Some(factor) = found else { return Ok(CodeCheck::Wrong) };
        // Who must wait costs no transaction.
        if let Some(refused) = refused(&factor, waits, now) {
            return Ok(refused);
        }
        let step = self.opened(id, &factor).await?.step_of(typed, now);
        let mut tx = self.write_unnoted().await?;
        let Some(user) = held(&mut tx, id, digest).await? else { return Ok(CodeCheck::Over) };
        let Some(factor) = db::second_factors::of_user(&mut tx, id).await? else { return Ok(CodeCheck::Over) };
        // Of many that are tried at once each is counted before the next is looked at.
        if let Some(refused) = refused(&factor, waits, now) {
            return Ok(refused);
        }
        let is_right = match step {
            Some(step) => db::second_factors::use_step(&mut tx, id, step).await?,
            None => false,
        };
        if is_right {
            tx.commit().await?;
            return Ok(CodeCheck::Right(user, Proven::App));
        }
        let wrong_in_a_row = factor.wrong_in_a_row + 1;
        let wait_until = match waits {
            Waits::Here => now.plus_ms(wait_ms(wrong_in_a_row)),
            Waits::Elsewhere => factor.wait_until,
        };
        db::second_factors::count_wrong(&mut tx, id, wait_until).await?;
        tx.commit().await?;
        self.tell_of_wrong_code(&user, wrong_in_a_row, from).await;
        Ok(CodeCheck::Wrong)
    }

    async fn opened(&self, owner: UserId, factor: &SecondFactor) -> Result<TotpSecret> {
        let (sealed, by) = (factor.sealed.clone(), factor.sealed_by.clone());
        match self.with_keyring(move |keyring| keyring.open(&owner.to_string(), &sealed, &by)).await? {
            Opening::Opened(secret) => Ok(secret),
            Opening::AnotherKey | Opening::Damaged => Err(Error::OtherSecondFactorKey),
        }
    }

    /// The first time it may wait for a disk.
    pub(super) async fn with_keyring<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Keyring) -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T> {
        let keyring = Arc::clone(&self.keyring);
        let done = tokio::task::spawn_blocking(move || work(&keyring)).await;
        // It panicked, or the server stops.
        done.map_err(|_| Error::from(Refusal::Internal))?.map_err(Error::from)
    }
}

/// The user, whom no other code changes before the end of the transaction; `None` where the password or the second factor is another by now, and where nobody of
/// their organisation is let in: the sign-in, where they begin anew, says so.
async fn held(tx: &mut db::Tx, id: UserId, digest: &str) -> Result<Option<User>> {
    if !db::users::hold(tx, id).await? {
        return Ok(None);
    }
    let user = db::users::admission(tx, id).await?.and_then(Admission::unless_suspended);
    Ok(user.filter(|user| user.second_factor.is_some() && user.credentials_digest() == digest))
}

/// Where it is counted how long a wrong code is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waits {
    /// With the second factor, for all whose browser is not known.
    Here,
    /// With the browser, which has waited.
    Elsewhere,
}

/// What becomes of a code that is not looked at. The app's [`MAX_WRONG_CODES`] are those of all browsers together.
fn refused(factor: &SecondFactor, waits: Waits, now: UnixMillis) -> Option<CodeCheck> {
    if factor.wrong_in_a_row >= MAX_WRONG_CODES {
        return Some(CodeCheck::Exhausted);
    }
    if waits == Waits::Elsewhere {
        return None;
    }
    let wait_ms = factor.wait_until.ms_since(now);
    let retry_after_s = u32::try_from(wait_ms.div_euclid(1_000) + 1).unwrap_or(u32::MAX);
    // Nobody waits for longer than that: who seems to has waited by a clock that was set back since, and would until it is there again.
    (1..=LONGEST_WAIT_MS + OTHER_CLOCK_MS).contains(&wait_ms).then_some(CodeCheck::TooManyAttempts { retry_after_s })
}

/// How long no code is looked at after so many wrong ones in a row.
fn wait_ms(wrong_in_a_row: i64) -> i64 {
    match wrong_in_a_row - FREE_WRONG_CODES {
        ..0 => 0,
        more => (FIRST_WAIT_MS << more.min(10)).min(LONGEST_WAIT_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_guesses_waits_ever_longer_and_who_mistypes_does_not() {
        let waits_s: Vec<i64> = (1..=12).map(|wrong| wait_ms(wrong) / 1_000).collect();
        assert_eq!(waits_s, [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]);
        for wrong in 13..=MAX_WRONG_CODES {
            assert_eq!(wait_ms(wrong), LONGEST_WAIT_MS, "{wrong}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_waiting_for_longer_than_the_longest_wait() {
        let now = UnixMillis(1_793_812_159_899);
        let waiting = |ms, wrong_in_a_row| {
            let (sealed, sealed_by) = (String::new(), String::new());
            let wait_until = now.plus_ms(ms);
            let factor = SecondFactor { sealed, sealed_by, last_step: 0, wrong_in_a_row, wait_until, created_at: now };
            refused(&factor, Waits::Here, now)
        };
        assert_eq!(waiting(0, 9), None);
        assert_eq!(waiting(1, 9), Some(CodeCheck::TooManyAttempts { retry_after_s: 1 }));
        assert_eq!(waiting(LONGEST_WAIT_MS, 9), Some(CodeCheck::TooManyAttempts { retry_after_s: 901 }));
        assert!(waiting(LONGEST_WAIT_MS + 5, 9).is_some(), "of two at a time the later one may have been counted first");
        assert_eq!(waiting(86_400_000, 9), None);
        assert_eq!(waiting(86_400_000, MAX_WRONG_CODES), Some(CodeCheck::Exhausted), "that is no matter of time");
    }
}
