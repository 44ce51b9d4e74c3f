//! *VOD Playout URLs*: a stream's recordings, the heart of the product. To viewers from outside they are *Recordings*.

use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};
use leptos_router::params::ParamsMap;

use super::copy::CopyRow;
use super::ingest::recording_server;
use super::recording_row::RecordingBody;
use super::rows::keyed_rows;
use crate::backend::{LibraryFilter, Overview, RecordingRange};
use crate::format;
use crate::query::{RECORDINGS_A_PAGE, library_url, recording_range};

/// This page's URL with another range of recordings, the open tab kept.
fn range_url(path: &str, query: &ParamsMap, range: RecordingRange) -> String {
    let mut wanted = ParamsMap::new();
    if let Some(tab) = query.get("tab") {
        wanted.insert("tab", tab);
    }
    match range {
        RecordingRange::All => wanted.insert("recordings", "all".into()),
        RecordingRange::Page(1) => {}
        RecordingRange::Page(page) => wanted.insert("page", page.to_string()),
    }
    format!("{path}{}#recordings", wanted.to_query_string())
}

#[component]
pub fn Recordings(overview: Signal<Overview>) -> impl IntoView {
    let rows = Signal::derive(move || overview.with(|overview| overview.recordings.rows.clone()));
    let total = Memo::new(move |_| overview.with(|overview| overview.recordings.total));
    // Asked of a memo, as each new total would make the table anew, and with it the player in an open row.
    let is_empty = Memo::new(move |_| total.get() == 0);
    // The library is the organisation's own.
    let has_page = Signal::derive(move || overview.with(|overview| overview.role.is_some()));
    let in_library = move || {
        let stream = overview.with(|overview| overview.stream.streamname.to_string());
        let url = library_url(&LibraryFilter { stream: Some(stream), ..LibraryFilter::default() });
        (has_page.get() && !is_empty.get()).then(|| view! { <a href=url>"In the library"</a> })
    };
    view! {
        <section class="card recordings" id="recordings" aria-labelledby="recordings-title">
            <div class="card-head">
                <h2 id="recordings-title">{move || if has_page.get() { "VOD Playout URLs" } else { "Recordings" }}</h2>
                <p class="muted">{move || format::count(total.get(), "recording", "recordings")} " " {in_library}</p>
            </div>
            {move || {
                if is_empty.get() {
                    view! { <NoRecordings overview /> }.into_any()
                } else {
                    view! {
                        <table class="recording-table">
                            <caption class="offscreen">"Recordings of this stream, newest first"</caption>
                            <thead>
                                <tr>
                                    <th scope="col">
                                        <span class="offscreen">"Play"</span>
                                    </th>
                                    <th scope="col">
                                        "Session date " <small>"(UTC)"</small>
                                    </th>
                                    <th scope="col">"Recording"</th>
                                    <th scope="col" class="number">
                                        "Duration"
                                    </th>
                                    <th scope="col" class="number">
                                        "Size"
                                    </th>
                                    <th scope="col">"Region"</th>
                                    <th scope="col">"State"</th>
                                </tr>
                            </thead>
                            {keyed_rows(rows, |row| row.id, move |row| view! { <RecordingBody row has_page /> }.into_any())}
                        </table>
                        <RangeLinks total />
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

#[component]
fn RangeLinks(total: Memo<u64>) -> impl IntoView {
    let location = use_location();
    let query = use_query_map();
    let url = move |range| range_url(&location.pathname.get(), &query.read(), range);
    move || {
        let total = total.get();
        let pages = u32::try_from(total.div_ceil(RECORDINGS_A_PAGE)).unwrap_or(u32::MAX);
        (pages > 1).then(|| match query.with(recording_range) {
            RecordingRange::All => view! {
                <nav class="pager" aria-label="Recordings">
                    <span class="muted">{format!("All {total} shown")}</span>
                    <a class="button quiet" href=url(RecordingRange::Page(1))>
                        "Show 10 a page"
                    </a>
                </nav>
            }
            .into_any(),
            RecordingRange::Page(page) => view! {
                <nav class="pager" aria-label="Recordings">
                    {(page > 1)
                        .then(|| {
                            view! {
                                <a class="button quiet" rel="prev" href=url(RecordingRange::Page(page - 1))>
                                    "Newer"
                                </a>
                            }
                        })} <span class="muted">{format!("Page {page} of {pages}")}</span>
                    {(page < pages)
                        .then(|| {
                            view! {
                                <a class="button quiet" rel="next" href=url(RecordingRange::Page(page + 1))>
                                    "Older"
                                </a>
                            }
                        })} <a class="button quiet" href=url(RecordingRange::All)>
                        {format!("Show all {total}")}
                    </a>
                </nav>
            }
            .into_any(),
        })
    }
}

#[component]
fn NoRecordings(overview: Signal<Overview>) -> impl IntoView {
    let server = Memo::new(move |_| overview.with(|overview| overview.ingest.as_ref().map(recording_server)));
    let enabled = Memo::new(move |_| overview.with(|overview| overview.recording_enabled));
    move || match (server.get(), enabled.get()) {
        (Some((label, url)), true) => view! {
            <div class="empty">
                <p>
                    "Nothing is recorded yet. Send to the URL that ends in "<code>"/rec"</code>
                    ", and the recording stands here the moment the encoder stops."
                </p>
                <CopyRow label=label note="live + recording" value=url />
            </div>
        }
        .into_any(),
        (Some(_), false) => view! {
            <div class="empty">
                <p>
                    "Nothing is recorded, as recording is off for your organisation. An administrator can "
                    <a href="/organisation">"switch it on"</a> "."
                </p>
            </div>
        }
        .into_any(),
        (None, _) => view! {
            <div class="empty">
                <p>"There are no recordings of this stream yet."</p>
            </div>
        }
        .into_any(),
    }
}
