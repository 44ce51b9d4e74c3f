//! The button of a form that makes something: a stream, a key, an invitation.

use leptos::prelude::*;

/// Sends its form once: until `pending` is over another press does nothing, as each would make one more. It is not `disabled`, which would take the focus from
/// it; and Enter in a field presses it too. Without scripts it is a plain button.
#[component]
pub fn MakeButton(
    /// Whether the form is on its way.
    #[prop(into)]
    pending: Signal<bool>,
    /// What the page is there for.
    #[prop(optional)]
    primary: bool,
    children: Children,
) -> impl IntoView {
    let press = move |event: leptos::ev::MouseEvent| {
        if pending.get_untracked() {
            event.prevent_default();
        }
    };
    view! {
        <button
            class=if primary { "button primary" } else { "button" }
            aria-disabled=move || pending.get().then_some("true")
            on:click=press
        >
            {children()}
        </button>
    }
}
