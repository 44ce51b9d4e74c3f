//! Streams in a table: of the list, and of the start page.

use afterlive_domain::StreamState;
use leptos::prelude::*;

use super::copy::CopyButton;
use super::facts::tag_list;
use super::named::named;
use super::overview::title_of;
use super::rows::keyed_rows;
use super::state_pill::StreamPill;
use super::when::When;
use crate::backend::StreamRow;
use crate::format;

#[component]
pub fn StreamTable(#[prop(into)] rows: Signal<Vec<StreamRow>>, #[prop(into)] caption: String) -> impl IntoView {
    view! {
        <table class="stream-table">
            <caption class="offscreen">{caption}</caption>
            <thead>
                <tr>
                    <th scope="col">"State"</th>
                    <th scope="col">"Stream"</th>
                    <th scope="col">"Stream ID"</th>
                    <th scope="col">"Last updated " <small>"(UTC)"</small></th>
                    <th scope="col">"Tags"</th>
                    <th scope="col" class="number">
                        "Recordings"
                    </th>
                </tr>
            </thead>
            <tbody>{keyed_rows(rows, |row| row.id, |row| view! { <Row row /> }.into_any())}</tbody>
        </table>
    }
}

#[component]
fn Row(row: Signal<StreamRow>) -> impl IntoView {
    let name = Signal::derive(move || row.with(|row| row.streamname.to_string()));
    let id = Signal::derive(move || row.with(|row| row.id.to_string()));
    let tags = Memo::new(move |_| row.with(|row| row.tags.clone()));
    let title = Memo::new(move |_| tags.with(title_of));
    // Its page is gone with it.
    let has_page = Memo::new(move |_| row.with(|row| row.state != StreamState::Deleted));
    let led = move |look: &'static str, text: AnyView| {
        if has_page.get() {
            view! {
                <a class=look href=format!("/stream/{}", id.get())>
                    {text}
                </a>
            }
            .into_any()
        } else {
            view! { <span class=look>{text}</span> }.into_any()
        }
    };
    view! {
        <tr>
            <td data-label="State">
                <StreamPill state=Signal::derive(move || row.with(|row| row.state)) />
            </td>
            <td class="file" data-label="Stream">
                {move || led("stream-link", named(title.get(), name.get()))}
                <CopyButton value=name what=Signal::derive(move || format!("streamname {}", name.get())) />
            </td>
            <td class="id" data-label="Stream ID">
                {move || led("mono quiet-link", id.get().into_any())}
            </td>
            <td data-label="Last updated (UTC)">
                <When at=Signal::derive(move || row.with(|row| row.updated_at)) />
            </td>
            <td data-label="Tags">{move || tag_list(&tags.get(), true)}</td>
            <td class="number" data-label="Recordings" data-unit=move || if row.with(|row| row.recordings) == 1 { "recording" } else { "recordings" }>
                {move || row.with(|row| format::thousands(row.recordings))}
            </td>
        </tr>
    }
}
