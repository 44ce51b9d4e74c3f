//! The stream itself: its names, dates and tags.

use afterlive_domain::{Permission, Tags};
use leptos::form::ActionForm;
use leptos::prelude::*;

use super::copy::CopyRow;
use super::state_pill::StreamPill;
use super::when::When;
use crate::backend::{Overview, StreamFilter, StreamRow};
use crate::live::refresh_after;
use crate::query::stream_list_url;
use crate::server_fns::streams::SetTags;

/// Tags, each a link to the streams that have it where `linked`.
#[must_use]
pub fn tag_list(tags: &Tags, linked: bool) -> AnyView {
    let tag = |tag: &String| {
        let name = tag.clone();
        if linked {
            let url = stream_list_url(&StreamFilter { tag: Some(tag.clone()), page_size: 25, page: 1, ..Default::default() });
            view! {
                <li>
                    <a class="tag" href=url>
                        {name}
                    </a>
                </li>
            }
            .into_any()
        } else {
            view! {
                <li>
                    <span class="tag">{name}</span>
                </li>
            }
            .into_any()
        }
    };
    if tags.as_slice().is_empty() {
        view! { <span class="muted">"none"</span> }.into_any()
    } else {
        view! { <ul class="tags">{tags.as_slice().iter().map(tag).collect_view()}</ul> }.into_any()
    }
}

#[component]
pub fn StreamFacts(overview: Signal<Overview>) -> impl IntoView {
    let of_stream = move |of: fn(&StreamRow) -> String| Signal::derive(move || overview.with(|overview| of(&overview.stream)));
    let may_edit =
        Memo::new(move |_| overview.with(|overview| overview.role.is_some_and(|role| role.allows(Permission::EditStreams))));
    let is_outside = Memo::new(move |_| overview.with(|overview| overview.role.is_none()));
    let tags = Memo::new(move |_| overview.with(|overview| overview.stream.tags.clone()));
    view! {
        <section class="card" aria-labelledby="stream-facts">
            <h2 id="stream-facts">"Stream"</h2>
            // Outsiders have no use for it, and could publish with it.
            {move || {
                (!is_outside.get())
                    .then(|| view! { <CopyRow label="Streamname" value=of_stream(|stream| stream.streamname.to_string()) /> })
            }}
            <CopyRow label="Stream ID" value=of_stream(|stream| stream.id.to_string()) />
            <dl class="facts">
                <dt>"State"</dt>
                <dd>
                    <StreamPill state=Signal::derive(move || overview.with(|overview| overview.stream.state)) />
                </dd>
                <dt>"Created"</dt>
                <dd>
                    <When at=Signal::derive(move || overview.with(|overview| overview.stream.created_at)) />
                    " UTC"
                </dd>
                <dt>"Updated"</dt>
                <dd>
                    <When at=Signal::derive(move || overview.with(|overview| overview.stream.updated_at)) />
                    " UTC"
                </dd>
                <dt>"Tags"</dt>
                <dd>
                    {move || tag_list(&tags.get(), !is_outside.get())}
                    {move || may_edit.get().then(|| view! { <EditTags overview tags /> })}
                </dd>
            </dl>
        </section>
    }
}

#[component]
fn EditTags(overview: Signal<Overview>, tags: Memo<Tags>) -> impl IntoView {
    let action = ServerAction::<SetTags>::new();
    refresh_after(action.version());
    let stream = overview.with_untracked(|overview| overview.stream.id.to_string());
    view! {
        <details class="more edit-tags">
            <summary>"Edit tags"</summary>
            <ActionForm action>
                <input type="hidden" name="stream" value=stream />
                <label>
                    "Tags, separated by commas"
                    <input type="text" name="tags" maxlength="2000" value=move || tags.get().as_slice().join(", ") />
                </label>
                <button class="button">"Save tags"</button>
            </ActionForm>
        </details>
    }
}
