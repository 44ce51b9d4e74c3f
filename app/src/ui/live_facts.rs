//! What arrives from the encoder right now.

use leptos::prelude::*;

use super::icon::Icon;
use super::level_meter::LevelMeter;
use super::player::LivePlayer;
use super::sparkline::Sparkline;
use super::when::Since;
use crate::backend::{LiveAudio, LiveFacts, LiveVideo};
use crate::format;
use crate::health::{self, Advice, Help};
use crate::live::News;

/// Seconds that the bitrate's chart is wide.
const CHART_S: usize = 300;

fn video_text(video: &LiveVideo) -> String {
    format!("{} · {} × {} · {} fps", format::codec(&video.codec), video.width, video.height, format::fps(video.fps))
}

fn audio_text(audio: &LiveAudio) -> String {
    let channels = match audio.channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        more => format!("{more} channels"),
    };
    format!("{} · {} Hz · {channels}", format::codec(&audio.codec), format::thousands(audio.sample_rate_hz.into()))
}

fn chart_text(facts: &LiveFacts) -> String {
    let history = &facts.bitrate_history_bps;
    let (least, most) = (history.iter().min().copied().unwrap_or(0), history.iter().max().copied().unwrap_or(0));
    format!(
        "Bitrate over the last minutes: now {}, between {} and {}",
        format::bitrate(facts.bitrate_bps),
        format::bitrate(least),
        format::bitrate(most)
    )
}

/// `facts` is only asked for its content while the stream is live.
#[component]
pub fn LiveFactsCard(
    #[prop(into)] facts: Signal<LiveFacts>,
    /// What can be watched here in small: `/live/STREAMNAME`. `None` where a player stands on the page already.
    #[prop(into)]
    preview: Signal<Option<String>>,
    /// Who only watches has no encoder to mend.
    #[prop(into)]
    advises: Signal<bool>,
) -> impl IntoView {
    let advice = Memo::new(move |_| facts.with(health::advice));
    let praise = Memo::new(move |_| facts.with(health::praise));
    let is_watched = RwSignal::new(false);
    // Without a script the button would do nothing.
    let is_alive = RwSignal::new(false);
    Effect::new(move |_| is_alive.set(true));
    let news = News::of_app();
    // While the server is away nobody knows.
    let is_known = Memo::new(move |_| news.connected.get() != Some(false));
    let text = move |of: fn(&LiveFacts) -> String| move || facts.with(of);
    // With the facts, which come each 2 s, nothing of this is another: a player that was drawn anew would begin anew.
    let watched = Memo::new(move |_| preview.get().filter(|_| is_watched.get()));
    let has_still = Memo::new(move |_| watched.with(Option::is_none) && facts.with(|facts| facts.still_url.is_some()));
    let can_watch = Memo::new(move |_| is_alive.get() && preview.with(Option::is_some));
    let still = Memo::new(move |_| facts.with(|facts| facts.still_url.clone()));
    let has_loudness = Memo::new(move |_| facts.with(|facts| facts.loudness.is_some()));
    let recorded = move || facts.with(|facts| facts.mode == afterlive_domain::Mode::Rec);
    view! {
        <section class="card live-facts" class:unknown=move || !is_known.get() aria-labelledby="live-facts">
            <div class="live-head">
                <h2 id="live-facts">
                    <span class="beat" aria-hidden="true"></span>
                    {move || if is_known.get() { "Live now" } else { "Live when last heard of" }}
                </h2>
                <p class="live-clock">
                    <Since at=Signal::derive(move || facts.with(|facts| facts.since)) counts=is_known />
                </p>
                <p class="muted">
                    {move || if recorded() { "live + recording" } else { "live only" }} " over "
                    {text(|facts| facts.protocol.to_uppercase())}
                </p>
            </div>
            <div class="preview" class:large=is_watched>
                {move || watched.get().map(|path| view! { <LivePlayer path label="preview" is_muted=true /> })}
                {move || {
                    has_still
                        .get()
                        .then(|| {
                            view! {
                                <img
                                    class="still"
                                    src=move || still.get()
                                    alt="The stream as it looked some seconds ago"
                                    width="256"
                                    height="144"
                                />
                            }
                        })
                }}
                // Asked for by hand, as each open page would be a viewer otherwise.
                {move || {
                    can_watch
                        .get()
                        .then(|| {
                            view! {
                                <button type="button" class="button quiet" on:click=move |_| is_watched.update(|is| *is = !*is)>
                                    {move || if is_watched.get() { "Close the preview" } else { "Watch here" }}
                                </button>
                            }
                        })
                }}
            </div>
            <figure class="bitrate">
                <figcaption>
                    "Bitrate " <strong>{text(|facts| format::bitrate(facts.bitrate_bps))}</strong>
                </figcaption>
                <Sparkline
                    values=Signal::derive(move || facts.with(|facts| facts.bitrate_history_bps.clone()))
                    slots=CHART_S
                    description=Signal::derive(text(chart_text))
                />
            </figure>
            {move || {
                has_loudness
                    .get()
                    .then(|| {
                        let channels = move || facts.with(|facts| facts.loudness.as_ref().map(|it| it.channels.clone()));
                        view! { <LevelMeter channels=Signal::derive(move || channels().unwrap_or_default()) /> }
                    })
            }}
            <dl class="facts wide">
                <dt>"Video"</dt>
                <dd>{text(|facts| facts.video.as_ref().map_or_else(|| "none".into(), video_text))}</dd>
                <dt>"Audio"</dt>
                <dd>{text(|facts| facts.audio.as_ref().map_or_else(|| "none".into(), audio_text))}</dd>
                <dt>"Keyframe interval"</dt>
                <dd>
                    {text(|facts| {
                        let interval = facts.video.as_ref().and_then(|video| video.keyframe_interval_ms);
                        interval.map_or_else(|| "not yet known".into(), format::seconds)
                    })}
                </dd>
                <dt>"Unevenness"</dt>
                <dd>
                    {text(|facts| facts.jitter_ms.map_or_else(|| "not yet known".into(), |ms| format!("{} ms", format::thousands(ms))))}
                </dd>
                <dt>"Received"</dt>
                <dd>{text(|facts| format::megabytes(facts.bytes_in))}</dd>
            </dl>
            <details class="more what-is-good">
                <summary>"What is good, and what to do"</summary>
                <dl>
                    {move || {
                        health::help(has_loudness.get())
                            .into_iter()
                            .map(|Help { figure, text }| {
                                view! {
                                    <dt>{figure}</dt>
                                    <dd>{text}</dd>
                                }
                            })
                            .collect_view()
                    }}
                </dl>
            </details>
            {move || match advice.get() {
                _ if !advises.get() => ().into_any(),
                advice if advice.is_empty() => {
                    view! { <p class="healthy">{Icon::Ready.draw()} {move || praise.get()}</p> }.into_any()
                }
                advice => {
                    view! {
                        <ul class="plain advice" aria-label="What to mend">
                            {advice
                                .into_iter()
                                .map(|Advice { finding, mend }| {
                                    view! {
                                        <li class="notice warn">
                                            {Icon::Incomplete.draw()} <span>
                                                <strong>{finding}</strong> " " {mend}
                                            </span>
                                        </li>
                                    }
                                })
                                .collect_view()}
                        </ul>
                    }
                        .into_any()
                }
            }}
        </section>
    }
}
