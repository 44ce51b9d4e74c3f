//! What a form leaves for the next page of its browser, which may be a key or a link that nobody else may read: sealed with what only the browser's cookie has.
//! Where it lies, and when it is taken, is `browser_session`'s.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use tower_sessions::session::Id;

use crate::random;

/// Apart from all else that is made of a session's id, such as the hash that stands beside.
const PURPOSE: &[u8] = b"afterlive: what the next page shows";

/// The database knows a hash of the id, from which nobody gets to the id or to this.
fn key(session: &Id) -> Option<LessSafeKey> {
    let secret = Salt::new(HKDF_SHA256, &[]).extract(&session.0.to_be_bytes());
    let key = UnboundKey::from(secret.expand(&[PURPOSE], &AES_256_GCM).ok()?);
    Some(LessSafeKey::new(key))
}

/// `None` where that cannot be, which does not happen with texts that fit into memory.
pub(super) fn seal(session: &Id, text: &str) -> Option<String> {
    let nonce = *random::secret_bytes().first_chunk::<NONCE_LEN>()?;
    let mut sealed = text.as_bytes().to_vec();
    key(session)?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).ok()?;
    Some(BASE64_STANDARD_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
}

/// `None` where it was not sealed for that session.
pub(super) fn open(session: &Id, sealed: &str) -> Option<String> {
    let mut sealed = BASE64_STANDARD_NO_PAD.decode(sealed).ok()?;
    let (nonce, sealed) = sealed.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let text = key(session)?.open_in_place(nonce, Aad::empty(), sealed).ok()?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://live.example.com/invitation/e41f50f4";

    #[test]
    fn only_the_session_that_it_is_for_reads_it() {
        let (session, other) = (Id(7), Id(8));
        let sealed = seal(&session, LINK).unwrap();
        assert_eq!(open(&session, &sealed).as_deref(), Some(LINK));
        assert_eq!(open(&other, &sealed), None);
        assert_ne!(sealed, seal(&session, LINK).unwrap());
        let bytes = BASE64_STANDARD_NO_PAD.decode(&sealed).unwrap();
        assert!(!bytes.windows(8).any(|part| LINK.as_bytes().windows(8).any(|of_link| of_link == part)));
        for wrong in ["", "x", &sealed[1..], &sealed.replace(char::is_numeric, "A")] {
            assert_eq!(open(&session, wrong), None);
        }
    }
}
