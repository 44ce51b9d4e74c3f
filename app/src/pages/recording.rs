//! `/vod/ID`: one recording, what is known of it, and the proof that it is whole.

use afterlive_domain::{AssetId, AssetState, Permission};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use super::skeleton;
use crate::backend::{self, Answer, BackendError, RecordingRow};
use crate::format;
use crate::live::{follow_growth, listen, loaded};
use crate::server_fns::library::load_recording;
use crate::ui::copy::{CopyBlock, CopyRow};
use crate::ui::facts::tag_list;
use crate::ui::icon::Icon;
use crate::ui::overview::title_of;
use crate::ui::player::{Playable, Player};
use crate::ui::recording_actions::{Acts, BinOrRestore, HoldOrLift};
use crate::ui::recording_row::{GUARDED, audio_text, recording_path, video_text};
use crate::ui::report::ReportTables;
use crate::ui::snippets;
use crate::ui::state_pill::{AssetPill, HeldPill};
use crate::ui::when::When;
use crate::verdict::{Tone, Verdict, verdict};

#[component]
pub fn RecordingPage() -> impl IntoView {
    let params = use_params_map();
    let wanted = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse().ok())));
    loaded(wanted, load, skeleton, |page| view! { <Content page /> })
}

/// `None`: the path names no recording.
async fn load(asset: Option<AssetId>) -> Answer<backend::RecordingPage> {
    match asset {
        Some(asset) => load_recording(asset).await,
        None => Err(BackendError::NotFound),
    }
}

type Page = Signal<backend::RecordingPage>;

fn of_recording(page: Page, of: fn(&RecordingRow) -> String) -> Signal<String> {
    Signal::derive(move || page.with(|page| of(&page.row.recording)))
}

/// What the recording's stream is called: a link to its page, where it has one.
fn to_stream(page: Page, class: Option<&'static str>, name: Signal<String>) -> impl IntoView {
    let stream = page.with_untracked(|page| page.row.recording.stream);
    let has_stream = Memo::new(move |_| page.with(|page| page.has_stream));
    move || match has_stream.get() {
        true => view! { <a class=class href=format!("/stream/{stream}")>{name}</a> }.into_any(),
        false => view! { <span class=class>{name}</span> " (deleted)" }.into_any(),
    }
}

#[component]
fn Content(page: Page) -> impl IntoView {
    listen(Some(page.with_untracked(|page| page.row.recording.stream)));
    let state = Memo::new(move |_| page.with(|page| page.row.recording.state));
    follow_growth(Signal::derive(move || state.get() == AssetState::Recording));
    view! {
        <Title text=of_recording(page, |recording| recording.file_name.clone()) />
        <Head page state />
        <Judgement page />
        <Kept page />
        <div class="overview">
            <div class="overview-main">
                <Stage page state />
                <Account page />
            </div>
            <div class="overview-side">
                <Addresses page /> <Facts page />
            </div>
        </div>
    }
}

#[component]
fn Head(page: Page, state: Memo<AssetState>) -> impl IntoView {
    let row = Signal::derive(move || page.with(|page| page.row.clone()));
    let acts = Acts::new(of_recording(page, recording_path), Signal::derive(move || page.with(|page| page.bin_days)));
    let is_held = Memo::new(move |_| row.with(|row| row.keeping.hold.is_some()));
    let is_purged = Memo::new(move |_| row.with(|row| row.keeping.purged_at.is_some()));
    let may_administer = Memo::new(move |_| page.with(|page| page.role.allows(Permission::Administer)));
    let streamname = page.with_untracked(|page| page.row.recording.streamname.to_string());
    let title = Signal::derive(move || row.with(|row| title_of(&row.tags)).unwrap_or_else(|| streamname.clone()));
    view! {
        <div class="page-head">
            <div>
                <p class="kicker">
                    {move || row.with(|row| format!("Recording {} of ", row.recording.index))}
                    {to_stream(page, None, title)}
                </p>
                <h1>
                    <span class="mono">{of_recording(page, |recording| recording.file_name.clone())}</span>
                    <AssetPill state is_purged />
                    {move || is_held.get().then(|| view! { <HeldPill /> })}
                </h1>
            </div>
            <div class="actions">
                {move || {
                    state
                        .get()
                        .is_playable()
                        .then(|| {
                            view! {
                                <a
                                    class="button primary"
                                    href=of_recording(page, RecordingRow::download_url)
                                    download
                                    rel="external"
                                >
                                    {Icon::Download.draw()}
                                    "Download"
                                </a>
                            }
                        })
                }}
                {move || {
                    may_administer
                        .get()
                        .then(|| {
                            view! {
                                <HoldOrLift row acts />
                                <BinOrRestore row acts />
                            }
                        })
                }}
            </div>
        </div>
    }
}

