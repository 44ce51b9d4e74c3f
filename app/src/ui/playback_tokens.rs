//! Playback tokens on a stream's page: those that open it, a form to make another, and the URLs with a token that was just made.

use afterlive_domain::{Permission, StreamId};
use leptos::form::ActionForm;
use leptos::prelude::*;

use super::confirm::Confirm;
use super::copy::{CopyBlock, CopyRow};
use super::icon::Icon;
use super::make_button::MakeButton;
use super::notice::clear_after;
use super::rows::keyed_rows;
use super::snippets::{iframe_html, video_html};
use super::when::When;
use crate::backend::{Overview, PlaybackTokenRow, PlayoutUrls, TokenScope};
use crate::live::{loaded, refresh_after};
use crate::query::and_query;
use crate::server_fns::Flash;
use crate::server_fns::playback::{MakePlaybackToken, RevokePlaybackToken, load_playback_tokens};

fn may_make_tokens(overview: Signal<Overview>) -> Memo<bool> {
    Memo::new(move |_| overview.with(|overview| overview.role.is_some_and(|role| role.allows(Permission::EditStreams))))
}

/// A sentence for operators, from wherever on the pages of the stream they are.
#[component]
pub fn WhereTokensAreMade(overview: Signal<Overview>) -> impl IntoView {
    let may_make = may_make_tokens(overview);
    let url = move || overview.with(|overview| format!("/stream/{}?tab=code#playback-access-title", overview.stream.id));
    move || {
        if may_make.get() {
            view! {
                "Tokens are made "
                // External, as the router scrolls before the tab is there to scroll to.
                <a href=url rel="external">
                    "under “Playback access”"
                </a>
                "."
            }
            .into_any()
        } else {
            view! { "Who may edit streams makes tokens." }.into_any()
        }
    }
}

/// Absent for who may not make tokens.
#[component]
pub fn PlaybackAccess(overview: Signal<Overview>) -> impl IntoView {
    let stream = overview.with_untracked(|overview| overview.stream.id);
    let may_make = may_make_tokens(overview);
    let needed = Memo::new(move |_| overview.with(|overview| needed_for(overview.live_public, overview.vod_public)));
    move || {
        may_make.get().then(|| {
            view! {
                <section class="card" aria-labelledby="playback-access-title">
                    <h2 id="playback-access-title">"Playback access"</h2>
                    <p class="muted small">{move || needed.get()}</p>
                    {loaded(
                        Signal::stored(stream),
                        load_playback_tokens,
                        || ().into_any(),
                        move |tokens| view! { <TokenTable stream tokens /> },
                    )}
                    <NewTokenForm stream />
                </section>
            }
        })
    }
}

fn needed_for(live_public: bool, vod_public: bool) -> &'static str {
    match (live_public, vod_public) {
        (true, true) => {
            "This organisation's streams and recordings are public, so that no token is needed. The switches are under Organisation."
        }
        (false, true) => "Live is not public: viewers need a playback token. Recordings play for who has their URL.",
        (true, false) => "Recordings are not public: viewers need a playback token. What is live plays for who knows the name.",
        (false, false) => "Neither live nor recordings are public: viewers need a playback token.",
    }
}

#[component]
fn NewTokenForm(stream: StreamId) -> impl IntoView {
    let action = ServerAction::<MakePlaybackToken>::new();
    refresh_after(action);
    let form = NodeRef::new();
    clear_after(form, |flash| matches!(flash, Flash::NewPlaybackToken { .. }));
    view! {
        <ActionForm action node_ref=form>
            <input type="hidden" name="stream" value=stream.to_string() />
            <div class="inline-form">
                <label class="grow">
                    "Label"
                    <input type="text" name="label" required maxlength="100" placeholder="Who it is for" />
                </label>
                <div class="joined">
                    <label>
                        "Good for"
                        <input type="number" name="amount" required min="1" max="8784" value="1" />
                    </label>
                    <label>
                        <span class="offscreen">"Days or hours"</span>
                        <select name="unit">
                            <option value="days">"days"</option>
                            <option value="hours">"hours"</option>
                        </select>
                    </label>
                </div>
            </div>
            <label>
                "Only from these IP addresses or networks " <small class="muted">"(empty: from anywhere)"</small>
                <input type="text" name="ips" placeholder="203.0.113.7, 198.51.100.0/24" />
            </label>
            <label>
                "Only in players on these sites " <small class="muted">"(empty: on any)"</small>
                <input type="text" name="domains" placeholder="example.com, *.example.com" />
            </label>
            <MakeButton pending=action.pending()>
                {Icon::Key.draw()} "Make a playback token"
            </MakeButton>
        </ActionForm>
    }
}

