//! Fields that lists are filtered by; the form around them asks with GET, so that what they say lives in the URL.

use leptos::prelude::*;

/// A tag, with those of the organisation as suggestions.
#[component]
pub fn TagField(#[prop(into)] value: Signal<Option<String>>, known: Memo<Vec<String>>) -> impl IntoView {
    view! {
        <label>
            "Tag" <input type="text" name="tag" list="known-tags" maxlength="200" value=move || value.get() />
        </label>
        <datalist id="known-tags">
            {move || known.get().into_iter().map(|tag| view! { <option value=tag></option> }).collect_view()}
        </datalist>
    }
}

/// Two days in UTC, as `<input type="date">` has them; `label` completes "… from".
#[component]
pub fn DayFields(label: &'static str, #[prop(into)] from: Signal<String>, #[prop(into)] to: Signal<String>) -> impl IntoView {
    view! {
        <label>
            {label} " from" <input type="date" name="from" value=move || from.get() />
        </label>
        <label>
            "to" <input type="date" name="to" value=move || to.get() />
        </label>
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
