//! `/stream/create`: a new stream.

use afterlive_domain::{Mode, Permission};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

use super::skeleton;
use crate::backend::{Access, Answer, BackendError, Viewer};
use crate::live::{loaded, refresh_after};
use crate::server_fns::Flash;
use crate::server_fns::access::load_access;
use crate::server_fns::streams::{CreateStream, MAX_NAME_CHARS};
use crate::ui::icon::Icon;
use crate::ui::make_button::MakeButton;
use crate::ui::notice::LastFlash;

/// Who may create streams, and nobody else.
pub(super) async fn creator((): ()) -> Answer<Viewer> {
    match load_access().await? {
        Access::SignedIn(viewer) if viewer.role.allows(Permission::EditStreams) => Ok(viewer),
        Access::SignedIn(_) => Err(BackendError::Denied),
        Access::SignedOut | Access::MustEnrol { .. } | Access::NotSetUp => Err(BackendError::SignedOut),
    }
}

#[component]
pub fn StreamCreatePage() -> impl IntoView {
    view! {
        <Title text="New stream" />
        {loaded(Signal::stored(()), creator, skeleton, |viewer| view! { <CreateForm viewer /> })}
    }
}

/// What was typed and chosen in the form before, where it was refused: the page may be another one, as without scripts.
#[derive(Default)]
struct Typed {
    name: String,
    tags: String,
    mode: Option<Mode>,
}

impl Typed {
    fn of(flash: Option<Flash>) -> Self {
        match flash {
            Some(Flash::StreamNotCreated { name, tags, mode, .. }) => Self { name, tags, mode: Some(mode) },
            _ => Self::default(),
        }
    }
}

/// What people are to call it, and the tags. The name becomes one of those, which commas separate.
#[component]
pub(super) fn NameAndTags() -> impl IntoView {
    let LastFlash(flash) = expect_context();
    view! {
        <Transition>
            {move || Suspend::new(async move {
                let Typed { name, tags, .. } = Typed::of(flash.await);
                view! {
                    <label>
                        "Name " <small class="muted">"optional"</small>
                        <input
                            type="text"
                            name="name"
                            maxlength=MAX_NAME_CHARS.to_string()
                            pattern="[^,]*"
                            title="A name without commas"
                            autocomplete="off"
                            placeholder="Sunday service"
                            value=name
                        />
                        <small class="muted">
                            "Viewers see it. It is kept as the tag " <code>"title:…"</code>
                        </small>
                    </label>
                    <label>
                        "Tags " <small class="muted">"optional, separated by commas"</small>
                        <input type="text" name="tags" maxlength="2000" placeholder="hall-2, evening" value=tags />
                    </label>
                }
            })}
        </Transition>
    }
}

/// What the ingest URL that is offered first does. `records`: whether the organisation keeps recordings at all.
#[component]
fn ModeChoice(records: bool) -> impl IntoView {
    let LastFlash(flash) = expect_context();
    view! {
        <fieldset>
            <legend>"What its default ingest URL does"</legend>
            <Transition>
                {move || Suspend::new(async move {
                    let is_rec = Typed::of(flash.await).mode.map_or(records, |mode| mode == Mode::Rec);
                    view! {
                        <label class="choice">
                            <input type="radio" name="mode" value=Mode::Rec.as_str() checked=is_rec />
                            <span>
                                <b>"Live + recording"</b>
                                <small class="muted">
                                    {if records {
                                        "Delivered live, and kept as an MP4 with a URL."
                                    } else {
                                        "Recording is off for your organisation: until it is switched on, nothing is kept."
                                    }}
                                </small>
                            </span>
                        </label>
                        <label class="choice">
                            <input type="radio" name="mode" value=Mode::Live.as_str() checked=!is_rec />
                            <span>
                                <b>"Live only"</b>
                                <small class="muted">"Delivered live; nothing is kept. The other URL still records."</small>
                            </span>
                        </label>
                    }
                })}
            </Transition>
        </fieldset>
    }
}

#[component]
fn CreateForm(viewer: Signal<Viewer>) -> impl IntoView {
    let action = ServerAction::<CreateStream>::new();
    refresh_after(action);
    let records = viewer.with_untracked(|viewer| viewer.settings.recording_enabled);
    view! {
        <section class="narrow">
            <h1>"New stream"</h1>
            <p class="muted">"It gets a streamname of its own, which is never given to another. To send from this browser, " <a href="/webcaster">"open the webcaster"</a> "."</p>
            <div class="card">
                <ActionForm action>
                    <NameAndTags />
                    <ModeChoice records />
                    <MakeButton pending=action.pending() primary=true>
                        {Icon::Plus.draw()} "Create the stream"
                    </MakeButton>
                </ActionForm>
            </div>
        </section>
    }
}
