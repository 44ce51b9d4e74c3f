//! What people call a thing, and below it the name that machines have for it.

use leptos::prelude::*;

/// The name alone where there is no title.
#[must_use]
pub fn named(title: Option<String>, name: String) -> AnyView {
    match title {
        Some(title) => view! {
            <span class="named">
                <span class="title">{title}</span>
                " "
                <span class="name mono">{name}</span>
            </span>
        }
        .into_any(),
        None => view! { <span class="named mono">{name}</span> }.into_any(),
    }
}
