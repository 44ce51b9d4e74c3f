//! Where a recording stands in the library's order, and the text that says so. A file of its own, without SQL, so that a fuzzer can have it.

use std::fmt;
use std::str::FromStr;

use afterlive_domain::{AssetId, UnixMillis};

/// Where a recording stands in the order. As text it is a cursor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub created_at: UnixMillis,
    pub id: AssetId,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at.0, self.id)
    }
}

/// The text is no place of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a cursor")]
pub struct BadPlace;

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> std::result::Result<Self, BadPlace> {
        let (created_at, id) = text.split_once('.').ok_or(BadPlace)?;
        Ok(Self { created_at: UnixMillis(created_at.parse().map_err(|_| BadPlace)?), id: id.parse().map_err(|_| BadPlace)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is_one() {
        let id: AssetId = "5f86a12f-3801-415a-b450-6b6a46842349".parse().unwrap();
        for ms in [0, -7, 1_793_812_159_899, i64::MAX] {
            let place = Place { created_at: UnixMillis(ms), id };
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for bad in
            ["", ".", "7", "7.", "7.x", "x.5f86a12f-3801-415a-b450-6b6a46842349", "9e9.5f86a12f-3801-415a-b450-6b6a46842349"]
        {
            assert_eq!(bad.parse::<Place>(), Err(BadPlace), "{bad}");
        }
    }
}
