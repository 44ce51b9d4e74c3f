//! What signs events, by the Standard Webhooks convention. Pure, but for drawing a new one; knows nothing of who is told what.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::random;

const PREFIX: &str = "whsec_";
/// Of the key, by the convention.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// An endpoint's: `whsec_` and the key in base64. Not compared with anything that others send.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// The text is no secret of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a secret")]
pub struct BadSecret;

impl Secret {
    #[must_use]
    pub fn draw() -> Self {
        Self(format!("{PREFIX}{}", STANDARD.encode(random::secret_bytes())))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One signature, as it stands in the header `webhook-signature`. `at_s` is in seconds since 1970.
    #[must_use]
    pub fn sign(&self, id: &str, at_s: i64, body: &str) -> String {
        // It was read when it was made.
        let key = key(&self.0).unwrap_or_default();
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
        context.update(format!("{id}.{at_s}.").as_bytes());
        context.update(body.as_bytes());
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

fn key(text: &str) -> Result<Vec<u8>, BadSecret> {
    let encoded = text.strip_prefix(PREFIX).ok_or(BadSecret)?;
    STANDARD.decode(encoded).ok().filter(|key| KEY_BYTES.contains(&key.len())).ok_or(BadSecret)
}

impl FromStr for Secret {
    type Err = BadSecret;

    fn from_str(text: &str) -> Result<Self, BadSecret> {
        key(text).map(|_| Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the convention's libraries are tested with.
    #[test]
    fn a_signature_is_the_one_that_the_convention_gives() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_drawn_anew_read_back_and_not_shown_by_mistake() {
        let (one, other) = (Secret::draw(), Secret::draw());
        assert_ne!(one, other);
        assert_eq!(one.as_str().parse::<Secret>().unwrap(), one);
        assert_eq!(format!("{one:?}"), "Secret(…)");
        for bad in ["", "whsec_", "whsec_x", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ="] {
            assert!(bad.parse::<Secret>().is_err(), "{bad}");
        }
    }
}
