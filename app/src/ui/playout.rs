//! Where viewers find the stream.

use leptos::prelude::*;

use super::copy::CopyRow;
use super::snippets;
use crate::backend::PlayoutUrls;

#[component]
pub fn PlayoutRows(#[prop(into)] playout: Signal<PlayoutUrls>, is_public: Signal<bool>) -> impl IntoView {
    let newest = Memo::new(move |_| playout.with(|playout| playout.newest_recording.clone()));
    let page = Signal::derive(move || playout.with(|playout| playout.page.clone()));
    view! {
        <div class="playout-rows">
            <CopyRow label="Playout page" value=page />
            <CopyRow label="For an iframe" value=Signal::derive(move || snippets::embed_url(&page.get())) />
            <CopyRow label="RTMP" value=Signal::derive(move || playout.with(|playout| playout.rtmp.clone())) />
            {move || newest.get().map(|url| view! { <CopyRow label="Newest recording" value=url /> })}
            <p class="muted small">
                {move || {
                    if is_public.get() {
                        "The playout page opens for everyone who has its link."
                    } else {
                        "Live is not public here: viewers need a playback token behind these URLs, or sign in. Tokens are made below under “Code snippets”."
                    }
                }}
            </p>
        </div>
    }
}
