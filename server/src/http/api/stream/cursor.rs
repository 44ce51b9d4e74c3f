//! Where a page of streams begins, as text in a URL. Opaque to clients: they take it from the `Link` header.

use afterlive_domain::{StreamId, UnixMillis};

use crate::db::stream_search::{Order, Place};

pub(super) fn write((place, id): &(Place, StreamId)) -> String {
    match place {
        Place::CreatedAt(at) => format!("c.{}.{id}", at.0),
        Place::UpdatedAt(at) => format!("u.{}.{id}", at.0),
        Place::Name(name) => format!("n.{name}.{id}"),
    }
}

/// `None` where it is not one of ours, or was made for another order.
pub(super) fn read(text: &str, order: Order) -> Option<(Place, StreamId)> {
    let mut parts = text.splitn(3, '.');
    let (kind, value, id) = (parts.next()?, parts.next()?, parts.next()?);
    let place = match (kind, order) {
        ("c", Order::NewestFirst) => Place::CreatedAt(UnixMillis(value.parse().ok()?)),
        ("u", Order::LastUpdatedFirst) => Place::UpdatedAt(UnixMillis(value.parse().ok()?)),
        ("n", Order::ByName) => Place::Name(value.to_owned()),
        _ => return None,
    };
    Some((place, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_in_its_own_order_only() {
        let id: StreamId = "5f86a12f-3801-415a-b450-6b6a46842349".parse().unwrap();
        let orders = [Order::NewestFirst, Order::LastUpdatedFirst, Order::ByName];
        let places = [Place::CreatedAt(UnixMillis(7)), Place::UpdatedAt(UnixMillis(-7)), Place::Name("8sKpm-x49nB".to_owned())];
        for (order, place) in orders.into_iter().zip(places) {
            let text = write(&(place.clone(), id));
            for other in orders {
                assert_eq!(read(&text, other).is_some(), other == order);
            }
            assert_eq!(read(&text, order), Some((place, id)));
        }
        for bad in ["", "c", "c.1", "c.x.5f86a12f-3801-415a-b450-6b6a46842349", "c.1.x"] {
            assert_eq!(read(bad, Order::NewestFirst), None, "{bad}");
        }
    }
}
