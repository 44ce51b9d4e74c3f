//! Storage regions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most characters of a region's name.
pub const MAX_REGION_CHARS: usize = 20;

/// The text is not a region's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a region: 1 to {MAX_REGION_CHARS} lower-case letters, digits and '-' are asked for, a letter first")]
pub struct BadRegion;

/// A region's name, `eu`, `us`, `au` or what the operator configures: lower-case letters, digits and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

impl Region {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What people call it; the bare name where the operator invented it.
    #[must_use]
    pub fn title(&self) -> &str {
        match self.0.as_str() {
            "eu" => "Europe",
            "us" => "North America",
            "au" => "Australia / Oceania",
            other => other,
        }
    }
}

impl FromStr for Region {
    type Err = BadRegion;

    fn from_str(text: &str) -> Result<Self, BadRegion> {
        let fine = (1..=MAX_REGION_CHARS).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if fine { Ok(Self(text.to_owned())) } else { Err(BadRegion) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Region {
    type Error = BadRegion;

    fn try_from(text: String) -> Result<Self, BadRegion> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0
    }
}
