//! `/playout/ID`: for viewers. Opens without signing in where the organisation allows it; what operators need then is absent.

use afterlive_domain::AssetState;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::skeleton;
use crate::backend::{Overview, RecordingRow};
use crate::live::loaded;
use crate::query::with_query;
use crate::ui::icon::Icon;
use crate::ui::interruption::{Interruption, PresentState};
use crate::ui::overview::{AlsoNamed, OverviewCards, called, load, title, wanted, watch};
use crate::ui::player::{LivePlayer, Playable, Player};
use crate::ui::rows::keyed_rows;
use crate::ui::when::When;

#[component]
pub fn PlayoutPage() -> impl IntoView {
    loaded(wanted(), load, skeleton, |overview| view! { <Content overview /> })
}

#[component]
fn Content(overview: Signal<Overview>) -> impl IntoView {
    watch(overview);
    let stage = view! { <Stage overview /> }.into_any();
    view! {
        <Title text=move || overview.with(heading) />
        <Head overview />
        <OverviewCards overview lead=stage />
    }
}

/// Outsiders are not shown the streamname in large letters: where no publish key is required, anybody can publish by it.
fn heading(overview: &Overview) -> String {
    match overview.role {
        Some(_) => called(overview),
        None => title(overview).unwrap_or_else(|| "Stream".to_owned()),
    }
}

#[component]
fn Head(overview: Signal<Overview>) -> impl IntoView {
    let may_operate = Memo::new(move |_| overview.with(|overview| overview.role.is_some()));
    let sign_in = move || overview.with(|overview| with_query("/auth", &[("next", &format!("/playout/{}", overview.stream.id))]));
    let url = move || overview.with(|overview| format!("/stream/{}", overview.stream.id));
    view! {
        <div class="page-head">
            <div>
                <h1>
                    {move || overview.with(heading)} " "
                    <PresentState overview />
                </h1>
                <AlsoNamed overview />
            </div>
            <p class="actions">
                {move || {
                    if may_operate.get() {
                        view! {
                            <a class="button" href=url>
                                "To the stream"
                            </a>
                        }
                            .into_any()
                    } else {
                        view! {
                            <a class="button" href=sign_in>
                                "Sign in"
                            </a>
                        }
                            .into_any()
                    }
                }}
            </p>
        </div>
    }
}

/// What is shown: what is on stage, unless somebody is in the midst of watching another recording, which then stays as it is known by now.
fn next_shown(shown: Option<RecordingRow>, overview: &Overview, is_watched: bool) -> Option<RecordingRow> {
    let on_stage = overview.on_stage.clone();
    let Some(shown) = shown else { return on_stage };
    if !is_watched || on_stage.as_ref().is_none_or(|row| row.id == shown.id) {
        return on_stage.or(Some(shown));
    }
    let known = overview.recordings.rows.iter().find(|row| row.id == shown.id).cloned();
    // One that is on another page of the table. A stream has one recording in progress, and it is the other.
    let state = if shown.state == AssetState::Recording { AssetState::Ready } else { shown.state };
    Some(known.unwrap_or(RecordingRow { state, ..shown }))
}

/// Whether it is live, or its encoder is waited for.
fn is_on(overview: &Overview) -> bool {
    overview.live.is_some() || overview.awaited_s.is_some()
}

