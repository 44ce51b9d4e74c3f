//! What a password must be, after NIST SP 800-63B-4 §3.1.1.2: long, and none that is guessed first. Which characters are in it is its owner's business.

use serde::{Deserialize, Serialize};

/// Where a password alone signs somebody in. Each Unicode code point is one.
pub const MIN_CHARS: usize = 15;
/// Argon2 would take more; a form need not. At least 256 characters of any script.
pub const MAX_BYTES: usize = 1_024;

/// Why a password is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weakness {
    Short,
    Long,
    /// Is, or is made of, what is tried first: common passwords and words, repetitions, rows of keys, the e-mail address, the organisation's name.
    Guessable,
}

impl Weakness {
    pub const ALL: [Self; 3] = [Self::Short, Self::Long, Self::Guessable];

    /// A word for URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Long => "long",
            Self::Guessable => "guessable",
        }
    }

    /// Completes "Please give …".
    #[must_use]
    pub fn asked_for(self) -> String {
        match self {
            Self::Short => format!("at least {MIN_CHARS} characters: some words in a row are long and easy to keep in mind"),
            Self::Long => format!("at most {MAX_BYTES} bytes"),
            Self::Guessable => {
                "a password that is harder to guess: this one is common, repeats itself, or is made of your e-mail address or the organisation's name"
                    .to_owned()
            }
        }
    }
}

/// # Errors
/// `Short` or `Long`. Whether it is guessable takes lists that the server has.
pub fn check_length(password: &str) -> Result<(), Weakness> {
    if password.chars().count() < MIN_CHARS {
        return Err(Weakness::Short);
    }
    if password.len() > MAX_BYTES { Err(Weakness::Long) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_characters_below_and_bytes_above() {
        assert_eq!(check_length(&"ä".repeat(14)), Err(Weakness::Short));
        assert_eq!(check_length(&"ä".repeat(15)), Ok(()));
        assert_eq!(check_length(&"ä".repeat(512)), Ok(()));
        assert_eq!(check_length(&"ä".repeat(513)), Err(Weakness::Long));
    }
}
