//! Session tokens: what a program gets for a user's e-mail and password, and sends in place of an API key. Short-lived, and worth nothing from the moment the
//! user is gone or has another password or second factor. What viewers have is another thing, under other secrets: `playback/token`.
//!
//! A token reads as a JWT, since programs look into it for its end. Nothing is believed for its signature, by us or by anybody: what counts is its SHA-256 in
//! the table, which is looked up at each call. So nothing that is stored anywhere could make one.

use std::net::IpAddr;

use afterlive_domain::{Act, Error as Refusal, OrganisationId, Role, UnixMillis, UserId};
use ring::hmac;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::write::{Note, who};
use super::{Caller, Identity, Result, Service, SignIn, jwt};
use crate::db;
use crate::db::session_tokens::SessionToken;
use crate::db::users::User;
use crate::hexadecimal::hexadecimal;
use crate::random;

/// From its making on a token is good for so long; then its program signs in anew.
pub const LIFETIME_S: i64 = 12 * 3_600;
/// The most tokens that a user has at a time; one more ends the oldest. Who signs in at every call fills no table.
pub const MAX_TOKENS: u32 = 100;
/// Of whom the tokens are.
const AUDIENCE: &str = "afterlive-api";

/// For the program, which may read them. We never do.
#[derive(Serialize)]
struct Claims {
    aud: &'static str,
    sub: UserId,
    org: OrganisationId,
    role: Role,
    /// In seconds, as RFC 7519 has them.
    iat: i64,
    exp: i64,
}

/// A token that was just made. The only time that it is in clear.
struct NewToken {
    row: SessionToken,
    /// What the program sends.
    text: String,
}

impl NewToken {
    /// Signed with a key that nobody has any more when this returns: 256 bits of the token are then nobody's to guess.
    fn draw(user: &User, now: UnixMillis) -> Self {
        let iat = now.0.div_euclid(1_000);
        let exp = iat + LIFETIME_S;
        let claims = Claims { aud: AUDIENCE, sub: user.id, org: user.organisation, role: user.role, iat, exp };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &random::secret_bytes());
        // Texts and numbers alone: this does not fail.
        let text = jwt::sign(&key, &serde_json::to_string(&claims).unwrap_or_default());
        let row = SessionToken {
            user: user.id,
            role: user.role,
            password_digest: user.credentials_digest(),
            created_at: now,
            expires_at: UnixMillis(exp * 1_000),
        };
        Self { row, text }
    }
}

/// Of a token or a link, which nobody can guess.
pub(super) fn digest(text: &str) -> String {
    hexadecimal(&sha256(text))
}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

impl Service {
    /// A token for the user, by e-mail and password. `address` is the program's. Slowed as signing in is, and counted with it.
    ///
    /// # Errors
    /// `BadCredentials`, whichever is wrong, and where the user is gone; `ParameterRequired` for a user with a second factor where `code` is none, with the right
    /// password; `WrongState` where the user must set one up first; `Suspended`; `TooMany`.
    pub async fn make_session_token(&self, email: &str, password: &str, code: Option<&str>, address: IpAddr) -> Result<String> {
        let user = match self.check_sign_in(email, password, address.into()).await? {
            SignIn::Done(user) => user,
            SignIn::Suspended => return Err(Refusal::Suspended.into()),
            SignIn::NeedsCode(half) => self.finish_for_token(&half, code, address).await?,
            SignIn::WrongCredentials => return Err(Refusal::BadCredentials.into()),
            SignIn::TooManyAttempts { retry_after_s } => return Err(Refusal::TooMany { retry_after_s }.into()),
        };
        let found = db::users::admission(&mut self.db.read_briefly().await?, user.id).await?;
        if found.is_some_and(|found| found.must_enrol()) {
            return Err(
                Refusal::WrongState { state: "without a second factor, which the organisation asks for".to_owned() }.into()
            );
        }
        let NewToken { row, text } = NewToken::draw(&user, self.clock.now());
        let mut tx = self.write_sign_in(&user, address).await?;
        // The password took a while to check: the user may have been removed since.
        if !db::session_tokens::add(&mut tx, &row, &digest(&text), MAX_TOKENS).await? {
            tx.roll_back();
            return Err(Refusal::BadCredentials.into());
        }
        db::users::signed_in(&mut tx, user.id, self.clock.now()).await?;
        tx.commit(Note::of(Act::SessionTokenMade, user.id)).await?;
        tracing::info!(user = %user.id, "made a session token");
        Ok(text)
    }

    /// The caller behind a session token: the user as it is now, with the role that it had when the token was made where that is less. Each call looks, and
    /// none writes.
    ///
    /// # Errors
    /// `BadCredentials` where it is none of ours or has expired, the user is gone, or the password is another; `Suspended`.
    pub async fn token_caller(&self, token: &str, address: IpAddr) -> Result<Caller> {
        let mut connection = self.db.read_briefly().await?;
        let hash = sha256(token);
        let row = hexadecimal(&hash);
        let Some(token) = db::session_tokens::by_hash(&mut connection, &row, self.clock.now()).await? else {
            // Those that have expired are in the table for a while.
            if let Some((organisation, user)) = db::session_tokens::owner(&mut connection, &row).await? {
                let by = (who(Identity::Token(user)), Some(address));
                self.note(organisation, by, Note::of(Act::SessionTokenRefused, user));
            }
            return Err(Refusal::BadCredentials.into());
        };
        let found = db::users::admission(&mut connection, token.user).await?.ok_or(Refusal::BadCredentials)?;
        if found.user.credentials_digest() != token.password_digest || found.must_enrol() {
            return Err(Refusal::BadCredentials.into());
        }
        let user = found.unless_suspended().ok_or(Refusal::Suspended)?;
        let (role, identity) = (user.role.min(token.role), Identity::Token(user.id));
        Ok(Caller { organisation: user.organisation, role, identity, from: Some(address), let_in_by: Some(hash) })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_793_812_159_899);

    fn user() -> User {
        User {
            id: UserId(Uuid::from_u128(7)),
            organisation: OrganisationId(Uuid::from_u128(9)),
            email: "ada@example.com".into(),
            password_hash: "$argon2id$x".into(),
            role: Role::Admin,
            created_at: NOW,
            last_sign_in_at: None,
            system_administrator: false,
            second_factor: None,
        }
    }

    #[test]
    fn a_program_can_read_when_its_token_ends() {
        let token = NewToken::draw(&user(), NOW);
        assert!(token.text.len() <= 512, "{}", token.text.len());
        let payload = BASE64_URL_SAFE_NO_PAD.decode(token.text.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(claims["exp"], json!(NOW.0 / 1_000 + LIFETIME_S));
        assert_eq!(token.row.expires_at, UnixMillis((NOW.0 / 1_000 + LIFETIME_S) * 1_000));
        assert_eq!((&claims["sub"], &claims["role"]), (&json!(user().id), &json!("nanoAdmin")));
        for secret in ["argon2", "ada@example.com", &token.row.password_digest] {
            assert!(!String::from_utf8_lossy(&payload).contains(secret), "{secret}");
        }
    }

    #[test]
    fn no_token_is_another_though_all_else_is_alike() {
        let (one, other) = (NewToken::draw(&user(), NOW), NewToken::draw(&user(), NOW));
        assert_ne!(one.text, other.text);
        assert_eq!(one.row, other.row);
        let signature = |token: &NewToken| token.text.rsplit_once('.').unwrap().1.to_owned();
        assert_ne!(signature(&one), signature(&other));
    }
}
