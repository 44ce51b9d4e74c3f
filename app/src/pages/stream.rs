//! `/stream/ID`: one stream, for those who run it.

use afterlive_domain::{Permission, StreamState};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_query_map};

use super::skeleton;
use crate::backend::Overview;
use crate::format;
use crate::live::{leave_after, loaded, refresh_after};
use crate::server_fns::streams::{DeleteStream, StopAndLock, Unlock};
use crate::ui::confirm::Confirm;
use crate::ui::copy::CopyButton;
use crate::ui::interruption::PresentState;
use crate::ui::overview::{AlsoNamed, OverviewCards, called, load_to_operate, title, wanted, watch};
use crate::ui::playback_tokens::PlaybackAccess;
use crate::ui::publish_keys::PublishKeyRenewal;
use crate::ui::recordings::Recordings;
use crate::ui::snippets::Snippets;
use crate::ui::when::When;

#[component]
pub fn StreamPage() -> impl IntoView {
    loaded(wanted(), load_to_operate, skeleton, |overview| view! { <Content overview /> })
}

#[component]
fn Content(overview: Signal<Overview>) -> impl IntoView {
    watch(overview);
    let query = use_query_map();
    let tab = Memo::new(move |_| query.with(|query| query.get("tab").unwrap_or_default()));
    let has_title = Memo::new(move |_| overview.with(|overview| title(overview).is_some()));
    let name = Signal::derive(move || overview.with(|overview| overview.stream.streamname.to_string()));
    view! {
        <Title text=move || overview.with(called) />
        <div class="page-head">
            <div>
                <p class="kicker">
                    "Stream · created "
                    <When at=Signal::derive(move || overview.with(|overview| overview.stream.created_at)) /> " UTC"
                </p>
                <h1>
                    <span class:mono=move || !has_title.get()>{move || overview.with(called)}</span>
                    {move || (!has_title.get()).then(|| view! { <CopyButton value=name what="the streamname" /> })}
                    <PresentState overview />
                </h1>
                <AlsoNamed overview />
                <p class="muted small mono">{move || overview.with(|overview| overview.stream.id.to_string())}</p>
            </div>
            <Actions overview />
        </div>
        <Tabs tab />
        {move || match tab.get().as_str() {
            "recordings" => view! { <Recordings overview /> }.into_any(),
            "code" => {
                view! {
                    <div class="cards">
                        <section class="card" aria-labelledby="snippets-title">
                            <h2 id="snippets-title">"Code snippets"</h2>
                            <Snippets overview />
                        </section>
                        <PlaybackAccess overview />
                    </div>
                }
                    .into_any()
            }
            _ => view! { <OverviewCards overview /> }.into_any(),
        }}
    }
}

#[component]
fn Tabs(tab: Memo<String>) -> impl IntoView {
    let location = use_location();
    let link = move |name: &'static str, text: &'static str| {
        let query = if name.is_empty() { String::new() } else { format!("?tab={name}") };
        view! {
            <li>
                <a
                    href=move || format!("{}{query}", location.pathname.get())
                    aria-current=move || (tab.get() == name).then_some("page")
                >
                    {text}
                </a>
            </li>
        }
    };
    view! {
        <nav aria-label="Parts of this stream">
            <ul class="tabs">
                {link("", "Overview")} {link("recordings", "Recordings")} {link("code", "Code snippets")}
            </ul>
        </nav>
    }
}

#[component]
fn Actions(overview: Signal<Overview>) -> impl IntoView {
    let url = move |page: &'static str| move || overview.with(|overview| format!("{page}/{}", overview.stream.id));
    let allows = move |permission| overview.with(|overview| overview.role.is_some_and(|role| role.allows(permission)));
    let may_send = Memo::new(move |_| allows(Permission::EditStreams));
    let may_administer = Memo::new(move |_| {
        allows(Permission::Administer) && overview.with(|overview| overview.stream.state != StreamState::Deleted)
    });
    view! {
        <div class="actions">
            {move || {
                may_send
                    .get()
                    .then(|| {
                        view! {
                            <a class="button" href=url("/stream/new")>
                                "Instructions"
                            </a>
                            // A page of its own, which the browser asks before it leaves.
                            <a class="button" rel="external" href=url("/webcaster")>
                                "Webcaster"
                            </a>
                        }
                    })
            }}
            <a class="button" href=url("/playout")>
                "Watch"
            </a>
            {move || may_administer.get().then(|| view! { <AdminActions overview /> })}
        </div>
    }
}

fn lock_question(overview: &Overview) -> String {
    if overview.stream.state == StreamState::Live {
        "The encoder that sends now is cut off, and its recording ends here. It and every other is refused until you unlock the stream. Recordings stay."
    } else {
        "Encoders are refused until you unlock the stream. Recordings stay."
    }
    .into()
}

fn delete_question(overview: &Overview) -> String {
    let gone = format!("The stream {} is deleted, and its streamname is never given again.", overview.stream.streamname);
    let (recordings, them) = match overview.recordings.total {
        0 => return gone,
        1 => ("Its recording goes to the bin: the URL stops working".to_owned(), "it"),
        total => {
            (format!("Its {} go to the bin: their URLs stop working", format::count(total, "recording", "recordings")), "them")
        }
    };
    if overview.bin_days == 0 {
        return format!("{gone} Its recordings are removed for good. What is on legal hold stays, at its URL.");
    }
    let days = format::count(overview.bin_days, "day", "days");
    format!("{gone} {recordings}, and for {days} the library can restore {them}. What is on legal hold stays, at its URL.")
}

#[component]
fn AdminActions(overview: Signal<Overview>) -> impl IntoView {
    let (lock, unlock, delete) =
        (ServerAction::<StopAndLock>::new(), ServerAction::<Unlock>::new(), ServerAction::<DeleteStream>::new());
    refresh_after(lock);
    refresh_after(unlock);
    leave_after(delete.pending(), delete);
    let id = overview.with_untracked(|overview| overview.stream.id.to_string());
    let is_locked = Memo::new(move |_| overview.with(|overview| overview.stream.state == StreamState::Locked));
    let hidden = {
        let id = id.clone();
        move || view! { <input type="hidden" name="stream" value=id.clone() /> }
    };
    let (lock_id, delete_id) = (hidden.clone(), hidden.clone());
    view! {
        <PublishKeyRenewal overview />
        {move || {
            let (hidden, lock_id) = (hidden.clone(), lock_id.clone());
            if is_locked.get() {
                view! {
                    <ActionForm action=unlock>
                        {hidden()} <button class="button">"Unlock"</button>
                    </ActionForm>
                }
                    .into_any()
            } else {
                view! {
                    <Confirm
                        label="Stop & Lock"
                        question=Signal::derive(move || overview.with(lock_question))
                    >
                        <ActionForm action=lock>
                            {lock_id()} <button class="button danger solid">"Stop and lock the stream"</button>
                        </ActionForm>
                    </Confirm>
                }
                    .into_any()
            }
        }}
        <Confirm label="Delete" question=Signal::derive(move || overview.with(delete_question))>
            <ActionForm action=delete>
                {delete_id()}
                <button class="button danger solid">"Delete the stream"</button>
            </ActionForm>
        </Confirm>
    }
}
