//! Endpoints for events: the form for one, and its state in words.

use afterlive_domain::EventKind;
use afterlive_domain::endpoint::TOLD;
use leptos::prelude::*;

use super::icon::Icon;
use super::when::When;
use crate::backend::EndpointRow;

/// The path of an endpoint's page.
#[must_use]
pub fn endpoint_path(endpoint: &EndpointRow) -> String {
    format!("/organisation/events/{}", endpoint.id)
}

/// What is told, in a few words.
fn kind_text(kind: EventKind) -> &'static str {
    match kind {
        EventKind::StreamLive => "a stream goes live",
        EventKind::StreamEnded => "a stream ends",
        EventKind::AssetStalled => "a stream is live, but its recording stands still",
        EventKind::AssetReady => "a recording is ready to be played",
        EventKind::AssetFailed => "a recording has failed, or parts of it are missing",
        EventKind::AssetDeleted => "a recording goes to the bin",
        _ => "",
    }
}

/// URL and kinds of an endpoint, within its form. `endpoint` is `None` for one that is to be made.
#[component]
pub fn EndpointFields(endpoint: Signal<Option<EndpointRow>>) -> impl IntoView {
    let url = Memo::new(move |_| endpoint.with(|row| row.as_ref().map(|row| row.url.clone()).unwrap_or_default()));
    let choice = move |kind: EventKind| {
        let is_ticked = Memo::new(move |_| endpoint.with(|row| row.as_ref().is_none_or(|row| row.kinds.has(kind))));
        view! {
            <label class="choice">
                <input type="checkbox" name=kind.as_str().replace('.', "_") checked=move || is_ticked.get() />
                <span>
                    <code>{kind.as_str()}</code>
                    <small class="muted">{kind_text(kind)}</small>
                </span>
            </label>
        }
    };
    view! {
        <label>
            "URL that is told"
            <input
                type="url"
                name="url"
                required
                maxlength="2048"
                placeholder="https://example.com/events"
                autocapitalize="none"
                autocomplete="off"
                spellcheck="false"
                value=move || url.get()
            />
        </label>
        <fieldset>
            <legend>"What it is told"</legend>
            {TOLD.into_iter().map(choice).collect_view()}
        </fieldset>
    }
}

/// How it does.
#[component]
pub fn EndpointState(endpoint: Signal<EndpointRow>) -> impl IntoView {
    let state = Memo::new(move |_| endpoint.with(|row| (row.enabled, row.gone_at, row.failing_since)));
    let is_readable = Memo::new(move |_| endpoint.with(|row| row.is_readable));
    let view = move || match state.get() {
        _ if !is_readable.get() => view! { <span class="pill failed">{Icon::Failed.draw()} "unreadable"</span> }.into_any(),
        (false, Some(at), _) => view! {
            <span class="pill failed">{Icon::Failed.draw()} "gone"</span>
            " It answered that it is gone, and was switched off "
            <When at=Signal::stored(at) />
        }
        .into_any(),
        (false, None, _) => view! { <span class="pill ended">{Icon::Ended.draw()} "off"</span> }.into_any(),
        (true, _, Some(at)) => view! {
            <span class="pill incomplete">{Icon::Incomplete.draw()} "failing"</span>
            " No try has succeeded since "
            <When at=Signal::stored(at) />
        }
        .into_any(),
        (true, _, None) => view! { <span class="pill ready">{Icon::Ready.draw()} "on"</span> }.into_any(),
    };
    // One, as narrow tables set side by side what stands in a cell.
    view! { <span>{view}</span> }
}

/// The most signs of a URL that stand in a heading.
const MAX_HEADING: usize = 120;

/// Its URL, or how that begins. All of it stands in its form.
#[must_use]
pub fn heading(endpoint: &EndpointRow) -> String {
    let mut text: String = endpoint.url.chars().take(MAX_HEADING).collect();
    if text.len() < endpoint.url.len() {
        text.push('…');
    }
    text
}
