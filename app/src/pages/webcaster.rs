//! `/webcaster/ID`: live from the browser, and what whoever sends with an encoder needs beside it.

use leptos::prelude::*;
use leptos_meta::Title;

use super::skeleton;
use crate::backend::{IngestUrls, Overview};
use crate::live::loaded;
use crate::ui::encoder::EncoderSteps;
use crate::ui::interruption::PresentState;
use crate::ui::overview::{AlsoNamed, OverviewCards, called, load_to_send, wanted, watch};

#[component]
pub fn WebcasterPage() -> impl IntoView {
    loaded(wanted(), load_to_send, skeleton, |overview| view! { <Content overview /> })
}

#[component]
fn Content(overview: Signal<Overview>) -> impl IntoView {
    watch(overview);
    let url = move || overview.with(|overview| format!("/stream/{}", overview.stream.id));
    let ingest =
        Memo::new(move |_| overview.with(|overview| overview.ingest.clone().map(|ingest| (ingest, overview.recording_enabled))));
    view! {
        <Title text=move || format!("Send to {}", overview.with(called)) />
        <div class="page-head">
            <div>
                <p class="kicker">"Webcaster"</p>
                <h1>
                    {move || overview.with(called)} " " <PresentState overview />
                </h1>
                <AlsoNamed overview />
            </div>
            <p class="actions">
                <a class="button" href="/webcaster">
                    "Another stream"
                </a>
                <a class="button" href=url>
                    "To the stream"
                </a>
            </p>
        </div>
        <div class="cards">
            <FromTheBrowser ingest />
            <details class="card go-live">
                <summary>
                    <h2>"Go live with OBS or ffmpeg"</h2>
                </summary>
                {move || {
                    ingest.get().map(|(ingest, recording_enabled)| view! { <EncoderSteps ingest recording_enabled /> })
                }}
            </details>
        </div>
        <OverviewCards overview />
    }
}

/// `<afterlive-webcaster>`, which stands in `player/src/webcaster`, in JavaScript: cameras and WebRTC are the browser's, and nothing of ours would make them better.
/// It stays the same element when what it is told changes, such as the key that is renewed: else what is live from it would end.
#[component]
fn FromTheBrowser(ingest: Memo<Option<(IngestUrls, bool)>>) -> impl IntoView {
    let is_given = Memo::new(move |_| ingest.with(Option::is_some));
    let told =
        move |what: fn(&IngestUrls) -> &String| move || ingest.with(|ingest| ingest.as_ref().map(|(urls, _)| what(urls).clone()));
    let records = move || ingest.with(|ingest| ingest.as_ref().is_some_and(|(_, recording_enabled)| *recording_enabled));
    let element = move || {
        view! {
            <section class="card" aria-labelledby="from-the-browser">
                <h2 id="from-the-browser">"Go live from this browser"</h2>
                <afterlive-webcaster
                    stream-key=told(|urls| &urls.stream_key)
                    rec-url=told(|urls| &urls.rec_url)
                    live-url=told(|urls| &urls.live_url)
                    records=records
                >
                    // Shown to nobody who has scripts.
                    <p>"Cameras are for pages with JavaScript, and it is switched off here. An encoder does without: see below."</p>
                </afterlive-webcaster>
            </section>
        }
    };
    move || is_given.get().then(element)
}
