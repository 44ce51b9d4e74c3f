//! Acts of consequence ask once. A native disclosure: it needs no script, and nothing happens before its second button.

use leptos::html::{Details, Summary};
use leptos::prelude::*;

use crate::live::News;

/// A button that opens a question; `children` is the form whose button does it.
#[component]
pub fn Confirm(
    /// What the first button says, such as "Delete".
    #[prop(into)]
    label: String,
    /// For screen readers, where the label alone would be ambiguous.
    #[prop(optional, into)]
    about: Option<String>,
    /// Names what is lost.
    #[prop(into)]
    question: Signal<String>,
    /// Nothing is lost by it.
    #[prop(optional)]
    calm: bool,
    children: Children,
) -> impl IntoView {
    // Its button did what it asked about. The next question, perhaps of the opposite, must not lie open where the pointer is.
    let details = NodeRef::<Details>::new();
    let summary = NodeRef::<Summary>::new();
    let news = News::of_app();
    Effect::watch(
        move || news.answered(),
        move |_, _, _| {
            if let Some(details) = details.get_untracked() {
                details.set_open(false);
            }
        },
        false,
    );
    let leave = move || {
        if let Some(details) = details.get_untracked() {
            details.set_open(false);
            // Else the focus would be lost with what it was on.
            if let Some(summary) = summary.get_untracked() {
                let _ = summary.focus();
            }
        }
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Escape" && !event.is_composing() {
            leave();
        }
    };
    view! {
        <details on:keydown=on_key node_ref=details class=if calm { "confirm calm" } else { "confirm" } name="confirm">
            <summary node_ref=summary class=if calm { "button" } else { "button danger" } aria-label=about>
                {label}
            </summary>
            <div class="confirm-box">
                <p>{move || question.get()}</p>
                {children()}
                <button type="button" class="button quiet confirm-leave" on:click=move |_| leave()>
                    "Cancel"
                </button>
            </div>
        </details>
    }
}