/// The player: of what is live, or else of the newest recording. Neither is taken from who watches it: the other is offered.
#[component]
fn Stage(overview: Signal<Overview>) -> impl IntoView {
    let shown = RwSignal::new(overview.with_untracked(|overview| overview.on_stage.clone()));
    let watched = RwSignal::new(false);
    // While it is live: whether the viewer is shown that, and not a recording.
    let follows_live = RwSignal::new(true);
    let id_of = |row: &Option<RecordingRow>| row.as_ref().map(|row| row.id);
    // Also while an encoder that was cut off is waited for: the picture goes on where it stood.
    let is_live = Memo::new(move |_| overview.with(is_on));
    let is_awaited = Memo::new(move |_| overview.with(|overview| overview.awaited_s.is_some()));
    Effect::watch(
        move || (overview.get(), watched.get()),
        move |(overview, is_watched), before, _| {
            let was_live = before.is_some_and(|(before, _)| is_on(before));
            if is_on(overview) != was_live {
                // Who watches a recording when it goes live goes on with that.
                follows_live.set(!(*is_watched && is_on(overview)));
            }
            let before = shown.get_untracked();
            let next = next_shown(before.clone(), overview, *is_watched && !follows_live.get_untracked());
            if next != before {
                shown.set(next);
            }
        },
        false,
    );
    // Asked once: who came with a token keeps it.
    let token = StoredValue::new(use_query_map().with_untracked(|query| query.get("token").filter(|token| !token.is_empty())));
    let shows_live = Memo::new(move |_| is_live.get() && follows_live.get());
    let since = Signal::derive(move || {
        overview.with(|overview| overview.live.as_ref().map_or(overview.stream.updated_at, |live| live.since))
    });
    let rows = Signal::derive(move || if shows_live.get() { Vec::new() } else { shown.get().into_iter().collect() });
    let is_empty = Memo::new(move |_| !is_live.get() && shown.with(Option::is_none));
    let newer = Memo::new(move |_| {
        let on_stage = overview.with(|overview| overview.on_stage.as_ref().map(|row| (row.id, row.state)));
        on_stage.filter(|(id, _)| shown.with(id_of) != Some(*id)).map(|(_, state)| state)
    });
    // Whether the recording that is shown next was asked for, and so begins by itself.
    let is_asked_for = RwSignal::new(false);
    let show_newer = move |_| {
        watched.set(false);
        is_asked_for.set(true);
        shown.set(overview.with_untracked(|overview| overview.on_stage.clone()));
    };
    let show_start = move |press| {
        follows_live.set(false);
        show_newer(press);
    };
    let show_live = move |_| {
        watched.set(false);
        follows_live.set(true);
    };
    let has_recording = Memo::new(move |_| overview.with(|overview| overview.on_stage.is_some()));
    // Where nothing has arrived yet it is what was seen last.
    let live_poster = Signal::derive(move || {
        let last = overview.with(|overview| overview.on_stage.as_ref().and_then(Playable::of));
        last.filter(|_| is_awaited.get()).and_then(|last| last.poster_url)
    });
    let is_recorded = Memo::new(move |_| {
        overview.with(|overview| overview.on_stage.as_ref().is_some_and(|row| row.state == AssetState::Recording))
    });
    view! {
        // The player first: it stays where it is when what is said of it changes.
        <section class="stage" aria-label="Player">
            {move || {
                shows_live
                    .get()
                    .then(|| {
                        view! {
                            <LivePlayer
                                path=Signal::derive(move || overview.with(|overview| overview.playout.live_path.clone()))
                                label=Signal::derive(move || overview.with(heading))
                                token=token.get_value()
                                poster=live_poster
                            />
                        }
                    })
            }}
            {keyed_rows(rows, |row| row.id, move |row| view! { <Shown row newer watched is_asked_for /> }.into_any())}
            <Interruption overview />
            {move || {
                (is_live.get() && !is_awaited.get())
                    .then(|| {
                        view! {
                            <p class="notice live">
                                <span class="beat" aria-hidden="true"></span>
                                <span>"This stream has been live since " <When at=since /> " UTC."</span>
                            </p>
                        }
                    })
            }}
            {move || {
                is_empty
                    .get()
                    .then(|| {
                        view! {
                            <div class="empty">
                                <p>"There is no recording to play yet. When the stream goes live, it plays here."</p>
                            </div>
                        }
                    })
            }}
            {move || {
                (shows_live.get() && is_recorded.get())
                    .then(|| {
                        view! {
                            <p class="actions">
                                <button type="button" class="button quiet" on:click=show_start>
                                    {Icon::Previous.draw()}
                                    "Watch it from its start"
                                </button>
                            </p>
                        }
                    })
            }}
            {move || {
                (shows_live.get() && is_awaited.get() && has_recording.get())
                    .then(|| {
                        view! {
                            <p class="actions">
                                <button type="button" class="button quiet" on:click=show_start>
                                    {Icon::Play.draw()}
                                    "Play the newest recording"
                                </button>
                            </p>
                        }
                    })
            }}
            {move || {
                (is_live.get() && !shows_live.get())
                    .then(|| {
                        view! {
                            <p class="actions">
                                <button type="button" class="button" on:click=show_live>
                                    {Icon::Live.draw()}
                                    {if is_awaited.get() { "Wait for the encoder" } else { "Watch live" }}
                                </button>
                            </p>
                        }
                    })
            }}
            {move || {
                newer
                    .get()
                    .filter(|_| !shows_live.get())
                    .map(|state| {
                        view! {
                            <p class="actions">
                                <button type="button" class="button" on:click=show_newer>
                                    {Icon::Play.draw()}
                                    {if state == AssetState::Recording {
                                        "A newer recording is in progress: play it from its start"
                                    } else {
                                        "A newer recording is ready: play it"
                                    }}
                                </button>
                            </p>
                        }
                    })
            }}
        </section>
    }
}

/// One recording and what it is.
#[component]
fn Shown(
    row: Signal<RecordingRow>,
    newer: Memo<Option<AssetState>>,
    watched: RwSignal<bool>,
    is_asked_for: RwSignal<bool>,
) -> impl IntoView {
    let playable = Memo::new(move |_| row.with(Playable::of).unwrap_or_default());
    let what = move || match (row.with(|row| row.state), newer.get()) {
        (AssetState::Recording, _) => "Recorded just now, from its start: ",
        (_, None) => "Newest recording: ",
        (_, Some(_)) => "An earlier recording: ",
    };
    // Used up: what follows by itself does not begin by itself.
    let begins = is_asked_for.try_update(std::mem::take).unwrap_or_default();
    view! {
        <Player playable wanted=true watched begins />
        <p class="stage-name muted small">
            {what} <span class="mono">{move || row.with(|row| row.file_name.clone())}</span> ", "
            <When at=Signal::derive(move || row.with(|row| row.created_at)) /> " UTC"
        </p>
    }
}