/// Whether it is all there, in words, before anything else.
#[component]
fn Judgement(page: Page) -> impl IntoView {
    let verdict = Memo::new(move |_| page.with(verdict));
    move || {
        let Verdict { tone, headline, remarks } = verdict.get();
        let icon = match tone {
            Tone::Good => Icon::Ready,
            Tone::Caution => Icon::Incomplete,
            Tone::Bad => Icon::Failed,
            Tone::Busy => Icon::Recording,
        };
        view! {
            <section class=format!("verdict {}", tone.as_str()) aria-label="Verdict">
                {icon.draw()} <div>
                    <p class="headline">{headline}</p>
                    {remarks.into_iter().map(|remark| view! { <p>{remark}</p> }).collect_view()}
                </div>
            </section>
        }
    }
}

/// Its hold, and its way through the bin.
#[component]
fn Kept(page: Page) -> impl IntoView {
    let keeping = Memo::new(move |_| page.with(|page| page.row.keeping.clone()));
    let hold = move || {
        keeping.get().hold.map(|hold| {
            let note = hold.note.map(|note| format!(" “{note}”")).unwrap_or_default();
            view! {
                <p class="notice hold">
                    {Icon::Hold.draw()} <span>
                        "On legal hold since " <When at=Signal::stored(hold.at) /> {format!(" UTC, by {}.{note}", hold.by)}
                        " Neither people nor the retention delete it."
                    </span>
                </p>
            }
        })
    };
    let bin = move || {
        let keeping = keeping.get();
        let binned_at = keeping.binned_at?;
        let rest = match (keeping.purged_at, keeping.restorable_until) {
            (Some(purged_at), _) => view! {
                ", and gone for good since " <When at=Signal::stored(purged_at) />
                " UTC. Only this account of it is left, so that its name is never given again."
            }
            .into_any(),
            (None, Some(until)) => view! {
                ". It can be restored until " <When at=Signal::stored(until) /> " UTC, by " <b>"Restore"</b>
                "; meanwhile nothing answers under its URL."
            }
            .into_any(),
            (None, None) => {
                view! { ". It can be restored, by " <b>"Restore"</b> "; meanwhile nothing answers under its URL." }.into_any()
            }
        };
        Some(view! {
            <p class="notice warn">
                {Icon::Deleted.draw()} <span>"In the bin since " <When at=Signal::stored(binned_at) /> " UTC" {rest}</span>
            </p>
        })
    };
    view! { <div class="kept">{hold} {bin}</div> }
}

#[component]
fn Stage(page: Page, state: Memo<AssetState>) -> impl IntoView {
    let playable = Memo::new(move |_| page.with(|page| Playable::of(&page.row.recording)));
    // Asked of a memo, as all that changes while it is watched would make the player anew.
    let is_playable = Memo::new(move |_| playable.with(Option::is_some));
    move || match is_playable.get() {
        true => view! {
            <section class="stage" aria-label="Player">
                <Player playable=Signal::derive(move || playable.get().unwrap_or_default()) wanted=true />
            </section>
        }
        .into_any(),
        false => view! {
            <section class="empty" aria-label="Player">
                <p>{move || waiting(state.get())}</p>
            </section>
        }
        .into_any(),
    }
}

fn waiting(state: AssetState) -> &'static str {
    match state {
        AssetState::Recording => "Its recording has just begun. In a second it plays here, from its start.",
        AssetState::Deleted => "It was deleted, so there is nothing to play.",
        AssetState::Ready | AssetState::Incomplete | AssetState::Failed => "There is nothing to play.",
    }
}

