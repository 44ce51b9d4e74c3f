//! The second factor to sign in with: codes by an app (RFC 6238), the secret that they are made of as a QR code and as it is kept, and recovery codes. Knows no
//! user's row and no request; who is asked for a code, and how often, is `service/second_factor`'s.

mod key;
mod qr;
mod recovery;

use std::fmt;

use afterlive_domain::UnixMillis;
use data_encoding::BASE32_NOPAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use totp_rs::{Builder, Totp};

pub use self::key::{KeyError, Keyring, MIN_KEY_CHARS, Opening};
pub use self::qr::Qr;
pub use self::recovery::{RecoveryCode, RecoveryCodes};
use crate::random;

/// As RFC 4226 §4 recommends: 160 bits.
pub const SECRET_BYTES: usize = 20;
/// A code is good for so long, and for as long before and after.
pub const STEP_S: u64 = 30;
/// All but RFC 3986's unreserved characters: apps read a `+` as what it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a user's app and we have in common. It has no `==`: nothing is to be found out by comparing.
#[derive(Clone)]
pub struct TotpSecret([u8; SECRET_BYTES]);

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

impl TotpSecret {
    #[must_use]
    pub fn draw() -> Self {
        let bytes = random::secret_bytes();
        Self(std::array::from_fn(|at| bytes[at]))
    }

    /// `None` where there are not as many bytes as we draw.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As apps take it where somebody types it, and as [`TotpSecret::from_base32`] reads it.
    #[must_use]
    pub fn to_base32(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    #[must_use]
    pub fn from_base32(text: &str) -> Option<Self> {
        BASE32_NOPAD.decode(text.as_bytes()).ok().and_then(|bytes| Self::of(&bytes))
    }

    /// The step of which `code` is, where that is the one of now, the one before or the one after (RFC 6238 §5.2). Whether it was used before is not known here.
    #[must_use]
    pub fn step_of(&self, code: &str, now: UnixMillis) -> Option<i64> {
        let now_s = u64::try_from(now.0 / 1_000).ok()?;
        self.totp().check(code, now_s).and_then(|step| i64::try_from(step).ok())
    }

    /// What the QR code says: whose codes these are, so that an app lists them under it.
    #[must_use]
    pub fn uri(&self, issuer: &str, account: &str) -> String {
        let [issuer, account] = [issuer, account].map(|text| utf8_percent_encode(text, RESERVED));
        format!("otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}", self.to_base32())
    }

    /// Six digits by SHA-1, which is what all apps know.
    fn totp(&self) -> Totp {
        // Of the right length by its type, and all else is the library's default: there is nothing to refuse.
        Builder::new().with_step_duration(STEP_S).with_secret(self.0).build_noncompliant()
    }
}

/// What is typed on a phone has spaces in it, and dashes: all but letters and digits is left out.
#[must_use]
pub fn as_typed(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, for SHA-1: of eight digits the last six.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    fn of_rfc() -> TotpSecret {
        TotpSecret::of(b"12345678901234567890").unwrap()
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (at_s, code) in VECTORS {
            assert_eq!(of_rfc().step_of(code, UnixMillis(at_s * 1_000)), Some(at_s / 30), "{at_s}");
            assert_eq!(TotpSecret::draw().step_of(code, UnixMillis(at_s * 1_000)), None, "another's");
        }
    }

    #[test]
    fn a_code_is_good_in_its_step_and_in_those_beside_it() {
        let (at_s, code) = VECTORS[3];
        let begins_s = at_s / 30 * 30;
        let good = |s: i64| of_rfc().step_of(code, UnixMillis(s * 1_000 + 999)) == Some(at_s / 30);
        assert_eq!(
            [begins_s - 31, begins_s - 30, begins_s, begins_s + 59, begins_s + 60].map(good),
            [false, true, true, true, false]
        );
        for wrong in ["", "00592", "0059240", "00592x", "005925", "٠٠٥٩٢٤", "-05924"] {
            assert_eq!(of_rfc().step_of(wrong, UnixMillis(at_s * 1_000)), None, "{wrong}");
        }
        assert_eq!(of_rfc().step_of(code, UnixMillis(-1)), None, "a clock before 1970 fails nothing");
    }

    #[test]
    fn a_secret_is_read_as_it_was_written_and_not_shown_by_mistake() {
        assert_eq!(of_rfc().to_base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let secret = TotpSecret::draw();
        assert_eq!(TotpSecret::from_base32(&secret.to_base32()).unwrap().as_bytes(), secret.as_bytes());
        assert_ne!(TotpSecret::draw().as_bytes(), secret.as_bytes());
        for wrong in ["", "GEZDGNBVGY3TQOJQ", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1", "gezdgnbvgy3tqojqgezdgnbvgy3tqojq"] {
            assert!(TotpSecret::from_base32(wrong).is_none(), "{wrong}");
        }
        assert_eq!(BASE32_NOPAD.encode(b"f"), "MY", "RFC 4648 §10, without the padding");
        assert_eq!(format!("{secret:?}"), "TotpSecret(…)");
    }

    #[test]
    fn an_app_is_told_whose_codes_they_are() {
        let uri = of_rfc().uri("Afterlive live.example.com", "ada+1@example.com");
        let of = "Afterlive%20live.example.com";
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(uri, format!("otpauth://totp/{of}:ada%2B1%40example.com?secret={secret}&issuer={of}"));
    }

    #[test]
    fn spaces_and_dashes_are_no_part_of_a_code() {
        assert_eq!(as_typed(" 287 082 "), "287082");
        assert_eq!(as_typed("abcd-efgh\n"), "abcdefgh");
    }
}
