//! `/webcaster/ID`: what whoever sends needs beside the encoder.

use leptos::prelude::*;
use leptos_meta::Title;

use super::skeleton;
use crate::backend::Overview;
use crate::live::loaded;
use crate::ui::encoder::EncoderSteps;
use crate::ui::overview::{OverviewCards, load_to_operate, title, wanted, watch};
use crate::ui::state_pill::StreamPill;

#[component]
pub fn WebcasterPage() -> impl IntoView {
    loaded(wanted(), load_to_operate, skeleton, |overview| view! { <Content overview /> })
}

#[component]
fn Content(overview: Signal<Overview>) -> impl IntoView {
    watch(overview);
    let name = move || overview.with(|overview| title(overview).unwrap_or_else(|| overview.stream.streamname.to_string()));
    let url = move || overview.with(|overview| format!("/stream/{}", overview.stream.id));
    let ingest =
        Memo::new(move |_| overview.with(|overview| overview.ingest.clone().map(|ingest| (ingest, overview.recording_enabled))));
    let was_live = overview.with_untracked(|overview| overview.live.is_some());
    view! {
        <Title text=move || format!("Send to {}", name()) />
        <div class="page-head">
            <div>
                <p class="kicker">"Webcaster"</p>
                <h1>
                    {name} " " <StreamPill state=Signal::derive(move || overview.with(|overview| overview.stream.state)) />
                </h1>
            </div>
            <p class="actions">
                <a class="button" href=url>
                    "To the stream"
                </a>
            </p>
        </div>
        // Open where nothing is sent yet: who sends already needs it no more.
        <details class="card go-live" open=!was_live>
            <summary>
                <h2>"Go live with OBS or ffmpeg"</h2>
            </summary>
            {move || {
                ingest.get().map(|(ingest, recording_enabled)| view! { <EncoderSteps ingest recording_enabled /> })
            }}
        </details>
        <OverviewCards overview />
    }
}
