//! States as text plus icon plus colour, so that none of the three alone must carry the meaning.

use afterlive_domain::{AssetState, StreamState};
use leptos::prelude::*;

use super::icon::Icon;

pub(super) fn pill(name: &'static str, icon: Icon) -> AnyView {
    view! { <span class=format!("pill {name}")>{icon.draw()}{name}</span> }.into_any()
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
pub fn AssetPill(#[prop(into)] state: Signal<AssetState>) -> impl IntoView {
    let icon = move || match state.get() {
        AssetState::Recording => Icon::Recording,
        AssetState::Ready => Icon::Ready,
        AssetState::Incomplete => Icon::Incomplete,
        AssetState::Failed => Icon::Failed,
        AssetState::Deleted => Icon::Deleted,
    };
    move || pill(state.get().as_str(), icon())
}
