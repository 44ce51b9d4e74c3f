//! The player of finished recordings: the browser's own, which knows the keyboard, captions and picture in picture; below it a bar of pictures to
//! find a place by, once there are some.

use afterlive_domain::AssetState;
use leptos::html::Video;
use leptos::prelude::*;

use super::scrubber::Scrubber;
use crate::backend::RecordingRow;

/// What to play.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Playable {
    pub url: String,
    pub poster_url: Option<String>,
    /// WebVTT, as the server writes it.
    pub storyboard_url: Option<String>,
    pub duration_ms: u64,
    pub name: String,
}

impl Playable {
    /// `None` where there is nothing to play yet, or any more.
    #[must_use]
    pub fn of(row: &RecordingRow) -> Option<Self> {
        is_watchable(row).then(|| Self {
            url: row.url.clone(),
            poster_url: row.poster_url.clone(),
            storyboard_url: row.storyboard_url.clone(),
            duration_ms: row.duration_ms,
            name: row.file_name.clone(),
        })
    }
}

/// Whether something plays under its URL: the finished file, or what there is of it so far.
#[must_use]
pub fn is_watchable(row: &RecordingRow) -> bool {
    row.state.is_playable() || row.state == AssetState::Recording && row.duration_ms > 0
}

/// `wanted`: load the head of the file at once, for its duration; otherwise only when the viewer asks for it.
///
/// Pictures that are made while somebody watches appear, and disturb nothing.
#[component]
pub fn Player(#[prop(into)] playable: Signal<Playable>, #[prop(into)] wanted: Signal<bool>) -> impl IntoView {
    let video = NodeRef::<Video>::new();
    let position_ms = RwSignal::new(0.0);
    let poster = Memo::new(move |_| playable.with(|playable| playable.poster_url.clone()));
    let url = Memo::new(move |_| playable.with(|playable| playable.url.clone()));
    let name = Memo::new(move |_| playable.with(|playable| playable.name.clone()));
    let storyboard = Memo::new(move |_| {
        playable.with(|playable| playable.storyboard_url.clone().map(|url| (url, playable.duration_ms, playable.name.clone())))
    });
    let read_position = move |_| {
        if let Some(video) = video.get_untracked() {
            position_ms.set(video.current_time() * 1_000.0);
        }
    };
    let seek = Callback::new(move |ms: f64| {
        position_ms.set(ms);
        if let Some(video) = video.get_untracked() {
            video.set_current_time(ms / 1_000.0);
        }
    });
    // Without a script a bar would do nothing.
    let is_alive = RwSignal::new(false);
    Effect::new(move |_| is_alive.set(true));
    view! {
        <div class="player-with-bar">
            <video
                class="player"
                node_ref=video
                controls
                playsinline
                preload=move || if wanted.get() { "metadata" } else { "none" }
                poster=move || poster.get()
                src=move || url.get()
                aria-label=move || name.get()
                on:timeupdate=read_position
                on:seeking=read_position
            ></video>
            {move || {
                storyboard
                    .get()
                    .filter(|_| is_alive.get())
                    .map(|(url, duration_ms, name)| view! { <Scrubber url duration_ms name position_ms seek /> })
            }}
        </div>
    }
}
