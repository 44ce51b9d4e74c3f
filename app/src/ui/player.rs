//! The player of recordings: the browser's own, which knows the keyboard, captions and picture in picture; below it a bar of pictures to find a
//! place by, once there are some. How it follows a recording that grows is in [`follow`].

mod follow;

use afterlive_domain::AssetState;
use leptos::html::Video;
use leptos::prelude::*;

use self::follow::Follower;
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
    /// It is being recorded: the URL leads to what there is of it so far.
    pub is_growing: bool,
}

impl Playable {
    /// `None` where there is nothing to play yet, or any more.
    #[must_use]
    pub fn of(row: &RecordingRow) -> Option<Self> {
        is_watchable(row).then(|| Self {
            url: row.play_url(),
            poster_url: row.poster_url.as_ref().map(|url| row.to_load(url)).or_else(|| row.still_url.clone()),
            storyboard_url: row.storyboard_url.as_ref().map(|url| row.to_load(url)),
            duration_ms: row.duration_ms,
            name: row.file_name.clone(),
            is_growing: row.state == AssetState::Recording,
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
pub fn Player(
    #[prop(into)] playable: Signal<Playable>,
    #[prop(into)] wanted: Signal<bool>,
    /// Told whether somebody is in the midst of watching: has begun, and not come to the end.
    #[prop(optional)]
    watched: RwSignal<bool>,
) -> impl IntoView {
    let video = NodeRef::<Video>::new();
    let position_ms = RwSignal::new(0.0);
    let poster = Memo::new(move |_| playable.with(|playable| playable.poster_url.clone()));
    let url = Memo::new(move |_| playable.with(|playable| playable.url.clone()));
    let name = Memo::new(move |_| playable.with(|playable| playable.name.clone()));
    let is_growing = Memo::new(move |_| playable.with(|playable| playable.is_growing));
    let storyboard = Memo::new(move |_| {
        playable.with(|playable| playable.storyboard_url.clone().map(|url| (url, playable.duration_ms, playable.name.clone())))
    });
    let follower = Follower::new(video, url, is_growing);
    let read_position = move || {
        // Between two sources the element stands at nought.
        if let Some(video) = video.get_untracked().filter(|_| !follower.is_changing()) {
            position_ms.set(video.current_time() * 1_000.0);
        }
    };
    let seek = Callback::new(move |ms: f64| {
        position_ms.set(ms);
        follower.seek(ms / 1_000.0);
    });
    let ended = move |_| {
        watched.set(false);
        follower.ended();
    };
    // Without a script a bar would do nothing.
    let is_alive = RwSignal::new(false);
    Effect::new(move |_| is_alive.set(true));
    let note = move || {
        is_growing.get().then(|| {
            let text = match (is_alive.get(), follower.is_waiting()) {
                (true, true) => "Still being recorded. This is all there is of it so far; it goes on by itself in a moment.",
                (true, false) => {
                    "Still being recorded. The player follows it: at the end of what there is, it goes on with what came since."
                }
                (false, _) => "Still being recorded. What there is of it up to now plays here, from its start.",
            };
            view! { <p class="player-note muted small">{text}</p> }
        })
    };
    view! {
        <div class="player-with-bar">
            <video
                class="player"
                node_ref=video
                controls
                playsinline
                preload=move || if wanted.get() { "metadata" } else { "none" }
                poster=move || poster.get()
                // Changed by the follower alone, as each setting of it loads anew.
                src=url.get_untracked()
                aria-label=move || name.get()
                on:timeupdate=move |_| read_position()
                on:seeking=move |_| {
                    read_position();
                    follower.moved();
                }
                on:playing=move |_| {
                    watched.set(true);
                    follower.playing();
                }
                on:pause=move |_| follower.paused()
                on:ended=ended
                on:loadedmetadata=move |_| follower.loaded()
                on:error=move |_| follower.failed()
            ></video>
            {move || {
                storyboard
                    .get()
                    .filter(|_| is_alive.get())
                    .map(|(url, duration_ms, name)| view! { <Scrubber url duration_ms name position_ms seek /> })
            }}
            {note}
        </div>
    }
}
