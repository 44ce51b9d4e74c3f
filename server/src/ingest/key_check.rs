//! Whether an encoder shows the publish key that is asked for, and how often one may be wrong. Knows no stream: which key is asked for, and whether one is,
//! is the gate's to find.

use std::net::IpAddr;

use afterlive_domain::UnixMillis;

use crate::address::subscriber;
use crate::publish_key::{self, PublishKey};
use crate::rate_limit::RateLimit;

/// So many wrong keys of one address are told to be wrong and no more; then one in [`INTERVAL_MS`].
const AT_ONCE: u16 = 30;
const INTERVAL_MS: u32 = 5_000;

/// Why a key does not let the encoder in, in words for the one who looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadKey {
    #[error("a publish key is missing: copy the stream key as the stream's page shows it, with ?key= and what follows")]
    Missing,
    #[error("the publish key is wrong: copy the stream key anew from the stream's page")]
    Wrong,
    #[error("too many wrong publish keys: copy the stream key anew from the stream's page, and try again in {retry_after_s} s")]
    TooMany { retry_after_s: u32 },
    /// One is required, and the server has nothing to compare it with.
    #[error(
        "the publish keys are lost: an administrator saves them anew on the organisation's page, then copy the stream key from the stream's page"
    )]
    Lost,
}

#[derive(Debug)]
pub(super) struct KeyCheck {
    wrong_by_address: RateLimit<IpAddr>,
}

impl Default for KeyCheck {
    fn default() -> Self {
        Self { wrong_by_address: RateLimit::new(AT_ONCE, INTERVAL_MS) }
    }
}

impl KeyCheck {
    /// The right key lets in whatever was shown before: who guesses from behind the encoder's own address does not keep it out. `query` is what stood behind the
    /// stream's name.
    pub(super) fn check(&self, key: &PublishKey, query: Option<&str>, address: IpAddr, now: UnixMillis) -> Result<(), BadKey> {
        let shown = query.and_then(publish_key::shown).ok_or(BadKey::Missing)?;
        if key.is(&shown) {
            return Ok(());
        }
        match self.wrong_by_address.attempt(&subscriber(address), now) {
            Ok(()) => Err(BadKey::Wrong),
            Err(retry_after_s) => Err(BadKey::TooMany { retry_after_s }),
        }
    }
}

#[cfg(test)]
mod tests {
    use afterlive_domain::StreamId;
    use uuid::Uuid;

    use super::*;
    use crate::publish_key::PublishSecret;

    const NOW: UnixMillis = UnixMillis(1_793_812_159_899);

    #[test]
    fn who_guesses_is_slowed_and_keeps_out_nobody_who_has_the_key() {
        let key = PublishSecret::draw().key(StreamId(Uuid::from_u128(1)), 0);
        let right = key.behind(&"8sKpm-x49nB".parse().unwrap());
        let right = right.split_once('?').map(|(_, query)| query);
        let check = KeyCheck::default();
        let show = |query: Option<&str>, address: &str, after_ms: i64| {
            check.check(&key, query, address.parse().unwrap(), NOW.plus_ms(after_ms))
        };
        for _ in 0..AT_ONCE {
            assert_eq!(show(Some("key=a"), "192.0.2.1", 0), Err(BadKey::Wrong));
            assert_eq!(show(None, "192.0.2.1", 0), Err(BadKey::Missing), "no guess, and not counted");
            assert_eq!(show(right, "192.0.2.1", 0), Ok(()), "not counted");
        }
        for _ in 0..3 {
            assert_eq!(show(Some("key=a"), "192.0.2.1", 0), Err(BadKey::TooMany { retry_after_s: 6 }));
            assert_eq!(show(None, "192.0.2.1", 0), Err(BadKey::Missing));
            assert_eq!(show(right, "192.0.2.1", 0), Ok(()));
        }
        assert_eq!(show(Some("key=a"), "192.0.2.2", 0), Err(BadKey::Wrong), "another address");
        assert_eq!(show(Some("key=a"), "192.0.2.1", INTERVAL_MS.into()), Err(BadKey::Wrong));
    }
}
