//! `/stream/new/ID`: how to go live, in three steps.

use leptos::prelude::*;
use leptos_meta::Title;

use super::skeleton;
use crate::backend::Overview;
use crate::live::loaded;
use crate::ui::encoder::EncoderSteps;
use crate::ui::interruption::PresentState;
use crate::ui::overview::{AlsoNamed, PlayoutCard, called, load_to_send, wanted, watch};
use crate::ui::snippets::Snippets;

#[component]
pub fn StreamNewPage() -> impl IntoView {
    view! {
        <Title text="Go live" />
        {loaded(wanted(), load_to_send, skeleton, |overview| view! { <Content overview /> })}
    }
}

#[component]
fn Content(overview: Signal<Overview>) -> impl IntoView {
    watch(overview);
    let page = move || overview.with(|overview| format!("/stream/{}", overview.stream.id));
    let webcaster = move || overview.with(|overview| format!("/webcaster/{}", overview.stream.id));
    let ingest =
        Memo::new(move |_| overview.with(|overview| overview.ingest.clone().map(|ingest| (ingest, overview.recording_enabled))));
    view! {
        <div class="page-head">
            <div>
                <p class="kicker">{move || overview.with(called)}</p>
                <h1>
                    "Go live in three steps "
                    <PresentState overview />
                </h1>
                <AlsoNamed overview />
            </div>
            <p class="actions">
                // A page of its own, which the browser asks before it leaves.
                <a class="button" rel="external" href=webcaster>
                    "Webcaster"
                </a>
                <a class="button" href=page>
                    "To the stream"
                </a>
            </p>
        </div>
        <div class="two-columns">
            <section class="card" aria-labelledby="steps-title">
                <h2 id="steps-title" class="offscreen">
                    "Steps"
                </h2>
                {move || {
                    ingest
                        .get()
                        .map(|(ingest, recording_enabled)| view! { <EncoderSteps ingest recording_enabled /> })
                }}
            </section>
            <div class="overview-side">
                <PlayoutCard overview />
                <section class="card" aria-labelledby="snippets-title">
                    <h2 id="snippets-title">"Code snippets"</h2>
                    <Snippets overview beside_steps=true />
                </section>
            </div>
        </div>
    }
}
