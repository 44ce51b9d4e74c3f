//! One recording in the table, and the player it opens to.

use afterlive_domain::AssetState;
use leptos::html::{Details, Video};
use leptos::prelude::*;
use leptos::web_sys::Element;

use super::copy::{CopyButton, CopyRow};
use super::icon::Icon;
use super::player::{Playable, Player, is_watchable};
use super::snippets;
use super::state_pill::AssetPill;
use super::when::When;
use crate::backend::RecordingRow;
use crate::{browser, format};

/// Two rows in a body of their own: the facts, and below them what the disclosure in the first cell opens. The opening is CSS (`:has`), so that a
/// table stays a table and yet opens without a script. With one, what opens plays at once, and what is closed plays no more.
#[component]
pub fn RecordingBody(
    row: Signal<RecordingRow>,
    /// Whether the viewer may open the recording's own page.
    has_page: Signal<bool>,
) -> impl IntoView {
    let text = move |of: fn(&RecordingRow) -> String| move || row.with(of);
    let is_open = RwSignal::new(false);
    let panel_id = row.with_untracked(|row| format!("recording-{}", row.id));
    let picture = Memo::new(move |_| row.with(picture));
    let state = Memo::new(move |_| row.with(|row| row.state));
    let is_watchable = Memo::new(move |_| row.with(is_watchable));
    let toggle = move |event: leptos::ev::Event| is_open.set(event_target::<Element>(&event).has_attribute("open"));
    let (details, video) = (NodeRef::<Details>::new(), NodeRef::<Video>::new());
    // By the press itself, for which browsers give leave to be heard. It comes before the opening, and before the closing.
    let press = move |_| {
        let (Some(details), Some(video)) = (details.get_untracked(), video.get_untracked()) else { return };
        if details.open() {
            let _ = video.pause();
        } else {
            browser::play(&video);
        }
    };
    view! {
        <tbody class=move || format!("recording {}", state.get().as_str())>
            <tr>
                <td class="opener">
                    <details node_ref=details on:toggle=toggle>
                        <summary on:click=press aria-controls=panel_id.clone() aria-label=text(what_opens)>
                            {move || thumbnail(picture, is_watchable.get())}
                        </summary>
                    </details>
                </td>
                <td data-label="Session date (UTC)">
                    <When at=Signal::derive(move || row.with(|row| row.created_at)) />
                </td>
                <td class="file" data-label="Recording">
                    {move || file_name(is_watchable.get(), &row.read())}
                    <CopyButton value=Signal::derive(text(|row| row.url.clone())) what=Signal::derive(text(|row| format!("the URL of {}", row.file_name))) />
                </td>
                <td class="number" data-label="Duration">
                    {text(|row| format::duration(row.duration_ms))}
                </td>
                <td class="number" data-label="Size">
                    {text(|row| format::megabytes(row.size_bytes))}
                </td>
                <td data-label="Region">
                    <abbr title=text(|row| row.region.title().to_owned())>{text(|row| row.region.to_string())}</abbr>
                </td>
                <td data-label="State">
                    <AssetPill state />
                </td>
            </tr>
            <tr class="panel" id=panel_id>
                <td colspan="7">
                    <Panel row is_open has_page video />
                </td>
            </tr>
        </tbody>
    }
}

/// In the words of the sign on the thumbnail.
fn what_opens(row: &RecordingRow) -> String {
    let name = &row.file_name;
    if is_watchable(row) { format!("Play and details of {name}") } else { format!("Details of {name}") }
}

/// What it looks like: its poster, or while it is being recorded, the stream's still of some seconds ago.
#[must_use]
pub fn picture(row: &RecordingRow) -> Option<String> {
    row.poster_url.as_ref().map(|url| row.to_load(url)).or_else(|| row.still_url.clone())
}

pub(super) fn thumbnail(picture: Memo<Option<String>>, is_watchable: bool) -> AnyView {
    let face = if is_watchable { Icon::Play } else { Icon::Info };
    let has_picture = Memo::new(move |_| picture.with(Option::is_some));
    // One image whose source changes: a still that gives way to the next does not flicker.
    let image = move || {
        has_picture.get().then(|| view! { <img src=move || picture.get() alt="" loading="lazy" width="64" height="36" /> })
    };
    view! { <span class="thumbnail">{image} {face.draw()}</span> }.into_any()
}

