//! The public names: an organisation's hash and a stream's streamname, `HASH-NAME`.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How many letters and digits each half of a streamname has.
pub const NAME_LENGTH: usize = 5;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The text is not a name of the asked form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a name: {NAME_LENGTH} letters and digits, or two such joined by '-', are asked for")]
pub struct BadName;

fn is_name(text: &str) -> bool {
    text.len() == NAME_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Takes five draws, each of which must be uniform in `0..62`.
fn name_from(mut draw_below_62: impl FnMut() -> u8) -> String {
    (0..NAME_LENGTH).map(|_| char::from(ALPHABET[usize::from(draw_below_62() % 62)])).collect()
}

/// An organisation's public name: 5 letters and digits, case-sensitive. Never given twice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrganisationHash(String);

impl OrganisationHash {
    /// Makes a hash of draws that must each be uniform in `0..62`.
    #[must_use]
    pub fn draw(draw_below_62: impl FnMut() -> u8) -> Self {
        Self(name_from(draw_below_62))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A stream's public name, `HASH-NAME`; what an encoder is given. Case-sensitive. Never given twice.
///
/// Has letters, digits and one `-` only, so that it is safe as a part of a path, a URL or a storage key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Streamname(String);

impl Streamname {
    /// Makes a name of draws that must each be uniform in `0..62`.
    #[must_use]
    pub fn draw(organisation: &OrganisationHash, draw_below_62: impl FnMut() -> u8) -> Self {
        Self(format!("{}-{}", organisation.0, name_from(draw_below_62)))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The organisation's half.
    #[must_use]
    pub fn organisation_hash(&self) -> OrganisationHash {
        OrganisationHash(self.organisation_half().to_owned())
    }

    /// The same as text.
    #[must_use]
    pub fn organisation_half(&self) -> &str {
        &self.0[..NAME_LENGTH]
    }

    /// The file name of the stream's recording number `index`, counted from 1: `8sKpm-x49nB.mp4`, then `8sKpm-x49nB-2.mp4`.
    #[must_use]
    pub fn recording_file_name(&self, index: u32) -> String {
        let mut file_name = String::new();
        self.push_recording_stem(index, &mut file_name);
        file_name.push_str(".mp4");
        file_name
    }

    /// The same without its ending, behind a text.
    pub fn push_recording_stem(&self, index: u32, text: &mut String) {
        text.push_str(&self.0);
        if index > 1 {
            // Text takes all that is written to it.
            let _ = write!(text, "-{index}");
        }
    }
}

impl FromStr for OrganisationHash {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(BadName) }
    }
}

impl FromStr for Streamname {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        match text.split_once('-') {
            Some((hash, name)) if is_name(hash) && is_name(name) => Ok(Self(text.to_owned())),
            _ => Err(BadName),
        }
    }
}

macro_rules! text_conversions {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

text_conversions!(OrganisationHash);
text_conversions!(Streamname);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streamname_is_two_names_of_five() {
        let name: Streamname = "8sKpm-x49nB".parse().unwrap();
        assert_eq!(name.organisation_hash().as_str(), "8sKpm");
        for bad in
            ["8sKpm", "8sKpm-", "8sKpm-x49n", "8sKpm-x49nB-2", "8sKpm/x49nB", "8sKp.-x49nB", "8sKpm-x49nB?k=v", "ÄsKp-x49nB"]
        {
            assert_eq!(bad.parse::<Streamname>(), Err(BadName), "{bad}");
        }
    }

    #[test]
    fn the_first_recording_has_no_number() {
        let name: Streamname = "8sKpm-x49nB".parse().unwrap();
        assert_eq!(name.recording_file_name(1), "8sKpm-x49nB.mp4");
        assert_eq!(name.recording_file_name(2), "8sKpm-x49nB-2.mp4");
    }

    #[test]
    fn drawn_names_parse() {
        let mut next = 0;
        let mut draw = || {
            next += 13;
            next % 62
        };
        let hash = OrganisationHash::draw(&mut draw);
        let name = Streamname::draw(&hash, &mut draw);
        assert_eq!(name.as_str().parse::<Streamname>(), Ok(name.clone()));
        assert_eq!(name.organisation_hash(), hash);
    }
}
