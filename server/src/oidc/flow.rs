//! One sign-in by the provider, from the button to the way back: what the browser keeps of it meanwhile, and what follows from that. Pure but for its secret.
//!
//! The cookie has all of it, and the server keeps nothing of strangers. *State*, *nonce* and the *code verifier* are made of the cookie's secret, each for itself, so
//! that none of those that travel gives another one away; and the state is made of what the sign-in is for as well, so that a cookie that was changed answers nothing.

use afterlive_domain::UnixMillis;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::random;

/// So long somebody may take at the provider.
pub const MAX_FLOW_MS: i64 = 10 * 60_000;
/// The clocks of nodes may differ by so much: who comes back at once may come back to another one.
const SKEW_MS: i64 = 60_000;
/// The longest cookie that is read.
const MAX_COOKIE_BYTES: usize = 3 * 1024;

/// What somebody wants of the provider.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Purpose {
    SignIn,
    /// To connect their account. That they have given their password for this very way stands in the browser's session: what a cookie says anybody can write.
    Connect,
    /// To become the user that was invited, by the secret of the link.
    Accept {
        secret: String,
    },
}

/// One way to the provider and back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    secret: String,
    pub purpose: Purpose,
    /// The page to go to after it.
    pub next: String,
    begun_at: UnixMillis,
}

impl Flow {
    /// `next` is a path of ours.
    #[must_use]
    pub fn begin(purpose: Purpose, next: &str, now: UnixMillis) -> Self {
        Self { secret: BASE64_URL_SAFE_NO_PAD.encode(random::secret_bytes()), purpose, next: next.to_owned(), begun_at: now }
    }

    /// As the browser keeps it; `None` where it would be too long for a cookie.
    #[must_use]
    pub fn to_cookie(&self) -> Option<String> {
        let text = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).ok()?);
        (text.len() <= MAX_COOKIE_BYTES).then_some(text)
    }

    /// What the browser kept, where it is not too old.
    #[must_use]
    pub fn from_cookie(text: &str, now: UnixMillis) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok().filter(|_| text.len() <= MAX_COOKIE_BYTES)?;
        let flow: Self = serde_json::from_slice(&bytes).ok()?;
        (-SKEW_MS..MAX_FLOW_MS).contains(&now.ms_since(flow.begun_at)).then_some(flow)
    }

    /// What comes back by the browser with the code.
    #[must_use]
    pub fn state(&self) -> String {
        let what = serde_json::to_string(&(&self.purpose, &self.next, self.begun_at)).unwrap_or_default();
        self.derive("state", &what)
    }

    /// Whether a state is of this very sign-in.
    #[must_use]
    pub fn is_answered_by(&self, state: &str) -> bool {
        self.state().as_bytes().ct_eq(state.as_bytes()).into()
    }

    /// What stands in the ID token.
    #[must_use]
    pub fn nonce(&self) -> String {
        self.derive("nonce", "")
    }

    /// What shows that who redeems the code is who asked for it (RFC 7636).
    #[must_use]
    pub fn verifier(&self) -> String {
        self.derive("verifier", "")
    }

    /// What the provider is told of the verifier: S256.
    #[must_use]
    pub fn challenge(&self) -> String {
        s256(&self.verifier())
    }

    fn derive(&self, purpose: &str, what: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, format!("{purpose}\0{what}").as_bytes()))
    }
}

fn s256(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_793_812_159_899);

    fn flow() -> Flow {
        Flow::begin(Purpose::SignIn, "/stream", NOW)
    }

    #[test]
    fn a_flow_comes_back_from_its_cookie_for_ten_minutes() {
        let flow = flow();
        let cookie = flow.to_cookie().unwrap();
        assert!(Flow::from_cookie(&cookie, NOW) == Some(flow.clone()));
        assert!(Flow::from_cookie(&cookie, NOW.plus_ms(MAX_FLOW_MS - 1)) == Some(flow));
        assert!(Flow::from_cookie(&cookie, NOW.plus_ms(MAX_FLOW_MS)).is_none());
        assert!(Flow::from_cookie(&cookie, NOW.plus_ms(-SKEW_MS)).is_some(), "by another node's clock");
        assert!(Flow::from_cookie(&cookie, NOW.plus_ms(-SKEW_MS - 1)).is_none(), "of the future");
        for wrong in ["", "x", &cookie[1..], &"A".repeat(10_000)] {
            assert!(Flow::from_cookie(wrong, NOW).is_none(), "{wrong}");
        }
        assert_eq!(Flow::begin(Purpose::SignIn, &"/".repeat(5_000), NOW).to_cookie(), None);
    }

    #[test]
    fn a_state_is_of_one_flow_with_its_purpose_and_its_page() {
        let flow = flow();
        let state = flow.state();
        assert!(flow.is_answered_by(&state));
        for other in [
            Flow { purpose: Purpose::Connect, ..flow.clone() },
            Flow { next: "/other".into(), ..flow.clone() },
            Flow { begun_at: NOW.plus_ms(1), ..flow.clone() },
            self::flow(),
        ] {
            assert!(!other.is_answered_by(&state));
        }
        assert!(!flow.is_answered_by(""));
    }

    #[test]
    fn what_travels_is_all_different_and_the_verifier_is_long_enough() {
        let flow = flow();
        let all = [flow.state(), flow.nonce(), flow.verifier(), flow.challenge(), flow.secret.clone()];
        for (n, one) in all.iter().enumerate() {
            assert_eq!(one.len(), 43);
            assert!(all.iter().skip(n + 1).all(|other| other != one));
        }
    }

    #[test]
    fn the_challenge_is_the_one_of_the_specification() {
        // RFC 7636, appendix B.
        assert_eq!(s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