#[component]
fn TokenTable(stream: StreamId, tokens: Signal<Vec<PlaybackTokenRow>>) -> impl IntoView {
    let is_empty = Memo::new(move |_| tokens.with(Vec::is_empty));
    let row = move |token: Signal<PlaybackTokenRow>| view! { <TokenRow stream token /> }.into_any();
    move || {
        if is_empty.get() {
            return view! { <p class="muted small">"No tokens yet."</p> }.into_any();
        }
        view! {
            <table class="key-table">
                <caption class="offscreen">"Playback tokens that open this stream, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Label"</th>
                        <th scope="col">"Opens"</th>
                        <th scope="col">"Only for"</th>
                        <th scope="col">"Until " <small>"(UTC)"</small></th>
                        <th scope="col">"Made by"</th>
                        <th scope="col">
                            <span class="offscreen">"Revoke"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>{keyed_rows(tokens, |token| token.id, row)}</tbody>
            </table>
        }
        .into_any()
    }
}

fn scope_text(scope: &TokenScope) -> String {
    match scope {
        TokenScope::Organisation => "all streams".to_owned(),
        TokenScope::Stream => "this stream".to_owned(),
        TokenScope::Tags(tags) => format!("streams with {}", tags.as_slice().join(", ")),
    }
}

fn bounds_text(token: &PlaybackTokenRow) -> String {
    let all: Vec<&str> = token.ips.iter().chain(&token.domains).map(String::as_str).collect();
    if all.is_empty() { "anybody".to_owned() } else { all.join(", ") }
}

#[component]
fn TokenRow(stream: StreamId, token: Signal<PlaybackTokenRow>) -> impl IntoView {
    let revoke = ServerAction::<RevokePlaybackToken>::new();
    refresh_after(revoke);
    let first = token.get_untracked();
    let question = format!("Whoever watches with the token “{}” is refused from then on. This cannot be undone.", first.label);
    view! {
        <tr>
            <td data-label="Label">{first.label.clone()}</td>
            <td data-label="Opens">{scope_text(&first.scope)}</td>
            <td data-label="Only for">{bounds_text(&first)}</td>
            <td data-label="Until (UTC)">
                <When at=Signal::stored(first.expires_at) />
            </td>
            <td data-label="Made by">{first.made_by.clone()}</td>
            <td>
                <Confirm label="Revoke" about=format!("Revoke the token {}", first.label) question=Signal::stored(question)>
                    <ActionForm action=revoke>
                        <input type="hidden" name="stream" value=stream.to_string() />
                        <input type="hidden" name="token" value=first.id.to_string() />
                        <button class="button danger solid">"Revoke the token"</button>
                    </ActionForm>
                </Confirm>
            </td>
        </tr>
    }
}

/// A token that was just made, in each URL that it opens, and in the code for other people's pages.
#[component]
pub fn NewToken(label: String, token: String, playout: PlayoutUrls) -> impl IntoView {
    let parameter = format!("token={token}");
    let with_token = |url: &str| and_query(url, &parameter);
    let embed = with_token(&playout.embed);
    let iframe = iframe_html(&embed);
    let video = playout.newest_recording.as_deref().map(|url| video_html(&with_token(url), None));
    let urls = [
        ("Playout page", Some(with_token(&playout.page))),
        ("For an iframe", Some(embed)),
        ("HLS", Some(with_token(&playout.hls))),
        ("WebSocket", Some(with_token(&playout.websocket))),
        ("WebRTC", Some(with_token(&playout.whep))),
        ("RTMP", Some(with_token(&playout.rtmp))),
        ("Newest recording", playout.newest_recording.as_deref().map(with_token)),
    ];
    view! {
        <section class="notice key" role="status" aria-label="New playback token">
            <p>
                {Icon::Key.draw()} <span>
                    "The playback token “" {label} "” is made. Copy it now: " <strong>"it is shown this once"</strong> ", and is not stored."
                </span>
            </p>
            <CopyRow label="Playback token" value=token />
            {urls
                .into_iter()
                .filter_map(|(label, url)| url.map(|url| view! { <CopyRow label=label.to_owned() value=url /> }))
                .collect_view()}
            <CopyBlock label="The player in an iframe, with the token" value=iframe />
            {video.map(|html| view! { <CopyBlock label="The newest recording as HTML video, with the token" value=html /> })}
        </section>
    }
}