/// A link once there is something to watch.
fn file_name(is_watchable: bool, row: &RecordingRow) -> AnyView {
    let name = row.file_name.clone();
    if is_watchable {
        view! {
            <a href=row.play_url() rel="external">
                {name}
            </a>
        }
        .into_any()
    } else {
        view! { <span>{name}</span> }.into_any()
    }
}

/// `H.264 · 1280 × 720 · 30 fps`; empty where there is no picture.
#[must_use]
pub fn video_text(row: &RecordingRow) -> String {
    let codec = row.video_codec.as_deref().map(format::codec);
    let size = row.width.zip(row.height).map(|(width, height)| format!("{width} × {height}"));
    let fps = row.fps.map(|fps| format!("{} fps", format::fps(fps)));
    [codec, size, fps].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Empty where there is no sound.
#[must_use]
pub fn audio_text(row: &RecordingRow) -> String {
    row.audio_codec.as_deref().map(format::codec).unwrap_or_default()
}

fn media_text(row: &RecordingRow) -> String {
    [video_text(row), audio_text(row)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// The page of one recording.
#[must_use]
pub fn recording_path(row: &RecordingRow) -> String {
    format!("/vod/{}", row.id)
}

#[component]
fn Panel(row: Signal<RecordingRow>, is_open: RwSignal<bool>, has_page: Signal<bool>, video: NodeRef<Video>) -> impl IntoView {
    let playable = Memo::new(move |_| row.with(Playable::of));
    // Asked of a memo, as pictures that arrive would make the player anew.
    let is_playable = Memo::new(move |_| playable.with(Option::is_some));
    let is_growing = Memo::new(move |_| row.with(|row| row.state == AssetState::Recording));
    // Who only watches came with a token, and makes none.
    let is_guarded = Memo::new(move |_| has_page.get() && row.with(|row| row.pass.is_some()));
    let reason = Memo::new(move |_| row.with(|row| row.reason.clone()));
    let url = Signal::derive(move || row.with(|row| row.url.clone()));
    let media = Memo::new(move |_| row.with(media_text));
    let details = move || {
        has_page.get().then(|| {
            view! {
                <a class="button quiet" href=row.with(recording_path)>
                    {Icon::Info.draw()}
                    "Details"
                </a>
            }
        })
    };
    let body = move || match is_playable.get() {
        true => view! {
            <Player playable=Signal::derive(move || playable.get().unwrap_or_default()) wanted=is_open video />
            <div class="panel-facts">
                {move || is_growing.get().then(|| view! { <p>{GROWING}</p> })}
                <CopyRow label="URL" value=url />
                <CopyRow label="Embed code" value=Signal::derive(move || row.with(snippets::recording_html)) />
                {move || is_guarded.get().then(|| view! { <p class="muted small">{GUARDED}</p> })}
                <p class="actions">
                    <a class="button quiet" href=move || row.with(RecordingRow::download_url) download rel="external">
                        {Icon::Download.draw()}
                        "Download MP4"
                    </a>
                    {details}
                    <span class="muted">{move || media.get()}</span>
                </p>
            </div>
        }
        .into_any(),
        false => view! {
            <div class="panel-facts">
                <p>{move || row.with(|row| waiting(row.state))}</p>
                <CopyRow label="URL" value=url />
                <p class="actions">{details}</p>
            </div>
        }
        .into_any(),
    };
    view! {
        <div class="panel-body">
            {body} {move || reason.get().map(|reason| view! { <p class="notice warn">{Icon::Incomplete.draw()} {reason}</p> })}
        </div>
    }
}

/// Beside the URL of a recording that is not public.
pub const GUARDED: &str = "Recordings are not public here: outside this dashboard the URL needs a playback token behind it, ?token=…, made on the stream's page under “Code snippets”.";

const GROWING: &str =
    "It is being recorded. From its start up to now it plays here and under this URL, where the finished recording will stand:";

fn waiting(state: AssetState) -> &'static str {
    match state {
        AssetState::Recording => {
            "Its recording has just begun. In a second it plays here and under this URL, from its start; the finished recording will stand there too:"
        }
        AssetState::Deleted => "It is deleted. Its URL will never be given to another recording:",
        AssetState::Ready | AssetState::Incomplete | AssetState::Failed => "There is nothing to play under this URL:",
    }
}
