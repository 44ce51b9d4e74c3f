//! `/`: how things stand.

use leptos::prelude::*;
use leptos_meta::Title;

use super::skeleton;
use crate::backend::{DayTraffic, Home, LatestRecording, RecordingRow, RegionUse, StateCounts};
use crate::format;
use crate::live::{follow_growth, listen, loaded};
use crate::server_fns::streams::load_home;
use crate::ui::editors::ForEditors;
use crate::ui::icon::Icon;
use crate::ui::named::named;
use crate::ui::recording_row::{picture, recording_path};
use crate::ui::rows::keyed_rows;
use crate::ui::state_pill::{AssetPill, stream_icon};
use crate::ui::stream_table::StreamTable;
use crate::ui::when::When;
use afterlive_domain::{AssetState, StreamState};

#[component]
pub fn HomePage() -> impl IntoView {
    view! {
        <Title text="Start" />
        {loaded(Signal::stored(()), |()| load_home(), skeleton, |home| view! { <Content home /> })}
    }
}

#[component]
fn Content(home: Signal<Home>) -> impl IntoView {
    listen(None);
    follow_growth(Memo::new(move |_| home.with(|home| home.counts.live > 0)).into());
    let has_streams = Memo::new(move |_| home.with(|home| home.counts.all + home.counts.deleted > 0));
    let rows = Signal::derive(move || home.with(|home| home.streams.clone()));
    view! {
        <h1 class="offscreen">"Start"</h1>
        <Counters counts=Signal::derive(move || home.with(|home| home.counts)) />
        {move || {
            if has_streams.get() {
                view! {
                    <div class="home-grid">
                        <section class="card whole" aria-labelledby="latest-recordings">
                            <div class="card-head">
                                <h2 id="latest-recordings">"Latest recordings"</h2>
                                <a href="/vod">"All recordings"</a>
                            </div>
                            <LatestRecordings home />
                        </section>
                        <Storage home />
                        <Ingest home />
                    <section class="card whole" aria-labelledby="latest-streams">
                        <div class="card-head">
                            <h2 id="latest-streams">"Latest streams"</h2>
                            <a href="/stream">"All streams"</a>
                        </div>
                        <StreamTable rows caption="The latest five streams" />
                    </section>
                    </div>
                }
                    .into_any()
            } else {
                view! { <FirstStream /> }.into_any()
            }
        }}
    }
}

#[component]
fn FirstStream() -> impl IntoView {
    view! {
        <section class="card empty hero">
            <h2>"Nothing here yet"</h2>
            <ForEditors others="There are no streams yet. Who may create streams makes the first; your role lets you see them.">
                <p>
                    "A stream is a channel with an address of its own. Make one, paste its address into OBS or any RTMP encoder, and the recording is here, playable, the moment you stop."
                </p>
                <p class="actions">
                    <a class="button primary" href="/stream/create">
                        {Icon::Plus.draw()}
                        "Create the first stream"
                    </a>
                    <a class="button" href="/webcaster">
                        "Go live from this browser"
                    </a>
                </p>
            </ForEditors>
        </section>
    }
}

#[component]
fn Counters(counts: Signal<StateCounts>) -> impl IntoView {
    let counter = move |name: &'static str, icon: Option<Icon>, of: fn(&StateCounts) -> u64| {
        let url = if name == "all" { "/stream".to_owned() } else { format!("/stream?state={name}") };
        view! {
            <li>
                <a class=format!("counter {name}") class:zero=move || counts.with(|counts| of(counts) == 0) href=url>
                    <span class="counter-number">{move || counts.with(|counts| format::thousands(of(counts)))}</span>
                    <span class="counter-name">{icon.map(Icon::draw)} {name}</span>
                </a>
            </li>
        }
    };
    let icon = |state| Some(stream_icon(state));
    view! {
        <nav aria-label="Streams by state">
            <p class="counters-title" aria-hidden="true">
                "Streams"
            </p>
            <ul class="counters">
                {counter("all", None, |counts| counts.all)}
                {counter("live", icon(StreamState::Live), |counts| counts.live)}
                {counter("created", icon(StreamState::Created), |counts| counts.created)}
                {counter("ended", icon(StreamState::Ended), |counts| counts.ended)}
                {counter("locked", icon(StreamState::Locked), |counts| counts.locked)}
                {counter("deleted", icon(StreamState::Deleted), |counts| counts.deleted)}
            </ul>
        </nav>
    }
}

#[component]
fn LatestRecordings(home: Signal<Home>) -> impl IntoView {
    let rows = Signal::derive(move || home.with(|home| home.recordings.clone()));
    let is_empty = Memo::new(move |_| rows.with(Vec::is_empty));
    move || {
        if is_empty.get() {
            view! { <p class="muted">"No recordings yet: send to a stream's URL that ends in " <code>"/rec"</code> "."</p> }
                .into_any()
        } else {
            view! { <ul class="posters">{keyed_rows(rows, |row| row.recording.id, |row| view! { <Poster row /> }.into_any())}</ul> }
                .into_any()
        }
    }
}

