//! Publish keys: what an encoder shows behind a stream's name where its organisation asks for it. Makes them, reads and compares them; who asks for one, and
//! what a wrong one leads to, is decided elsewhere.

mod query;

use std::fmt;

use afterlive_domain::{StreamId, Streamname};
use ring::hmac;
use subtle::ConstantTimeEq as _;

use self::query::PAIR;
pub use self::query::{bare_name, shown, without_key};
use crate::hexadecimal::hexadecimal;
use crate::random;

/// 128 bits: nobody guesses that. In hexadecimal as many letters as make the log leave out part of a path.
const KEY_BYTES: usize = 16;

/// What an organisation asks of encoders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PublishKeys {
    /// The stream's name is enough.
    Off,
    /// A stream's key, which is made of this.
    On(PublishSecret),
    /// Keys, and what they were made of is gone, as by a bad restore: none is right, and none can be shown.
    Lost,
}

impl PublishKeys {
    #[must_use]
    pub fn are_required(&self) -> bool {
        !matches!(self, Self::Off)
    }
}

/// An organisation's, of which the keys of its streams are made.
#[derive(Clone, Eq)]
pub struct PublishSecret(String);

impl PublishSecret {
    #[must_use]
    pub fn draw() -> Self {
        Self(hexadecimal(&random::secret_bytes()))
    }

    /// As [`PublishSecret::as_str`] gave it.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of the stream, whose key has been renewed so often: always the same, and no other's.
    #[must_use]
    pub fn key(&self, stream: StreamId, renewals: i64) -> PublishKey {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes());
        let tag = hmac::sign(&secret, format!("{stream}:{renewals}").as_bytes());
        PublishKey(hexadecimal(&tag.as_ref()[..KEY_BYTES]))
    }
}

/// Takes as long wherever two differ.
impl PartialEq for PublishSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for PublishSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublishSecret(…)")
    }
}

/// A stream's: letters and digits, which stand in every URL as they are. It has no `==`, but [`PublishKey::is`].
#[derive(Clone)]
pub struct PublishKey(String);

impl PublishKey {
    /// What is copied into an encoder.
    #[must_use]
    pub fn behind(&self, streamname: &Streamname) -> String {
        format!("{streamname}?{PAIR}={}", self.0)
    }

    /// Takes as long wherever they differ.
    #[must_use]
    pub fn is(&self, shown: &str) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

impl fmt::Debug for PublishKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublishKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn stream(number: u128) -> StreamId {
        StreamId(Uuid::from_u128(number))
    }

    #[test]
    fn a_key_is_the_same_each_time_and_another_for_each_stream_renewal_and_organisation() {
        let secret = PublishSecret::draw();
        let PublishKey(key) = secret.key(stream(1), 0);
        assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
        let again = PublishSecret::stored(secret.as_str().to_owned()).key(stream(1), 0);
        assert!(again.is(&key));
        for other in [secret.key(stream(2), 0), secret.key(stream(1), 1), PublishSecret::draw().key(stream(1), 0)] {
            assert!(!other.is(&key));
        }
        for wrong in ["", &key[..31], &format!("{key}0"), &key.to_uppercase().replace(char::is_numeric, "A")] {
            assert!(!again.is(wrong), "{wrong}");
        }
    }

    #[test]
    fn keys_and_secrets_are_not_shown_by_mistake() {
        let secret = PublishSecret::draw();
        assert_eq!(format!("{secret:?} {:?}", secret.key(stream(1), 0)), "PublishSecret(…) PublishKey(…)");
    }

    #[test]
    fn a_key_is_read_wherever_it_stands_and_all_else_is_left() {
        for (query, key, others) in [
            ("key=a", Some("a"), ""),
            ("passcode=7&key=a&x=%26+1", Some("a"), "passcode=7&x=%26+1"),
            ("%6bey=a%2B&key=b", Some("a+"), ""),
            ("key", Some(""), ""),
            ("Key=a&keys=b&key%5B%5D=c", None, "Key=a&keys=b&key%5B%5D=c"),
            ("", None, ""),
        ] {
            assert_eq!((shown(query).as_deref(), without_key(query, |_| true).as_str()), (key, others), "{query}");
        }
        assert_eq!(without_key("key=a&key=b&x=b", |key| key == "b"), "key=a&x=b", "only these keys");
    }

    #[test]
    fn what_is_copied_into_an_encoder_is_read_back() {
        let name: Streamname = "8sKpm-x49nB".parse().unwrap();
        let key = PublishSecret::draw().key(stream(1), 0);
        let copied = key.behind(&name);
        let (before, query) = copied.split_once('?').unwrap();
        assert_eq!(before, name.as_str());
        assert!(key.is(&shown(query).unwrap()));
        assert_eq!(bare_name(&copied), name.as_str());
        for other in ["", "8sKpm-x49nB", "title:Who am I? A talk", "?key=a"] {
            assert_eq!(bare_name(other), other);
        }
    }
}
