//! Recovery codes: what signs in in the app's place, each once.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest as _, Sha256};

use crate::hexadecimal::hexadecimal;
use crate::random;

/// How many are made at a time.
pub const CODES: usize = 10;
/// 120 bits: from 112 on a plain hash is enough (SP 800-63B-4 §3.1.2.2), as nobody tries them all.
const CODE_BYTES: usize = 15;
/// As they are read out.
const GROUP: usize = 4;

/// One of them, in clear, to be shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(String);

/// All of a user's.
pub struct RecoveryCodes(pub Vec<RecoveryCode>);

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

impl RecoveryCode {
    fn draw() -> Self {
        let letters = BASE32_NOPAD.encode(&random::secret_bytes()[..CODE_BYTES]).to_lowercase();
        let groups: Vec<&str> = (0..letters.len()).step_by(GROUP).filter_map(|at| letters.get(at..at + GROUP)).collect();
        Self(groups.join("-"))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is kept, of what somebody typed without spaces and dashes; `None` where that cannot be one.
    #[must_use]
    pub fn hash_of(typed: &str) -> Option<String> {
        let is_one = typed.len() == CODE_BYTES * 8 / 5 && typed.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_one.then(|| hexadecimal(&Sha256::digest(typed.to_lowercase().as_bytes())))
    }
}

impl RecoveryCodes {
    #[must_use]
    pub fn draw() -> Self {
        Self((0..CODES).map(|_| RecoveryCode::draw()).collect())
    }

    #[must_use]
    pub fn hashes(&self) -> Vec<String> {
        self.0.iter().filter_map(|code| RecoveryCode::hash_of(&super::as_typed(code.as_str()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::second_factor::as_typed;

    #[test]
    fn each_is_another_is_read_however_it_is_typed_and_never_shown_by_mistake() {
        let codes = RecoveryCodes::draw();
        let hashes: BTreeSet<String> = codes.hashes().into_iter().collect();
        assert_eq!(hashes.len(), CODES);
        let code = codes.0[0].as_str();
        assert!(code.len() == 29 && code.split('-').all(|group| group.len() == 4), "{code}");
        for typed in [code.to_owned(), code.to_uppercase(), format!(" {} ", code.replace('-', " "))] {
            assert_eq!(RecoveryCode::hash_of(&as_typed(&typed)), Some(codes.hashes()[0].clone()), "{typed}");
        }
        assert!(!codes.hashes().iter().any(|hash| hash.contains(&code[..4]) && hash.contains(&code[5..9])));
        for wrong in ["", "287082", &code[..28]] {
            assert_eq!(RecoveryCode::hash_of(&as_typed(wrong)), None, "{wrong}");
        }
        assert_eq!(format!("{:?}", codes.0[0]), "RecoveryCode(…)");
    }
}
