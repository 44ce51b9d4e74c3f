//! Recordings of all streams in a table: what they are, and what is done with them.

use afterlive_domain::AssetState;
use leptos::prelude::*;

use super::copy::CopyButton;
use super::icon::Icon;
use super::named::named;
use super::overview::title_of;
use super::player::is_watchable;
use super::recording_actions::{Acts, BinOrRestore};
use super::recording_row::{picture, recording_path, thumbnail};
use super::rows::keyed_rows;
use super::state_pill::{AssetPill, HeldPill};
use super::when::When;
use crate::backend::{LibraryRow, RecordingRow};
use crate::format;

/// `may_administer`: who may delete and restore is offered it.
#[component]
pub fn LibraryTable(rows: Signal<Vec<LibraryRow>>, acts: Acts, may_administer: Signal<bool>) -> impl IntoView {
    view! {
        <table class="library-table">
            <caption class="offscreen">"Recordings of your organisation, newest first"</caption>
            <thead>
                <tr>
                    <th scope="col">
                        <span class="offscreen">"Play"</span>
                    </th>
                    <th scope="col">"Recording"</th>
                    <th scope="col">
                        "Session date " <small>"(UTC)"</small>
                    </th>
                    <th scope="col" class="number">
                        "Duration"
                    </th>
                    <th scope="col" class="number">
                        "Size"
                    </th>
                    <th scope="col">"Region"</th>
                    <th scope="col">"State"</th>
                    <th scope="col">
                        <span class="offscreen">"Actions"</span>
                    </th>
                </tr>
            </thead>
            <tbody>
                {keyed_rows(rows, |row| row.recording.id, move |row| view! { <Row row acts may_administer /> }.into_any())}
            </tbody>
        </table>
    }
}

/// The stream's tags but for what people call it, which stands above them.
fn tags_text(row: &LibraryRow) -> String {
    let plain = row.tags.as_slice().iter().filter(|tag| !tag.starts_with("title:"));
    plain.map(String::as_str).collect::<Vec<_>>().join(" · ")
}

#[component]
fn Row(row: Signal<LibraryRow>, acts: Acts, may_administer: Signal<bool>) -> impl IntoView {
    let text = move |of: fn(&RecordingRow) -> String| Signal::derive(move || row.with(|row| of(&row.recording)));
    let path = row.with_untracked(|row| recording_path(&row.recording));
    let name = row.with_untracked(|row| row.recording.file_name.clone());
    let state = Memo::new(move |_| row.with(|row| row.recording.state));
    let is_watchable = Memo::new(move |_| row.with(|row| is_watchable(&row.recording)));
    let picture = Memo::new(move |_| row.with(|row| picture(&row.recording)));
    let is_held = Memo::new(move |_| row.with(|row| row.keeping.hold.is_some()));
    let until = Memo::new(move |_| row.with(|row| row.keeping.restorable_until));
    let tags = Memo::new(move |_| row.with(tags_text));
    let title = Memo::new(move |_| row.with(|row| title_of(&row.tags)));
    let named_after = {
        let name = name.clone();
        move || named(title.get(), name.clone())
    };
    let url = text(|recording| recording.url.clone());
    let download_url = text(RecordingRow::download_url);
    view! {
        <tr class=move || state.get().as_str()>
            <td class="opener">
                <a href=path.clone() aria-label=format!("Play {name}") tabindex="-1">
                    {move || thumbnail(picture, is_watchable.get())}
                </a>
            </td>
            <td class="file" data-label="Recording">
                <a href=path>{named_after}</a>
                <span class="of muted">{move || tags.get()}</span>
            </td>
            <td data-label="Session date (UTC)">
                <When at=Signal::derive(move || row.with(|row| row.recording.created_at)) />
            </td>
            <td class="number" data-label="Duration">
                {text(|recording| format::duration(recording.duration_ms))}
            </td>
            <td class="number" data-label="Size">
                {text(|recording| format::megabytes(recording.size_bytes))}
            </td>
            <td data-label="Region">
                <abbr title=text(|recording| recording.region.title().to_owned())>{text(|recording| recording.region.to_string())}</abbr>
            </td>
            <td class="states" data-label="State">
                <AssetPill state />
                {move || is_held.get().then(|| view! { <HeldPill /> })}
                {move || {
                    until.get().map(|at| view! { <span class="until muted small">"until " <When at=Signal::stored(at) /></span> })
                }}
            </td>
            <td class="row-actions">
                <div class="actions">
                    {move || (state.get() != AssetState::Deleted).then(|| view! { <Reach url download_url name=name.clone() state /> })}
                    {move || may_administer.get().then(|| view! { <BinOrRestore row acts /> })}
                </div>
            </td>
        </tr>
    }
}

/// How to get at it.
#[component]
fn Reach(url: Signal<String>, download_url: Signal<String>, name: String, state: Memo<AssetState>) -> impl IntoView {
    let download = {
        let name = name.clone();
        move || {
            state.get().is_playable().then(|| {
                view! {
                    <a
                        class="button quiet icon-only"
                        href=download_url.get()
                        download
                        rel="external"
                        aria-label=format!("Download {name}")
                        title="Download MP4"
                    >
                        {Icon::Download.draw()}
                    </a>
                }
            })
        }
    };
    view! {
        <CopyButton value=url what=format!("the URL of {name}") />
        {download}
    }
}
