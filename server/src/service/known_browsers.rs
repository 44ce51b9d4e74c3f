//! Browsers in which users have signed in before, by a cookie that each has of its own ("device cookies", as OWASP calls them). Guesses at a password are counted by
//! account, so that anybody who guesses at one could keep its owner out; those of a browser that is known have a count of their own. So strangers keep out strangers
//! alone, and who has stolen such a cookie has nothing but that count.

use std::net::IpAddr;

use afterlive_domain::{UnixMillis, UserId};

use super::account_links::draw;
use super::session_tokens::digest;
use super::users::is_unchanged;
use super::{Result, Service, users};
use crate::db::known_browsers::{self, Known, Pace};
use crate::db::users::User;

/// A browser is known for so long after the last sign-in. Browsers keep no cookie for much longer.
pub const KNOWN_FOR_MS: i64 = 365 * 86_400_000;
/// The most browsers that are known of one user: so many counts there are beside the one of strangers.
pub(super) const MAX_KNOWN: u32 = 20;
/// Wrong passwords and codes by one browser; as those by account.
const PACE: Pace = Pace { burst: super::sign_in::GUESSES, interval_ms: super::sign_in::GUESS_INTERVAL_MS };

/// Who asks to be let in, before it is known who that is.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    pub address: IpAddr,
    /// What its cookie has, where a browser has one; not known to be true.
    pub browser: Option<&'a str>,
}

/// A program, or a browser with which nobody has signed in.
impl From<IpAddr> for Asker<'_> {
    fn from(address: IpAddr) -> Self {
        Self { address, browser: None }
    }
}

/// An attempt that counts for a known browser.
#[derive(Debug)]
pub(super) struct Own {
    secret_hash: String,
    user: UserId,
}

impl Own {
    fn known(&self) -> Known<'_> {
        Known { secret_hash: &self.secret_hash, user: self.user }
    }
}

impl Service {
    /// Counts an attempt to sign in as who has the typed address; `None` where they have not with that browser, and it counts as a stranger's. `Err`, in seconds: there
    /// were too many.
    pub(super) async fn attempt_by_address(&self, typed: &str, browser: Option<&str>) -> Result<Option<Result<Own, u32>>> {
        let Some(browser) = browser else { return Ok(None) };
        let user = users::by_typed_email(&mut self.db.read_briefly().await?, typed).await?;
        match user {
            Some(user) => self.attempt_of_known(user.id, Some(browser)).await,
            None => Ok(None),
        }
    }

    /// As [`Service::attempt_by_address`], of a user. What is counted is counted before it is looked at, so that of many at once none slips through.
    pub(super) async fn attempt_of_known(&self, user: UserId, browser: Option<&str>) -> Result<Option<Result<Own, u32>>> {
        let Some(browser) = browser else { return Ok(None) };
        let (own, now) = (Own { secret_hash: digest(browser), user }, self.clock.now());
        // Whoever has made a cookie up costs no transaction.
        if known_browsers::level(&mut self.db.read_briefly().await?, own.known(), now).await?.is_none() {
            return Ok(None);
        }
        let mut tx = self.write_unnoted().await?;
        let counted = known_browsers::attempt(&mut tx, own.known(), PACE, now).await?;
        tx.commit().await?;
        Ok(Some(counted.map(|()| own)))
    }

    /// Takes an attempt back: it was right, or not looked at.
    pub(super) async fn give_back(&self, own: &Own) {
        let giving = async {
            let mut tx = self.write_unnoted().await?;
            known_browsers::give_back(&mut tx, own.known(), PACE).await?;
            tx.commit().await
        };
        // It counts, and is over in some seconds.
        if let Err(cause) = giving.await {
            tracing::warn!(user = %own.user, %cause, "an attempt to sign in could not be taken back");
        }
    }

    /// Notes that the user has signed in with the browser whose cookie has the secret `before`, and gives another one for it, which nobody can have put there: what is
    /// known of others who have signed in with it goes along. `None` where the user has another password or second factor by now, or is gone.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn remember_browser(&self, user: &User, before: Option<&str>) -> Result<Option<String>> {
        let ((secret, secret_hash), now) = (draw(), self.clock.now());
        let mut tx = self.write_unnoted().await?;
        if !is_unchanged(&mut tx, user).await? {
            return Ok(None);
        }
        if let Some(before) = before {
            known_browsers::rename(&mut tx, &digest(before), &secret_hash).await?;
        }
        let known = Known { secret_hash: &secret_hash, user: user.id };
        known_browsers::put(&mut tx, known, until(now), MAX_KNOWN).await?;
        tx.commit().await?;
        Ok(Some(secret))
    }
}

fn until(now: UnixMillis) -> UnixMillis {
    now.plus_ms(KNOWN_FOR_MS)
}
