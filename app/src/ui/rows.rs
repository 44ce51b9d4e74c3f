//! Keyed rows whose data are replaced in place.

use std::hash::Hash;

use leptos::prelude::*;

/// One view for each item, which stays (open, playing, focused) while its item's data change, and goes when the item does.
pub fn keyed_rows<R, K>(
    rows: Signal<Vec<R>>,
    key: fn(&R) -> K,
    view: impl Fn(Signal<R>) -> AnyView + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    R: Clone + PartialEq + Send + Sync + 'static,
    K: Clone + Eq + Hash + Send + Sync + 'static,
{
    let children = move |first: R| {
        let mine = key(&first);
        let row = Memo::new(move |old: Option<&R>| {
            let now = rows.with(|rows| rows.iter().find(|row| key(row) == mine).cloned());
            now.or_else(|| old.cloned()).unwrap_or_else(|| first.clone())
        });
        view(row.into())
    };
    view! { <For each=move || rows.get() key=key children=children /> }
}
