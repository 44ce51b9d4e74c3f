//! Where a delivery stands in its endpoint's log, and the text that says so. A file of its own, without SQL, so that a fuzzer can have it.

use std::fmt;
use std::str::FromStr;

use afterlive_domain::Error as Refusal;

/// Where a delivery stands in the order. As text it is a cursor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place(pub(super) i64);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Place {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let expected = "cursor from a Link header".to_owned();
        // Counted from 1.
        text.parse::<i64>()
            .ok()
            .filter(|place| *place > 0)
            .map(Self)
            .ok_or(Refusal::WrongType { parameter: "cursor".to_owned(), expected })
    }
}
