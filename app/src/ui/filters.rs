//! Fields that lists are filtered by; the form around them asks with GET, so that what they say lives in the URL.

use std::collections::BTreeMap;

use leptos::form::FromFormData as _;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use leptos_router::params::ParamsMap;

/// The form around them. By itself a browser puts every field into the URL; with a script only those that say something are.
#[component]
pub fn FilterForm(
    action: &'static str,
    /// The list's URL for what the fields say.
    url_of: fn(&ParamsMap) -> String,
    children: Children,
) -> impl IntoView {
    let navigate = use_navigate();
    let show = move |event: leptos::ev::SubmitEvent| {
        if let Ok(said) = BTreeMap::<String, String>::from_event(&event) {
            event.prevent_default();
            navigate(&url_of(&said.into_iter().collect()), NavigateOptions::default());
        }
    };
    view! {
        <form method="GET" action=action class="filters" role="search" on:submit=show>
            {children()}
        </form>
    }
}

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
