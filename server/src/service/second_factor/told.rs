//! What users are told by mail of their second factor. None waits for a mail server, and none fails what it tells of.

use std::future::ready;
use std::net::IpAddr;

use super::codes::{FREE_WRONG_CODES, MAX_WRONG_CODES};
use crate::db;
use crate::db::users::User;
use crate::mail::{self, Letter, Posting, WrongCodes};
use crate::oidc::Provider;
use crate::service::Service;

impl Service {
    /// That it was reset.
    pub(super) fn tell_of_reset(&self, user: &User, organisation: &str) {
        self.tell(user, |site| mail::second_factor_reset(&user.email, organisation, site));
    }

    /// That somebody has got as far as to be asked for a code, and guesses: with the code after which they wait, and with the one after which the app's are taken no
    /// more. Of all others in a row nothing is told: each would be a mail that who guesses can have sent.
    pub(super) async fn tell_of_wrong_code(&self, user: &User, in_a_row: i64, from: Option<IpAddr>) {
        if !matches!(in_a_row, FREE_WRONG_CODES | MAX_WRONG_CODES) || self.mailer.is_none() {
            return;
        }
        let asking = async { db::organisations::by_id(&mut self.db.read().await?, user.organisation).await };
        let organisation = match asking.await {
            Ok(found) => found.map(|found| found.name).unwrap_or_default(),
            Err(cause) => {
                tracing::warn!(user = %user.id, %cause, "of wrong codes nobody could be told");
                return;
            }
        };
        let seen = WrongCodes {
            in_a_row,
            are_over: in_a_row == MAX_WRONG_CODES,
            at: self.clock.now(),
            from,
            provider: self.provider.as_ref().map(Provider::name),
        };
        self.tell(user, |site| mail::wrong_codes(&user.email, &organisation, site, seen));
    }

    fn tell(&self, user: &User, letter: impl FnOnce(&str) -> Letter) {
        let Some(mailer) = &self.mailer else { return };
        let is_allowed = self.mail_limits.by_organisation.attempt(&user.organisation, self.clock.now()).is_ok();
        let letter = letter(&self.config.http.public_url);
        if !is_allowed || !mailer.order(ready(Some(Posting { letter, secret_hash: None }))) {
            tracing::warn!(user = %user.id, "what was done with their second factor could not be mailed: too many mails wait");
        }
    }
}