#[component]
fn Account(page: Page) -> impl IntoView {
    let report = Memo::new(move |_| page.with(|page| page.report.clone()));
    let state = Memo::new(move |_| page.with(|page| page.row.recording.state));
    let (id, began_at, file_name) = page.with_untracked(|page| {
        let recording = &page.row.recording;
        (recording.id, recording.created_at, recording.file_name.clone())
    });
    let report_name = format!("{}-report.json", file_name.trim_end_matches(".mp4"));
    view! {
        <section class="card report" aria-labelledby="report-title">
            <div class="card-head">
                <h2 id="report-title">"What came of what was sent"</h2>
                <a href=format!("/vod/{id}/report") download=report_name rel="external">
                    "Report as JSON"
                </a>
            </div>
            {move || match report.get() {
                Some(report) => view! { <ReportTables report began_at file_name=file_name.clone() /> }.into_any(),
                None => {
                    let text = if state.get() == AssetState::Recording {
                        "It is drawn up when the encoder stops: frames received and stored, gaps, reconnects, and a checksum."
                    } else {
                        "There is no account of this recording."
                    };
                    view! { <p class="muted">{text}</p> }.into_any()
                }
            }}
            <p class="muted small">
                "Programs read the same from " <code>{format!("GET /asset/{id}/report")}</code> ", with an API key."
            </p>
        </section>
    }
}

#[component]
fn Addresses(page: Page) -> impl IntoView {
    let is_guarded = Memo::new(move |_| page.with(|page| page.row.recording.pass.is_some()));
    view! {
        <section class="card" aria-labelledby="addresses-title">
            <h2 id="addresses-title">"Playout"</h2>
            <CopyRow label="URL" value=of_recording(page, |recording| recording.url.clone()) />
            <CopyBlock label="Embed code" value=of_recording(page, snippets::recording_html) />
            {move || is_guarded.get().then(|| view! { <p class="muted small">{GUARDED}</p> })}
        </section>
    }
}

/// On average, sound and all.
fn bitrate(recording: &RecordingRow) -> String {
    let bits = recording.size_bytes.saturating_mul(8).saturating_mul(1000);
    bits.checked_div(recording.duration_ms).map_or_else(|| "–".to_owned(), format::bitrate)
}

/// What there is of it.
fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

#[component]
fn Facts(page: Page) -> impl IntoView {
    let text = move |of: fn(&RecordingRow) -> String| of_recording(page, of);
    let reason = Memo::new(move |_| page.with(|page| page.row.recording.reason.clone()));
    let ended_at = Memo::new(move |_| page.with(|page| page.ended_at));
    let tags = Memo::new(move |_| page.with(|page| page.row.tags.clone()));
    let fact = |name: &'static str, value: AnyView| {
        view! {
            <dt>{name}</dt>
            <dd>{value}</dd>
        }
    };
    let written = move |name: &'static str, of: fn(&RecordingRow) -> String| fact(name, text(of).into_any());
    let ended = move || match ended_at.get() {
        Some(at) => view! {
            <When at=Signal::stored(at) />
            " UTC"
        }
        .into_any(),
        None => view! { "not yet" }.into_any(),
    };
    view! {
        <section class="card" aria-labelledby="facts-title">
            <h2 id="facts-title">"Facts"</h2>
            <dl class="facts">
                {written("State", |recording| recording.state.to_string())}
                {move || reason.get().map(|reason| fact("Reason", view! { {reason} }.into_any()))}
                {fact(
                    "Session began",
                    view! {
                        <When at=Signal::derive(move || page.with(|page| page.row.recording.created_at)) />
                        " UTC"
                    }
                        .into_any(),
                )} {fact("Session ended", ended.into_any())}
                {written("Duration", |recording| format::precise_duration(recording.duration_ms))}
                {written("Size", |recording| {
                    format!("{} ({} bytes)", format::megabytes(recording.size_bytes), format::thousands(recording.size_bytes))
                })} {written("Bit rate", bitrate)} {written("Video", |recording| or_none(video_text(recording)))}
                {written("Audio", |recording| or_none(audio_text(recording)))}
                {written("Region", |recording| format!("{} ({})", recording.region.title(), recording.region))}
                {fact(
                    "Stream",
                    view! {
                        {to_stream(page, Some("mono"), text(|recording| recording.streamname.to_string()))}
                    }
                        .into_any(),
                )} {fact("Tags", (move || tag_list(&tags.get(), true)).into_any())}
                {fact("Recording ID", view! { <span class="mono id">{text(|recording| recording.id.to_string())}</span> }.into_any())}
            </dl>
        </section>
    }
}
