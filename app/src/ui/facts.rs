//! The stream itself: its names, dates and tags.

use afterlive_domain::{Permission, Tags};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::copy::CopyRow;
use super::icon::Icon;
use super::interruption::PresentState;
use super::outcome::{Outcome, described_by, is_refused, typed};
use super::when::When;
use crate::backend::{Overview, Push, PushState, StreamFilter, StreamRow};
use crate::format;
use crate::live::refresh_after;
use crate::query::stream_list_url;
use crate::server_fns::streams::{SetPushUrl, SetTags};

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
    let push = Memo::new(move |_| overview.with(|overview| overview.push.clone()));
    // Asked of a memo, as each figure of the push would make the form anew.
    let has_push = Memo::new(move |_| push.with(Option::is_some));
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
                    <PresentState overview />
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
                {move || {
                    has_push
                        .get()
                        .then(|| {
                            view! {
                                <dt>"Pushed to"</dt>
                                <dd>
                                    {move || push.get().map(push_facts)}
                                    {move || may_edit.get().then(|| view! { <EditPushUrl overview push /> })}
                                </dd>
                            }
                        })
                }}
            </dl>
        </section>
    }
}

/// Where it is also pushed to, and how that does.
fn push_facts(push: Push) -> AnyView {
    let state = push.state.map(|state| match state {
        PushState::Connecting => view! { <p>"Connecting …"</p> }.into_any(),
        PushState::Pushing { since, bytes, without_sound } => view! {
            <p>
                {Icon::Ready.draw()} " Pushing since " <When at=Signal::stored(since) /> " UTC, " {format::megabytes(bytes)} " sent"
            </p>
            {without_sound
                .map(|why| {
                    view! {
                        <p class="notice warn">
                            {Icon::Incomplete.draw()} <span>"Without its sound at the moment: " {why} "."</span>
                        </p>
                    }
                })}
        }
        .into_any(),
        PushState::Failed { reason, next_try_at } => view! {
            <p class="notice warn">
                {Icon::Incomplete.draw()}
                <span>"Not pushed: " {reason} ". Next try at " <When at=Signal::stored(next_try_at) /> " UTC."</span>
            </p>
        }
        .into_any(),
    });
    let url = match push.url {
        Some(url) => view! { <span class="mono">{url}</span> }.into_any(),
        None => view! { <span class="muted">"nowhere"</span> }.into_any(),
    };
    view! {
        {url}
        {state}
    }
    .into_any()
}

/// Which stream the form is about, and the page it stands on, to lead back to: what is live from there, or watched, goes on.
#[component]
fn About(overview: Signal<Overview>) -> impl IntoView {
    let stream = overview.with_untracked(|overview| overview.stream.id.to_string());
    let back = use_location().pathname;
    view! {
        <input type="hidden" name="stream" value=stream />
        <input type="hidden" name="back" value=move || back.get() />
    }
}

#[component]
fn EditPushUrl(overview: Signal<Overview>, push: Memo<Option<Push>>) -> impl IntoView {
    let action = ServerAction::<SetPushUrl>::new();
    refresh_after(action);
    let (is_refused, typed) = (is_refused("push-url"), typed("push-url"));
    let url = Memo::new(move |_| push.with(|push| push.as_ref().and_then(|push| push.url.clone()).unwrap_or_default()));
    view! {
        <details class="more edit-tags" id="push-url" open=typed.with_untracked(Option::is_some)>
            <summary>"Edit the push URL"</summary>
            <Outcome card="push-url" />
            <ActionForm action>
                <About overview />
                <label>
                    "RTMP URL with the key at its end; empty: pushed nowhere"
                    <input
                        type="text"
                        name="url"
                        maxlength="2048"
                        placeholder="rtmp://live.example.com/app/key"
                        aria-invalid=move || is_refused.get().then_some("true")
                        aria-describedby=move || is_refused.get().then_some("push-url-problem")
                        value=move || typed.get().unwrap_or_else(|| url.get())
                    />
                </label>
                <button class="button">"Save the push URL"</button>
            </ActionForm>
        </details>
    }
}

#[component]
fn EditTags(overview: Signal<Overview>, tags: Memo<Tags>) -> impl IntoView {
    let action = ServerAction::<SetTags>::new();
    refresh_after(action);
    let (is_refused, described_by, typed) = (is_refused("tags"), described_by("tags"), typed("tags"));
    view! {
        <details class="more edit-tags" id="tags" open=typed.with_untracked(Option::is_some)>
            <summary>"Edit tags"</summary>
            <Outcome card="tags" />
            <ActionForm action>
                <About overview />
                <label>
                    "Tags, separated by commas"
                    <input
                        type="text"
                        name="tags"
                        maxlength="2000"
                        aria-invalid=move || is_refused.get().then_some("true")
                        aria-describedby=described_by
                        value=move || typed.get().unwrap_or_else(|| tags.get().as_slice().join(", "))
                    />
                </label>
                <p class="muted small" id="tags-hint">
                    "The tag " <code>"title:…"</code> " is the stream's name, which viewers see."
                </p>
                <button class="button">"Save tags"</button>
            </ActionForm>
        </details>
    }
}
