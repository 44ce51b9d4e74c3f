//! Cursors, as they come back in a URL: a byte that chooses the list, then the text.

use crate::db::asset_search;
use crate::db::stream_search::{Order, Place};
use crate::script::Script;
use crate::stream_cursor::{read, write};

pub(crate) fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let list = script.byte();
    let text = String::from_utf8_lossy(script.rest());
    let order = match list % 4 {
        0 => Order::NewestFirst,
        1 => Order::LastUpdatedFirst,
        2 => Order::ByName,
        _ => {
            if let Ok(place) = text.parse::<asset_search::Place>() {
                assert_eq!(place.to_string().parse(), Ok(place), "{text}");
            }
            return;
        }
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
