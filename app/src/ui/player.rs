//! The player, `<afterlive-player>`, as pages hold it. What it does stands in `player/`, in JavaScript that other people's pages load too; here is what it
//! is told. Without scripts the video inside it is the browser's own player.

use afterlive_domain::AssetState;
use leptos::html::Video;
use leptos::prelude::*;

use crate::backend::RecordingRow;
use crate::query::with_query;

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

/// The player of a recording. `wanted`: load the head of the file at once, for its duration; otherwise only when the viewer asks for it.
///
/// Pictures that are made while somebody watches appear, and disturb nothing.
#[component]
pub fn Player(
    #[prop(into)] playable: Signal<Playable>,
    #[prop(into)] wanted: Signal<bool>,
    /// Told whether somebody is in the midst of watching: has begun, and not come to the end.
    #[prop(optional)]
    watched: RwSignal<bool>,
    /// By itself: the viewer has just asked for it.
    #[prop(optional)]
    begins: bool,
    /// To begin and pause it by something beside the player.
    #[prop(optional)]
    video: NodeRef<Video>,
) -> impl IntoView {
    let poster = Memo::new(move |_| playable.with(|playable| playable.poster_url.clone()));
    let url = Memo::new(move |_| playable.with(|playable| playable.url.clone()));
    let name = Memo::new(move |_| playable.with(|playable| playable.name.clone()));
    let is_growing = Memo::new(move |_| playable.with(|playable| playable.is_growing));
    let storyboard = Memo::new(move |_| playable.with(|playable| playable.storyboard_url.clone()));
    let duration_ms = Memo::new(move |_| playable.with(|playable| playable.duration_ms));
    view! {
        <afterlive-player
            src=move || url.get()
            growing=move || is_growing.get()
            storyboard=move || storyboard.get()
            duration-ms=move || duration_ms.get().to_string()
            label=move || name.get()
            autoplay=begins.then_some("1")
        >
            <video
                slot="video"
                class="player"
                controls
                playsinline
                preload=move || if wanted.get() { "metadata" } else { "none" }
                poster=move || poster.get()
                // Changed by the player alone, as each setting of it loads anew.
                src=url.get_untracked()
                aria-label=move || name.get()
                node_ref=video
                on:playing=move |_| watched.set(true)
                on:ended=move |_| watched.set(false)
            ></video>
            // The player has its own words, and shows these to nobody.
            {move || {
                is_growing
                    .get()
                    .then(|| {
                        view! {
                            <p class="player-note muted small">
                                "Still being recorded. What there is of it up to now plays here, from its start."
                            </p>
                        }
                    })
            }}
        </afterlive-player>
    }
}

/// The player of what is live. It waits where nothing is.
#[component]
pub fn LivePlayer(
    /// `/live/STREAMNAME`
    #[prop(into)]
    path: Signal<String>,
    #[prop(into)] label: Signal<String>,
    /// Without a sound, until the viewer wants one.
    #[prop(optional)]
    is_muted: bool,
    /// A playback token, of who came with one.
    #[prop(optional_no_strip)]
    token: Option<String>,
    /// What is shown before the first picture.
    #[prop(optional, into)]
    poster: Signal<Option<String>>,
) -> impl IntoView {
    let list = format!("{}/index.m3u8", path.get_untracked());
    let list = token.as_ref().map_or(list.clone(), |token| with_query(&list, &[("token", token)]));
    view! {
        <afterlive-player live=move || path.get() token=token.clone() label=move || label.get() muted=is_muted>
            // Some browsers play the list by themselves; the player takes it away from all others.
            <video
                slot="video"
                class="player"
                controls
                playsinline
                preload="none"
                poster=move || poster.get()
                src=list
                aria-label=move || label.get()
            ></video>
        </afterlive-player>
    }
}
