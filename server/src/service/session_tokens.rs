//! Session tokens: what a program gets for a user's e-mail and password, and sends in place of an API key. Short-lived, and worth nothing from the moment the
//! user is gone or has another password. What viewers have is another thing, under other secrets: `playback/token`.

use std::net::IpAddr;

use afterlive_domain::{Error as Refusal, OrganisationId, Role, UnixMillis, UserId};
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::{Caller, Identity, Result, Service, SignIn, jwt};
use crate::db;
use crate::db::users::User;
use crate::hexadecimal::hexadecimal;
use crate::random;

/// From its making on a token is good for so long; then its program signs in anew.
pub const LIFETIME_S: i64 = 12 * 3_600;
/// Of whom the tokens are. No token for anything else, whatever signs it, is one of these.
const AUDIENCE: &str = "afterlive-api";
/// The name of the secret that signs them. It signs nothing else.
const SECRET: &str = "session-tokens";
/// How much of the fingerprint of a password's hash is in a token.
const FINGERPRINT_BYTES: usize = 16;

/// As they are written. A claim that is not known here could be a bound, so that it is no token for this version.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    aud: String,
    sub: UserId,
    org: OrganisationId,
    /// The most that the token may; less where the user's own is less by then.
    role: Role,
    /// Says nothing of the password; another password has another one.
    pwd: String,
    /// In seconds, as RFC 7519 has them.
    iat: i64,
    exp: i64,
}

/// Of the stored hash, which has a salt of its own; under the key, so that a token helps nobody to guess.
fn fingerprint(key: &hmac::Key, user: &User) -> String {
    let tag = hmac::sign(key, format!("password {} {}", user.id, user.password_hash).as_bytes());
    hexadecimal(&tag.as_ref()[..FINGERPRINT_BYTES])
}

fn sign(key: &hmac::Key, user: &User, now: UnixMillis) -> String {
    let iat = now.0.div_euclid(1_000);
    let claims = Claims {
        aud: AUDIENCE.to_owned(),
        sub: user.id,
        org: user.organisation,
        role: user.role,
        pwd: fingerprint(key, user),
        iat,
        exp: iat + LIFETIME_S,
    };
    // Texts and numbers alone: this does not fail.
    jwt::sign(key, &serde_json::to_string(&claims).unwrap_or_default())
}

/// What the token claims, where this key signed it and it has not expired.
fn read(key: &hmac::Key, token: &str, now: UnixMillis) -> Option<Claims> {
    let claims: Claims = serde_json::from_str(&jwt::read(Some(key), token).ok()?).ok()?;
    (claims.aud == AUDIENCE && now.0 < claims.exp.saturating_mul(1_000)).then_some(claims)
}

impl Service {
    /// A token for the user, by e-mail and password. `address` is the program's. Slowed as signing in is, and counted with it.
    ///
    /// # Errors
    /// `BadCredentials`, whichever of the two is wrong; `TooMany`.
    pub async fn make_session_token(&self, email: &str, password: &str, address: IpAddr) -> Result<String> {
        match self.sign_in(email, password, address).await? {
            SignIn::Done(user) => Ok(sign(self.session_key().await?, &user, self.clock.now())),
            SignIn::WrongCredentials => Err(Refusal::BadCredentials.into()),
            SignIn::TooManyAttempts { retry_after_s } => Err(Refusal::TooMany { retry_after_s }.into()),
        }
    }

    /// The caller behind a session token: the user as it is now, with the role that it had when the token was made where that is less. Each call looks.
    ///
    /// # Errors
    /// `BadCredentials` where it is none of ours or has expired, the user is gone, or the password is another.
    pub async fn token_caller(&self, token: &str) -> Result<Caller> {
        let key = self.session_key().await?;
        let claims = read(key, token, self.clock.now()).ok_or(Refusal::BadCredentials)?;
        let user = db::users::by_id(&mut self.db.read().await?, claims.sub).await?.ok_or(Refusal::BadCredentials)?;
        if user.organisation != claims.org || fingerprint(key, &user) != claims.pwd {
            return Err(Refusal::BadCredentials.into());
        }
        Ok(Caller { organisation: user.organisation, role: user.role.min(claims.role), identity: Identity::User(user.id) })
    }

    /// Never changes once it is made, so that it is asked for once.
    async fn session_key(&self) -> Result<&hmac::Key> {
        let find = || async {
            let found = db::secrets::get(&mut self.db.read().await?, SECRET).await?;
            let secret = match found {
                Some(secret) => secret,
                None => {
                    let mut tx = self.db.write().await?;
                    let secret = db::secrets::ensure(&mut tx, SECRET, &hexadecimal(&random::secret_bytes())).await?;
                    tx.commit().await?;
                    secret
                }
            };
            Ok(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
        };
        self.session_key.get_or_try_init(find).await
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_793_812_159_899);

    fn key(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    fn user() -> User {
        User {
            id: UserId(Uuid::from_u128(7)),
            organisation: OrganisationId(Uuid::from_u128(9)),
            email: "ada@example.com".into(),
            password_hash: "$argon2id$x".into(),
            role: Role::Admin,
            created_at: NOW,
        }
    }

    #[test]
    fn a_token_is_read_by_its_key_until_its_end() {
        let token = sign(&key(1), &user(), NOW);
        assert!(token.len() <= 512, "{}", token.len());
        let claims = read(&key(1), &token, NOW).unwrap();
        assert_eq!((claims.sub, claims.org, claims.role), (user().id, user().organisation, Role::Admin));
        let end = UnixMillis((NOW.0.div_euclid(1_000) + LIFETIME_S) * 1_000);
        assert!(read(&key(1), &token, end.plus_ms(-1)).is_some());
        assert!(read(&key(1), &token, end).is_none());
        assert!(read(&key(2), &token, NOW).is_none());
    }

    #[test]
    fn what_the_key_signed_for_others_or_with_more_in_it_is_none() {
        let claims = |json: &str| jwt::sign(&key(1), json);
        let fields = |aud: &str| {
            format!(
                r#"{{"aud":"{aud}","sub":"{}","org":"{}","role":"nanoUser","pwd":"x","iat":1,"exp":9999999999"#,
                user().id,
                user().organisation
            )
        };
        assert!(read(&key(1), &claims(&format!("{}}}", fields(AUDIENCE))), NOW).is_some());
        for none in [
            format!("{}}}", fields("other")),
            format!(r#"{},"nbf":9999999998}}"#, fields(AUDIENCE)),
            "{}".to_owned(),
            String::new(),
        ] {
            assert!(read(&key(1), &claims(&none), NOW).is_none(), "{none}");
        }
    }

    #[test]
    fn another_password_has_another_fingerprint_also_where_its_text_is_the_same() {
        let (one, other) = (user(), User { password_hash: "$argon2id$y".into(), ..user() });
        assert_ne!(fingerprint(&key(1), &one), fingerprint(&key(1), &other));
        assert_ne!(fingerprint(&key(1), &one), fingerprint(&key(2), &one));
        assert!(!fingerprint(&key(1), &one).contains("argon2"));
    }
}