/// Leads to the recording's page, where it plays.
#[component]
fn Poster(row: Signal<LatestRecording>) -> impl IntoView {
    let title = Memo::new(move |_| row.with(|row| row.title.clone()));
    let row: Signal<RecordingRow> = Memo::new(move |_| row.with(|row| row.recording.clone())).into();
    let picture = Memo::new(move |_| row.with(picture));
    let has_picture = Memo::new(move |_| picture.with(Option::is_some));
    let state = Memo::new(move |_| row.with(|row| row.state));
    view! {
        <li>
            <a class="poster" href=move || row.with(recording_path)>
                <span class="poster-picture">
                    {move || {
                        has_picture
                            .get()
                            .then(|| view! { <img src=move || picture.get() alt="" loading="lazy" width="320" height="180" /> })
                    }}
                    <span class="poster-length">{move || row.with(|row| format::duration(row.duration_ms))}</span>
                </span>
                <span class="poster-name">{move || named(title.get(), row.with(|row| row.file_name.clone()))}</span>
            </a>
            <span class="poster-facts">
                <When at=Signal::derive(move || row.with(|row| row.created_at)) />
                {move || (state.get() != AssetState::Ready).then(|| view! { <AssetPill state /> })}
            </span>
        </li>
    }
}

#[component]
fn Storage(home: Signal<Home>) -> impl IntoView {
    let regions = Memo::new(move |_| home.with(|home| home.storage.clone()));
    let bar = |used: &RegionUse, all: u64| {
        let share = (used.bytes * 100).checked_div(all).unwrap_or(0);
        view! {
            <tr>
                <th scope="row">
                    <abbr title=used.region.title().to_owned()>{used.region.to_string()}</abbr>
                </th>
                <td class="bar-cell">
                    <svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                        <rect class="track" width="100" height="8" />
                        <rect class="value" width=share.to_string() height="8" />
                    </svg>
                </td>
                <td class="number">{format::volume(used.bytes)}</td>
                <td class="number muted">{format::thousands(used.recordings)}</td>
            </tr>
        }
    };
    view! {
        <section class="card" aria-labelledby="storage">
            <div class="card-head">
                <h2 id="storage">"Storage by region"</h2>
            </div>
            <table class="storage-table">
                <thead class="offscreen">
                    <tr>
                        <th scope="col">"Region"</th>
                        <th scope="col">"Share"</th>
                        <th scope="col">"Stored"</th>
                        <th scope="col">"Recordings"</th>
                    </tr>
                </thead>
                <tbody>
                    {move || {
                        let regions = regions.get();
                        let all = regions.iter().map(|region| region.bytes).sum();
                        regions.iter().map(|region| bar(region, all)).collect_view()
                    }}
                </tbody>
            </table>
        </section>
    }
}

/// Bars of the last days, as high as 40.
#[component]
fn Ingest(home: Signal<Home>) -> impl IntoView {
    let days = Memo::new(move |_| home.with(|home| home.ingest.clone()));
    let sum = move || days.with(|days| days.iter().map(|day| day.bytes).sum::<u64>());
    let bars = |days: &[DayTraffic]| {
        let top = days.iter().map(|day| day.bytes).max().unwrap_or(0).max(1);
        let bar = |(at, day): (usize, &DayTraffic)| {
            let height = (day.bytes * 40).div_ceil(top).max(1);
            view! {
                <rect
                    class=if day.bytes == 0 { "none" } else { "day" }
                    x=(at * 12 + 1).to_string()
                    y=(40 - height).to_string()
                    width="10"
                    height=height.to_string()
                >
                    <title>{format!("{}: {}", day.day, format::volume(day.bytes))}</title>
                </rect>
            }
        };
        days.iter().enumerate().map(bar).collect_view()
    };
    view! {
        <section class="card" aria-labelledby="ingest">
            <div class="card-head">
                <h2 id="ingest">"Ingest"</h2>
                <p class="muted">{move || format!("{} in {}", format::volume(sum()), format::count(days.with(Vec::len) as u64, "day", "days"))}</p>
            </div>
            <svg
                class="day-bars"
                viewBox=move || format!("0 0 {} 40", days.with(Vec::len) * 12)
                preserveAspectRatio="none"
                role="img"
                aria-label=move || format!("Ingested in the last days: {}", format::volume(sum()))
            >
                {move || days.with(|days| bars(days))}
            </svg>
            <p class="bar-ends muted small">
                <span>{move || days.with(|days| days.first().map(|day| day.day.clone()))}</span>
                <span>{move || days.with(|days| days.last().map(|day| day.day.clone()))}</span>
            </p>
        </section>
    }
}
