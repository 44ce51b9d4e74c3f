//! Fields that lists are filtered by; the form around them asks with GET, so that what they say lives in the URL.

use leptos::prelude::*;

/// A field that says what the URL says, also where somebody has typed into it since: an attribute alone would be its first value only.
#[component]
pub fn FilterField(
    label: &'static str,
    /// As `<input>` has it.
    kind: &'static str,
    name: &'static str,
    #[prop(into)] value: Signal<Option<String>>,
    #[prop(optional)] placeholder: &'static str,
    /// The id of the `<datalist>` with suggestions.
    #[prop(optional)]
    list: Option<&'static str>,
    /// Takes the room that others leave.
    #[prop(optional)]
    grows: bool,
) -> impl IntoView {
    view! {
        <label class:grow=grows>
            {label}
            <input
                type=kind
                name=name
                list=list
                placeholder=(!placeholder.is_empty()).then_some(placeholder)
                maxlength=(kind != "date").then_some("200")
                value=move || value.get()
                prop:value=move || value.get().unwrap_or_default()
            />
        </label>
    }
}

/// A tag, with those of the organisation as suggestions.
#[component]
pub fn TagField(#[prop(into)] value: Signal<Option<String>>, known: Memo<Vec<String>>) -> impl IntoView {
    view! {
        <FilterField label="Tag" kind="text" name="tag" list="known-tags" value />
        <datalist id="known-tags">
            {move || known.get().into_iter().map(|tag| view! { <option value=tag></option> }).collect_view()}
        </datalist>
    }
}

/// Back to the list without them; shown where one of them says something.
#[component]
pub fn ClearFilters(#[prop(into)] is_filtered: Signal<bool>, #[prop(into)] url: Signal<String>) -> impl IntoView {
    move || {
        is_filtered.get().then(|| {
            view! {
                <a class="button quiet" href=url.get()>
                    "Clear"
                </a>
            }
        })
    }
}
