//! Where viewers find the stream.

use leptos::prelude::*;

use super::copy::CopyRow;
use crate::backend::PlayoutUrls;

#[component]
pub fn PlayoutRows(#[prop(into)] playout: Signal<PlayoutUrls>, is_public: Signal<bool>) -> impl IntoView {
    let newest = Memo::new(move |_| playout.with(|playout| playout.newest_recording.clone()));
    let of = move |part: fn(&PlayoutUrls) -> &String| Signal::derive(move || playout.with(|playout| part(playout).clone()));
    view! {
        <div class="playout-rows">
            <CopyRow label="Playout page" value=of(|playout| &playout.page) />
            <CopyRow label="For an iframe" value=of(|playout| &playout.embed) />
            <CopyRow label="HLS" value=of(|playout| &playout.hls) />
            <CopyRow label="WebSocket" value=of(|playout| &playout.websocket) note="fragmented MP4" />
            <CopyRow label="WebRTC" value=of(|playout| &playout.whep) note="WHEP" />
            <CopyRow label="RTMP" value=of(|playout| &playout.rtmp) />
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
