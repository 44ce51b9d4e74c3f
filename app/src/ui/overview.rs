//! The overview that `/stream/ID`, `/playout/ID` and `/webcaster/ID` share, and how those pages load it.

use afterlive_domain::{Permission, StreamId, Tags};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::copy::CopyButton;
use super::facts::StreamFacts;
use super::ingest::IngestRows;
use super::interruption::Interruption;
use super::live_facts::LiveFactsCard;
use super::outcome::flash_is_known;
use super::playout::PlayoutRows;
use super::recordings::Recordings;
use crate::backend::{Answer, BackendError, Overview, RecordingRange};
use crate::live::{follow_growth, listen};
use crate::query::{playback_token, recording_range};
use crate::server_fns::streams::load_overview;

/// Which stream, which of its recordings, and with which playback token. `None`: the path names no stream.
pub type Wanted = (Option<StreamId>, RecordingRange, Option<String>);

/// What the page's URL asks for.
#[must_use]
pub fn wanted() -> Signal<Wanted> {
    let params = use_params_map();
    let query = use_query_map();
    Memo::new(move |_| {
        let stream = params.with(|params| params.get("id").and_then(|id| id.parse().ok()));
        (stream, query.with(recording_range), query.with(playback_token))
    })
    .into()
}

/// After [`flash_is_known`], as its forms tell what was refused of them.
pub fn load((stream, recordings, token): Wanted) -> impl Future<Output = Answer<Overview>> + Send + 'static {
    let is_known = flash_is_known();
    async move {
        is_known.await;
        match stream {
            Some(stream) => load_overview(stream, recordings, token).await,
            None => Err(BackendError::NotFound),
        }
    }
}

/// For pages to operate a stream from. Where live is public everybody may see what [`load`] gives, but on the playout page, without the means to
/// publish; here who is not of the organisation is asked to sign in.
pub fn load_to_operate(wanted: Wanted) -> impl Future<Output = Answer<Overview>> + Send + 'static {
    let overview = load(wanted);
    async move {
        let overview = overview.await?;
        if overview.role.is_some() { Ok(overview) } else { Err(BackendError::SignedOut) }
    }
}

/// For pages to send to a stream from: who may only read has no business there.
pub fn load_to_send(wanted: Wanted) -> impl Future<Output = Answer<Overview>> + Send + 'static {
    let overview = load_to_operate(wanted);
    async move {
        let overview = overview.await?;
        let may_send = overview.role.is_some_and(|role| role.allows(Permission::EditStreams));
        if may_send { Ok(overview) } else { Err(BackendError::Denied) }
    }
}

/// Keeps a page that shows `overview` fresh.
pub fn watch(overview: Signal<Overview>) {
    listen(Some(overview.with_untracked(|overview| overview.stream.id)));
    // What is waited for comes or is given up without an event.
    let changes = Memo::new(move |_| overview.with(|overview| overview.live.is_some() || overview.awaited_s.is_some()));
    follow_growth(changes.into());
}

/// What the stream is called by people: its `title:` tag, if it has one.
#[must_use]
pub fn title(overview: &Overview) -> Option<String> {
    title_of(&overview.stream.tags)
}

/// Its title, or else its streamname.
#[must_use]
pub fn called(overview: &Overview) -> String {
    title(overview).unwrap_or_else(|| overview.stream.streamname.to_string())
}

/// Below a heading that is its title: the stream's name, to be copied. Absent for viewers from outside, who could publish by it.
#[component]
pub fn AlsoNamed(overview: Signal<Overview>) -> impl IntoView {
    let name = Signal::derive(move || overview.with(|overview| overview.stream.streamname.to_string()));
    let shows = Memo::new(move |_| overview.with(|overview| overview.role.is_some() && title(overview).is_some()));
    move || {
        shows.get().then(|| {
            view! {
                <p class="also-named">
                    <span>"Streamname " <span class="mono">{move || name.get()}</span></span>
                    <CopyButton value=name what="the streamname" />
                </p>
            }
        })
    }
}

/// As [`title`]. One without a word is none.
#[must_use]
pub fn title_of(tags: &Tags) -> Option<String> {
    let titles = tags.as_slice().iter().filter_map(|tag| tag.strip_prefix("title:"));
    titles.map(str::trim).find(|title| !title.is_empty()).map(str::to_owned)
}

/// All of it. Recordings take the broad column, what is copied into encoders and pages the narrow one. Who only watches came to watch: below what plays
/// stand the recordings, and the rest is one click further.
#[component]
pub fn OverviewCards(
    overview: Signal<Overview>,
    /// Stands on top of the broad column.
    #[prop(optional)]
    lead: Option<AnyView>,
) -> impl IntoView {
    let has_player = lead.is_some();
    let preview = Signal::derive(move || (!has_player).then(|| overview.with(|overview| overview.playout.live_path.clone())));
    // Who signs in or out loads the page anew.
    if overview.with_untracked(|overview| overview.role.is_none()) {
        return view! {
            <div class="cards">
                {lead} <Recordings overview /> <details class="card more-of">
                    <summary>
                        <h2>"Links and details"</h2>
                    </summary>
                    <div class="cards">
                        <PlayoutCard overview /> <LiveCard overview preview /> <StreamFacts overview />
                    </div>
                </details>
            </div>
        }
        .into_any();
    }
    view! {
        <div class="overview">
            <div class="overview-main">
                {lead} {(!has_player).then(|| view! { <Interruption overview /> })} <LiveCard overview preview />
                <Recordings overview />
            </div>
            <div class="overview-side">
                <IngestCard overview /> <PlayoutCard overview /> <StreamFacts overview />
            </div>
        </div>
    }
    .into_any()
}

/// What arrives, while something does.
#[component]
fn LiveCard(overview: Signal<Overview>, preview: Signal<Option<String>>) -> impl IntoView {
    let live = Memo::new(move |_| overview.with(|overview| overview.live.clone()));
    let is_live = Memo::new(move |_| live.with(Option::is_some));
    let advises = Memo::new(move |_| overview.with(|overview| overview.role.is_some()));
    move || {
        let first = is_live.get().then(|| live.get_untracked()).flatten();
        first.map(|first| {
            view! { <LiveFactsCard facts=Signal::derive(move || live.get().unwrap_or_else(|| first.clone())) preview advises /> }
        })
    }
}

/// Absent for viewers from outside.
#[component]
pub fn IngestCard(overview: Signal<Overview>) -> impl IntoView {
    let ingest =
        Memo::new(move |_| overview.with(|overview| overview.ingest.clone().map(|ingest| (ingest, overview.recording_enabled))));
    move || {
        ingest.get().map(|(ingest, recording_enabled)| {
            view! {
                <section class="card" aria-labelledby="ingest-title">
                    <h2 id="ingest-title">"Ingest"</h2>
                    <IngestRows ingest recording_enabled />
                </section>
            }
        })
    }
}

#[component]
pub fn PlayoutCard(overview: Signal<Overview>) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="playout-title">
            <h2 id="playout-title">"Playout"</h2>
            <PlayoutRows overview />
        </section>
    }
}
