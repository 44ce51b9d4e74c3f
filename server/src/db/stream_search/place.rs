//! The orders of a list of streams, and where a stream stands in one. A file of its own, without SQL, so that a fuzzer can have what reads cursors.

use afterlive_domain::UnixMillis;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    #[default]
    NewestFirst,
    LastUpdatedFirst,
    ByName,
}

/// What a row is sorted by, apart from its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    CreatedAt(UnixMillis),
    UpdatedAt(UnixMillis),
    Name(String),
}
