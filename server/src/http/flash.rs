//! What a form leaves for the next page of its browser, which may be a key or a link that nobody else may read: sealed with what only the browser's cookie has.
//! Where it lies, and when it is taken, is `browser_session`'s.

use tower_sessions::session::Id;

use crate::sealing::SealingKey;

/// Apart from all else that is made of a session's id, such as the hash that stands beside.
const PURPOSE: &[u8] = b"afterlive: what the next page shows";

/// The database knows a hash of the id, from which nobody gets to the id or to this.
fn key(session: &Id) -> Option<SealingKey> {
    SealingKey::derive(&session.0.to_be_bytes(), PURPOSE)
}

/// `None` where that cannot be, which does not happen with texts that fit into memory.
pub(super) fn seal(session: &Id, text: &str) -> Option<String> {
    key(session)?.seal(&[], text.as_bytes())
}

/// `None` where it was not sealed for that session.
pub(super) fn open(session: &Id, sealed: &str) -> Option<String> {
    String::from_utf8(key(session)?.open(&[], sealed)?).ok()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD_NO_PAD;

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
