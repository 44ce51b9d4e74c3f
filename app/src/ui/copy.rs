//! Values to copy: the button, and the row of label, value and button.

use std::time::Duration;

use leptos::prelude::*;

use super::icon::Icon;
use crate::browser;

/// How long a button says "Copied".
const SHOWN: Duration = Duration::from_secs(2);

/// What screen readers are told, wherever on the page something was copied.
#[derive(Clone, Copy)]
struct Spoken(RwSignal<&'static str>);

/// The page's one live region. Provides the context that the buttons speak through, so it stands above them.
#[component]
pub fn CopySpeaker() -> impl IntoView {
    let spoken = RwSignal::new("");
    provide_context(Spoken(spoken));
    view! {
        <p class="offscreen" role="status">
            {move || spoken.get()}
        </p>
    }
}

/// Copies `value`; `what` completes "Copy …" for screen readers. Is not shown where there are no scripts.
#[component]
pub fn CopyButton(#[prop(into)] value: Signal<String>, #[prop(into)] what: Signal<String>) -> impl IntoView {
    let copied = RwSignal::new(None::<bool>);
    let spoken = use_context::<Spoken>();
    let copy = move |_| {
        let done = move |worked: bool| {
            copied.try_set(Some(worked));
            if let Some(Spoken(spoken)) = spoken {
                spoken.set(if worked { "Copied" } else { "Could not copy. The text is selected by a click on it." });
            }
            set_timeout(
                move || {
                    copied.try_set(None);
                    if let Some(Spoken(spoken)) = spoken {
                        spoken.set("");
                    }
                },
                SHOWN,
            );
        };
        browser::copy(value.get_untracked(), done);
    };
    let face = move || match copied.get() {
        None => (Icon::Copy.draw(), "Copy"),
        Some(true) => (Icon::Ready.draw(), "Copied"),
        Some(false) => (Icon::Failed.draw(), "Failed"),
    };
    view! {
        <button
            type="button"
            class="copy-button"
            class:copied=move || copied.get() == Some(true)
            aria-label=move || format!("Copy {}", what.get())
            on:click=copy
        >
            {face}
        </button>
    }
}

/// A labelled value with its button; one click on the value selects all of it.
#[component]
pub fn CopyRow(
    #[prop(into)] label: Signal<String>,
    #[prop(into)] value: Signal<String>,
    /// A word beside the label, such as "live only".
    #[prop(optional, into)]
    note: Option<String>,
) -> impl IntoView {
    view! {
        <div class="copy-row">
            <span class="copy-label">{move || label.get()} {note.filter(|note| !note.is_empty()).map(|note| view! { <em>{note}</em> })}</span>
            <code class="copy-value">{move || value.get()}</code>
            <CopyButton value what=label />
        </div>
    }
}

/// Several lines, such as an embed code.
#[component]
pub fn CopyBlock(#[prop(into)] label: Signal<String>, #[prop(into)] value: Signal<String>) -> impl IntoView {
    view! {
        <div class="copy-block">
            <div class="copy-head">
                <span class="copy-label">{move || label.get()}</span>
                <CopyButton value what=label />
            </div>
            <pre tabindex="0"><code>{move || value.get()}</code></pre>
        </div>
    }
}
