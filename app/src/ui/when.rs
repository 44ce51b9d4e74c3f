//! Instants and spans of wall time.

use std::time::Duration;

use afterlive_domain::UnixMillis;
use leptos::prelude::*;

use crate::{browser, format};

/// An instant in UTC; the reader's own time where the pointer rests on it.
#[component]
pub fn When(#[prop(into)] at: Signal<UnixMillis>) -> impl IntoView {
    let local = RwSignal::new(None::<String>);
    Effect::new(move |_| local.set(browser::local_time(at.get())));
    let title = move || local.get().map_or_else(|| "UTC".to_owned(), |local| format!("{local} (your time)"));
    view! {
        <time datetime=move || at.get().to_string() title=title>
            {move || at.get().to_table_text()}
        </time>
    }
}

/// The time since an instant, counting. Without JavaScript there is nothing to count with: then it is the instant.
#[component]
pub fn Since(
    #[prop(into)] at: Signal<UnixMillis>,
    /// Stands still while it is not known whether it goes on.
    #[prop(into)]
    counts: Signal<bool>,
) -> impl IntoView {
    let now = RwSignal::new(None::<UnixMillis>);
    Effect::new(move |_| {
        if !counts.get() {
            return;
        }
        now.set(browser::now());
        if let Ok(handle) = set_interval_with_handle(move || now.set(browser::now()), Duration::from_secs(1)) {
            on_cleanup(move || handle.clear());
        }
    });
    move || match now.get() {
        Some(now) => format::duration(u64::try_from(now.ms_since(at.get())).unwrap_or(0)),
        None => format!("since {} UTC", at.get().to_table_text()),
    }
}
