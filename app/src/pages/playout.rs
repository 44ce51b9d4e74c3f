//! `/playout/ID`: for viewers. Opens without signing in where the organisation allows it; what operators need then is absent.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::skeleton;
use crate::backend::Overview;
use crate::live::loaded;
use crate::ui::icon::Icon;
use crate::ui::overview::{OverviewCards, load, title, wanted, watch};
use crate::ui::player::{Playable, Player};
use crate::ui::state_pill::StreamPill;
use crate::ui::when::When;

#[component]
pub fn PlayoutPage() -> impl IntoView {
    loaded(wanted(), load, skeleton, |overview| view! { <Content overview /> })
}

/// The newest finished recording that the page knows of.
fn newest(overview: &Overview) -> Option<Playable> {
    let url = overview.playout.newest_recording.clone()?;
    let row = overview.recordings.rows.iter().find(|row| row.url == url);
    row.and_then(Playable::of).or_else(|| Some(Playable { name: "Recording".into(), url, ..Playable::default() }))
}

#[component]
fn Content(overview: Signal<Overview>) -> impl IntoView {
    watch(overview);
    let stage = view! {
        <Title text=move || overview.with(heading) />
        <Stage overview />
    }
    .into_any();
    // Asked once: a frame's URL stays what it is.
    if use_query_map().with_untracked(|query| query.get("embed").is_some()) {
        stage
    } else {
        view! {
            <Head overview />
            <OverviewCards overview lead=stage />
        }
        .into_any()
    }
}

fn heading(overview: &Overview) -> String {
    title(overview).unwrap_or_else(|| overview.stream.streamname.to_string())
}

#[component]
fn Head(overview: Signal<Overview>) -> impl IntoView {
    let may_operate = Memo::new(move |_| overview.with(|overview| overview.role.is_some()));
    let url = move || overview.with(|overview| format!("/stream/{}", overview.stream.id));
    view! {
        <div class="page-head">
            <div>
                <p class="kicker mono">{move || overview.with(|overview| overview.stream.streamname.to_string())}</p>
                <h1>
                    {move || overview.with(heading)} " "
                    <StreamPill state=Signal::derive(move || overview.with(|overview| overview.stream.state)) />
                </h1>
            </div>
            {move || {
                may_operate
                    .get()
                    .then(|| {
                        view! {
                            <p class="actions">
                                <a class="button" href=url>
                                    "To the stream"
                                </a>
                            </p>
                        }
                    })
            }}
        </div>
    }
}

/// The player. What a viewer watches is not taken away when a newer recording is finished: it is offered.
#[component]
fn Stage(overview: Signal<Overview>) -> impl IntoView {
    let newest = Memo::new(move |_| overview.with(newest));
    let playing = RwSignal::new(newest.get_untracked());
    Effect::new(move |_| {
        if playing.with_untracked(Option::is_none) {
            playing.set(newest.get());
        }
    });
    let is_live = Memo::new(move |_| overview.with(|overview| overview.live.is_some()));
    let since = Signal::derive(move || {
        overview.with(|overview| overview.live.as_ref().map_or(overview.stream.updated_at, |live| live.since))
    });
    let has_newer = Memo::new(move |_| {
        let url = |playable: &Option<Playable>| playable.as_ref().map(|playable| playable.url.clone());
        newest.with(url) != playing.with(url)
    });
    view! {
        <section class="stage" aria-label="Player">
            {move || {
                is_live
                    .get()
                    .then(|| {
                        view! {
                            <p class="notice live">
                                <span class="beat" aria-hidden="true"></span>
                                <span>"This stream has been live since " <When at=since /> " UTC."</span>
                            </p>
                        }
                    })
            }}
            {move || match playing.get() {
                Some(playable) => {
                    view! {
                        <p class="stage-name muted small">"Newest recording: " <span class="mono">{playable.name.clone()}</span></p>
                        <Player playable wanted=true />
                    }
                        .into_any()
                }
                None => {
                    view! {
                        <div class="empty">
                            <p>
                                {if is_live.get() {
                                    "It is not recorded so far, or its first recording is not finished yet."
                                } else {
                                    "There is no recording to play yet."
                                }}
                            </p>
                        </div>
                    }
                        .into_any()
                }
            }}
            {move || {
                has_newer
                    .get()
                    .then(|| {
                        view! {
                            <p class="actions">
                                <button type="button" class="button" on:click=move |_| playing.set(newest.get_untracked())>
                                    {Icon::Play.draw()}
                                    "A newer recording is ready: play it"
                                </button>
                            </p>
                        }
                    })
            }}
        </section>
    }
}
