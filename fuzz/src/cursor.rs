//! Cursors, as they come back in a URL: a byte that chooses the list, then the text.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use crate::db::stream_search::{Order, Place};
use crate::db::{asset_search, delivery_log};
use crate::script::Script;
use crate::stream_cursor::{read, write};

pub(crate) fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let list = script.byte();
    let text = String::from_utf8_lossy(script.rest());
    let order = match list % 5 {
        0 => Order::NewestFirst,
        1 => Order::LastUpdatedFirst,
        2 => Order::ByName,
        3 => return read_back::<asset_search::Place>(&text),
        // That of the audit log is a whole number, which the standard library reads.
        _ => return read_back::<delivery_log::Place>(&text),
    };
    let Some(begin) = read(&text, order) else { return };
    let is_of_the_order = match begin.0 {
        Place::CreatedAt(_) => order == Order::NewestFirst,
        Place::UpdatedAt(_) => order == Order::LastUpdatedFirst,
        Place::Name(_) => order == Order::ByName,
    };
    assert!(is_of_the_order, "{text}");
    // What a page would give out for it leads to the same place.
    assert_eq!(read(&write(&begin), order), Some(begin), "{text}");
}

fn read_back<T: FromStr<Err: Debug + PartialEq> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(place) = text.parse::<T>() {
        assert_eq!(place.to_string().parse::<T>(), Ok(place), "{text}");
    }
}
