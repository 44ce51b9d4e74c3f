//! The second factor: who is asked for a code, and what a right one opens. How often codes are tried is `codes`', how one is set up and done away with `own`'s, what
//! an organisation and its administrators decide `rule`'s, and what users are told of it by mail `told`'s.

mod codes;
mod own;
mod rule;
mod told;

use std::net::IpAddr;

use afterlive_domain::{Error as Refusal, UnixMillis, UserId};
use serde::{Deserialize, Serialize};

pub use self::codes::{CodeCheck, MAX_WRONG_CODES, Proven};
pub use self::own::{Enrolled, FactorChange, Offer, Offered, OwnSecondFactor, ShownOffer};
use super::{Asker, Result, Service};
use crate::db::users::User;

/// So long who has given the right password may take to give a code.
const HALF_SIGN_IN_MS: i64 = 10 * 60_000;

/// Somebody who has given the right password or come by the provider, and is asked for a code. It opens nothing. It lies in the browser's session, where whoever signs in finds it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HalfSignIn {
    user: UserId,
    /// [`User::credentials_digest`]: with another password or second factor it is over.
    digest: String,
    until: UnixMillis,
    /// The row of `user_identities` by which they came, of who came by the provider in place of a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
}

/// What came of giving a code at the sign-in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CodeSignIn {
    /// Sign them in, under a new session.
    Done(User),
    WrongCode,
    TooManyAttempts {
        retry_after_s: u32,
    },
    /// The app's codes are not looked at any more: there were too many wrong ones. Recovery codes are.
    Exhausted,
    /// It took too long, or the password or the second factor is another by now: to be begun anew.
    Over,
}

impl HalfSignIn {
    /// Of who has just given the right password, or come by the provider.
    #[must_use]
    pub fn new(user: &User, now: UnixMillis) -> Self {
        Self { user: user.id, digest: user.credentials_digest(), until: now.plus_ms(HALF_SIGN_IN_MS), identity: None }
    }

    /// The same by the provider.
    #[must_use]
    pub fn by(self, identity: String) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// The row of `user_identities` by which they came.
    #[must_use]
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    #[must_use]
    pub fn is_over(&self, now: UnixMillis) -> bool {
        now >= self.until
    }
}

impl Service {
    /// Signs in who gave the right password before, or came by the provider, by a code of their app or a recovery code. As [`Service::sign_in`].
    ///
    /// # Errors
    /// Where the server fails; a wrong code is no error.
    pub async fn finish_sign_in(&self, half: &HalfSignIn, code: &str, asker: impl Into<Asker<'_>>) -> Result<CodeSignIn> {
        let asker = asker.into();
        let address = asker.address;
        Ok(match self.check_half(half, code, asker).await? {
            CodeCheck::Right(user, proven) => {
                tracing::info!(user = %user.id, %address, "signed in with a code");
                let by = match half.identity {
                    Some(_) => format!("{}, {}", self.by_provider(), proven.in_words()),
                    None => proven.in_words(),
                };
                self.note_sign_in(&user, address, &by).await;
                CodeSignIn::Done(user)
            }
            CodeCheck::Wrong => CodeSignIn::WrongCode,
            CodeCheck::TooManyAttempts { retry_after_s } => CodeSignIn::TooManyAttempts { retry_after_s },
            CodeCheck::Exhausted => CodeSignIn::Exhausted,
            CodeCheck::Over => CodeSignIn::Over,
        })
    }

    /// As [`Service::finish_sign_in`], of a program that asks for a session token.
    ///
    /// # Errors
    /// `ParameterRequired` where there is no code; `BadCredentials`; `TooMany`.
    pub(super) async fn finish_for_token(&self, half: &HalfSignIn, code: Option<&str>, address: IpAddr) -> Result<User> {
        let code = code.ok_or_else(|| Refusal::ParameterRequired { parameter: "code".to_owned() })?;
        match self.check_half(half, code, address.into()).await? {
            CodeCheck::Right(user, _) => Ok(user),
            CodeCheck::Wrong | CodeCheck::Exhausted | CodeCheck::Over => Err(Refusal::BadCredentials.into()),
            CodeCheck::TooManyAttempts { retry_after_s } => Err(Refusal::TooMany { retry_after_s }.into()),
        }
    }

    async fn check_half(&self, half: &HalfSignIn, code: &str, asker: Asker<'_>) -> Result<CodeCheck> {
        let is_over = half.is_over(self.clock.now());
        // No code is used up for what would be worth nothing.
        if is_over || !self.is_still_connected(&mut self.db.read_briefly().await?, half.user, half.identity()).await? {
            return Ok(CodeCheck::Over);
        }
        self.check_code(half.user, &half.digest, code, Some(asker.address), asker.browser).await
    }
}
