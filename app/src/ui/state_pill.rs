//! States as text plus icon plus colour, so that none of the three alone must carry the meaning.

use afterlive_domain::{AssetState, StreamState};
use leptos::prelude::*;

use super::icon::Icon;

pub(super) fn pill(name: &'static str, icon: Icon) -> AnyView {
    called(name, icon, name)
}

/// One whose state has another name for people: `text`.
fn called(name: &'static str, icon: Icon, text: &'static str) -> AnyView {
    view! { <span class=format!("pill {name}")>{icon.draw()}{text}</span> }.into_any()
}

#[must_use]
pub fn stream_icon(state: StreamState) -> Icon {
    match state {
        StreamState::Created => Icon::Created,
        StreamState::Live => Icon::Live,
        StreamState::Ended => Icon::Ended,
        StreamState::Locked => Icon::Locked,
        StreamState::Deleted => Icon::Deleted,
    }
}

#[component]
pub fn StreamPill(#[prop(into)] state: Signal<StreamState>) -> impl IntoView {
    move || pill(state.get().as_str(), stream_icon(state.get()))
}

/// A recording that neither people nor the retention delete.
#[component]
pub fn HeldPill() -> impl IntoView {
    pill("held", Icon::Hold)
}

#[component]
pub fn AssetPill(
    #[prop(into)] state: Signal<AssetState>,
    /// Whether the bin has let go of it.
    #[prop(default = Signal::stored(false), into)]
    is_purged: Signal<bool>,
) -> impl IntoView {
    let icon = move || match state.get() {
        AssetState::Recording => Icon::Recording,
        AssetState::Ready => Icon::Ready,
        AssetState::Incomplete => Icon::Incomplete,
        AssetState::Failed => Icon::Failed,
        AssetState::Deleted => Icon::Deleted,
    };
    move || match state.get() {
        AssetState::Deleted if !is_purged.get() => called("deleted", icon(), "in the bin"),
        state => pill(state.as_str(), icon()),
    }
}
