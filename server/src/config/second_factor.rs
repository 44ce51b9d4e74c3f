//! The section `[second_factor]`: the key under which the secrets of second factors lie in the database.

use std::fmt;

use super::reader::Reader;
use crate::second_factor::MIN_KEY_CHARS;

/// Shown by nothing.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SecondFactor {
    /// `None`: this server draws one, and keeps it in `data_dir`.
    pub key: Option<String>,
}

impl fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecondFactor(…)")
    }
}

impl SecondFactor {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let key = reader.take_secret("second_factor.key");
        if key.as_ref().is_some_and(|key| key.len() < MIN_KEY_CHARS) {
            let make = "such as `openssl rand -hex 32` prints";
            reader.refuse(
                "second_factor.key",
                format!("it must have at least {MIN_KEY_CHARS} characters that nobody can guess, {make}"),
            );
        }
        Self { key }
    }
}
