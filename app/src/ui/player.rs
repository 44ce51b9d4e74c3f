//! The player of finished recordings: the browser's own, which knows the keyboard, captions and picture in picture.

use leptos::prelude::*;

/// What to play.
#[derive(Clone, PartialEq, Debug)]
pub struct Playable {
    pub url: String,
    pub poster_url: Option<String>,
    pub name: String,
}

/// `wanted`: load the head of the file at once, for its duration; otherwise only when the viewer asks for it.
#[component]
pub fn Player(playable: Playable, #[prop(into)] wanted: Signal<bool>) -> impl IntoView {
    view! {
        <video
            class="player"
            controls
            playsinline
            preload=move || if wanted.get() { "metadata" } else { "none" }
            poster=playable.poster_url
            src=playable.url
            aria-label=playable.name
        ></video>
    }
}
