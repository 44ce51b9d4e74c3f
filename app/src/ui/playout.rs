//! Where viewers find the stream.

use leptos::prelude::*;

use super::copy::CopyRow;
use super::playback_tokens::WhereTokensAreMade;
use crate::backend::{KeyInName, Overview, PlayoutUrls};

#[component]
pub fn PlayoutRows(overview: Signal<Overview>) -> impl IntoView {
    let newest = Memo::new(move |_| overview.with(|overview| overview.playout.newest_recording.clone()));
    let of = move |part: fn(&PlayoutUrls) -> &String| {
        Signal::derive(move || overview.with(|overview| part(&overview.playout).clone()))
    };
    let is_public = Memo::new(move |_| overview.with(|overview| overview.live_public));
    // Who only watches came by one of these addresses, and has no say in who else does.
    let operates = Memo::new(move |_| overview.with(|overview| overview.role.is_some()));
    let name_publishes = Memo::new(move |_| {
        overview.with(|overview| overview.ingest.as_ref().is_some_and(|ingest| ingest.key_in_name == KeyInName::NotRequired))
    });
    let remark = move || {
        let remark = match (operates.get(), is_public.get()) {
            (false, _) => return None,
            (true, true) => view! {
                "The playout page opens for everyone who has its link."
                {move || {
                    name_publishes
                        .get()
                        .then_some(
                            " Whoever can watch can also find the streamname, and it is the key to publish with: they can send to the stream.",
                        )
                }}
            }
            .into_any(),
            (true, false) => view! {
                "Live is not public here: viewers need a playback token behind these URLs, or sign in. " <WhereTokensAreMade overview />
            }
            .into_any(),
        };
        Some(view! { <p class="muted small">{remark}</p> })
    };
    view! {
        <div class="playout-rows">
            <CopyRow label="Playout page" value=of(|playout| &playout.page) />
            <CopyRow label="For an iframe" value=of(|playout| &playout.embed) />
            <CopyRow label="HLS" value=of(|playout| &playout.hls) />
            <CopyRow label="WebSocket" value=of(|playout| &playout.websocket) note="fragmented MP4" />
            <CopyRow label="WebRTC" value=of(|playout| &playout.whep) note="WHEP" />
            <CopyRow label="RTMP" value=of(|playout| &playout.rtmp) />
            {move || newest.get().map(|url| view! { <CopyRow label="Newest recording" value=url /> })}
            {remark}
        </div>
    }
}
