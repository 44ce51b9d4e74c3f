//! `/webcaster`: which stream this browser is to send to.

use std::time::Duration;

use afterlive_domain::StreamState;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;

use super::skeleton;
use super::stream_create::{NameAndTags, creator};
use crate::backend::{Answer, StreamFilter, StreamRow, StreamSort};
use crate::live::{listen, loaded};
use crate::server_fns::streams::{CreateStream, load_streams};
use crate::ui::icon::Icon;
use crate::ui::make_button::MakeButton;
use crate::ui::named::named;
use crate::ui::overview::title_of;
use crate::ui::rows::keyed_rows;
use crate::ui::state_pill::StreamPill;
use crate::ui::when::When;

/// No answer takes so long. No event tells that somebody has stopped their browser from waiting for one.
const ON_ITS_WAY: Duration = Duration::from_secs(60);

/// The streams that were used last, of those that take a publisher.
async fn load_choices((): ()) -> Answer<Vec<StreamRow>> {
    creator(()).await?;
    let mut page = load_streams(StreamFilter { sort: StreamSort::Updated, page_size: 25, page: 1, ..Default::default() }).await?;
    page.rows.retain(|row| row.state != StreamState::Locked);
    Ok(page.rows)
}

#[component]
pub fn WebcasterStartPage() -> impl IntoView {
    view! {
        <Title text="Go live from this browser" />
        {loaded(Signal::stored(()), load_choices, skeleton, |streams| view! { <Choice streams /> })}
    }
}

#[component]
fn Choice(streams: Signal<Vec<StreamRow>>) -> impl IntoView {
    listen(None);
    let is_empty = Memo::new(move |_| streams.with(Vec::is_empty));
    // The page is left when the form is answered, and may be come back to as it was.
    let sent = RwSignal::new(false);
    Effect::new(move |_| {
        let shown = window_event_listener(leptos::ev::pageshow, move |event| {
            if event.persisted() {
                sent.set(false);
            }
        });
        on_cleanup(move || shown.remove());
    });
    let send = move |_| {
        sent.set(true);
        set_timeout(
            move || {
                sent.try_set(false);
            },
            ON_ITS_WAY,
        );
    };
    view! {
        <section class="narrow">
            <h1>"Go live from this browser"</h1>
            <p class="muted">
                "With its camera, microphone or screen, and no other software. Nothing is sent before you have seen the picture and pressed the button."
            </p>
            <div class="card">
                <h2>"On a new stream"</h2>
                // A plain form: the webcaster is a page of its own, which the browser asks before it leaves.
                <form method="post" action=CreateStream::url() on:submit=send>
                    <input type="hidden" name="then" value="webcaster" />
                    <NameAndTags />
                    <MakeButton pending=sent primary=true>
                        {Icon::Plus.draw()} "Create it and open the webcaster"
                    </MakeButton>
                </form>
            </div>
            <div class="card">
                <div class="card-head">
                    <h2>"On a stream you already have"</h2>
                    <a href="/stream">"All streams"</a>
                </div>
                {move || {
                    if is_empty.get() {
                        view! { <p class="muted">"There is no stream yet that can be sent to."</p> }.into_any()
                    } else {
                        view! { <ul class="stream-choice">{keyed_rows(streams, |row| row.id, |row| view! { <Row row /> }.into_any())}</ul> }
                            .into_any()
                    }
                }}
            </div>
        </section>
    }
}

#[component]
fn Row(row: Signal<StreamRow>) -> impl IntoView {
    let names = Memo::new(move |_| row.with(|row| (title_of(&row.tags), row.streamname.to_string())));
    let name = move || {
        let (title, name) = names.get();
        named(title, name)
    };
    view! {
        <li>
            <a rel="external" href=move || row.with(|row| format!("/webcaster/{}", row.id))>
                {name}
            </a>
            <StreamPill state=Signal::derive(move || row.with(|row| row.state)) />
            <span class="muted">
                <When at=Signal::derive(move || row.with(|row| row.updated_at)) />
            </span>
        </li>
    }
}
