//! What came of the last form, on top of the page it led to: a short code in the URL, or a flash where it is long or secret. On a long page both name
//! the card that it stands in instead.

use afterlive_domain::AssetId;
use leptos::form::ActionForm;
use leptos::html::Form;
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};

use super::copy::{CopyBlock, CopyRow};
use super::icon::Icon;
use super::link_mail::LinkMail;
use super::outcome;
use super::playback_tokens::NewToken;
use crate::backend::BackendError;
use crate::browser;
use crate::live::{News, refresh_after};
use crate::server_fns::{Flash, access::take_flash, library::RestoreRecording};

fn sentence(code: &str) -> Option<&'static str> {
    Some(match code {
        "saved" => "Saved.",
        "tags" => "Tags saved.",
        "locked" => "Stopped and locked. Encoders are refused until it is unlocked.",
        "unlocked" => "Unlocked. Encoders are welcome again.",
        "deleted" => "The stream is deleted.",
        "restored" => "Restored. It plays under its URL as before.",
        "held" => "On legal hold. Neither people nor the retention delete it until the hold is lifted.",
        "released" => "The legal hold is lifted.",
        "revoked" => "The key is revoked. Programs that use it are refused from now on.",
        "publish-key" => {
            "The publish key is renewed. What is on air goes on; for the next time the encoder needs the new stream key."
        }
        "role" => "The role is changed, and holds from now on.",
        "removed" => "The user is removed. Every browser and program of theirs is signed out with its next request.",
        "invitation-revoked" => "The invitation is revoked. Its link opens nothing any more.",
        "joined" => "Welcome. Your account is made, and you are signed in.",
        "suspended" => "Suspended. Nobody of the organisation is let in, and what is on air ends. Nothing is deleted.",
        "resumed" => "Resumed. All is as it was before.",
        "system-role-given" => "They are a system administrator from now on.",
        "system-role-taken" => "They are a system administrator no more.",
        "password" => "The new password is set, and you are signed in. All other sessions have ended.",
        "password-set" => "The new password is set. Please sign in with it.",
        "oidc-stale" => {
            "This way to the sign-in provider was begun in another browser, or too long ago. Nothing was changed; please try again."
        }
        "connected" => "Your account is connected. From now on you can sign in that way too.",
        "user-disconnected" => "The user is disconnected, and every sign-in of theirs that came that way has ended.",
        "disconnected" => "Your account is disconnected, and every sign-in that came that way has ended.",
        "password-set-code" => "The new password is set, and all your sessions have ended. You have a second factor: it stays.",
        "second-factor-begun" => "Two steps are left.",
        "second-factor-anew" => "Nothing was changed: it took too long, or was done elsewhere. You can begin anew.",
        "second-factor-done" => "It is done. Please sign in anew.",
        "second-factor-off" => "The second factor is switched off. All your other sessions have ended.",
        "second-factor-reset" => {
            "The second factor is reset, and all sessions of the user have ended. Their password alone signs them in now."
        }
        "session-ended" => "Ended. It is signed out with its next request.",
        "sessions-ended" => "All others have ended. Only this browser is signed in.",
        "push-url" => "Saved. While the stream is live, this page shows how the push does.",
        "endpoint-made" => "The endpoint is made. Give your program the signing secret, and send a test.",
        "endpoint-on" => "Switched on. The endpoint is told what happens from now on.",
        "endpoint-off" => "Switched off. What waited is given up, and what happens meanwhile is not told later.",
        "endpoint-deleted" => "The endpoint is deleted. It is told nothing any more.",
        "endpoint-rotated" => "A new secret signs from now on; the one before too, for 24 hours.",
        "endpoint-tested" => "A test is on its way. What comes of it stands in the list.",
        "resent" => "It is sent again. What comes of it stands in the list.",
        "token-revoked" => "The token is revoked. Whoever watches with it is refused from now on.",
        "playback-secret" => {
            "All playback tokens have ended. Whoever watches with one is refused from now on; make new ones for those who may go on."
        }
        "signed-out" => "You are signed out.",
        "welcome" => "All set. Create a stream, and go live.",
        _ => return None,
    })
}

/// The id of what stands on top of each page.
const NOTICES: &str = "notices";

/// The flash of the form before, taken once for all who show a part of it.
#[derive(Clone, Copy)]
pub struct LastFlash(pub Resource<Option<Flash>>);

impl LastFlash {
    /// Asks again after each form, as a second attempt can lead to the same URL; never because of an event, which would take the notice away.
    pub fn provide() {
        let query = use_query_map();
        let news = News::of_app();
        let is_flash = Memo::new(move |_| query.with(|query| query.get("notice").as_deref() == Some("flash")));
        let flash = Resource::new(
            move || (is_flash.get(), news.answered()),
            |(is_flash, _)| async move { if is_flash { take_flash().await.ok().flatten() } else { None } },
        );
        provide_context(Self(flash));
        outcome::provide(flash);
    }
}

/// Empties the form once what it asks for `is_made`: the next one is not made by mistake. One that failed keeps what was typed.
pub fn clear_after(form: NodeRef<Form>, is_made: fn(&Flash) -> bool) {
    let LastFlash(flash) = expect_context();
    Effect::watch(
        move || flash.get(),
        move |flash, _, _| {
            if let (Some(Some(flash)), Some(form)) = (flash, form.get_untracked())
                && is_made(flash)
            {
                form.reset();
            }
        },
        false,
    );
}

/// That the last form worked, where the URL says so, and of this `card`; `None`: on top of the page.
pub(super) fn done(card: Option<&'static str>) -> Memo<Option<&'static str>> {
    let query = use_query_map();
    let news = News::of_app();
    Memo::new(move |_| {
        // It is of the form before that one.
        if news.unanswered().is_some() {
            return None;
        }
        query.with(|query| {
            let code = query.get("notice").filter(|_| query.get("card").as_deref() == card)?;
            sentence(&code)
        })
    })
}

#[component]
pub fn Notice() -> impl IntoView {
    let LastFlash(flash) = expect_context();
    let done = done(None);
    view! {
        <div class="notices" id=NOTICES>
            <Unanswered />
            {move || done.get().map(|text| view! { <Done text /> })}
            <Transition>{move || Suspend::new(async move { flash.await.and_then(show) })}</Transition>
        </div>
    }
}

/// Why the last form has no answer, as where the server is away.
#[component]
fn Unanswered() -> impl IntoView {
    let news = News::of_app();
    let path = use_location().pathname;
    Effect::watch(move || path.get(), move |_, _, _| news.forget_unanswered(), false);
    // The form may stand far below.
    Effect::new(move |_| {
        if news.unanswered().is_some() {
            browser::scroll_to(NOTICES);
        }
    });
    // Another paragraph each time, as who hears the page is told of new ones only.
    view! {
        <For
            each=move || news.unanswered()
            key=|(count, _): &(u32, BackendError)| *count
            children=move |(_, error): (u32, BackendError)| {
                let problem = error.to_string();
                move || {
                    if news.is_back() {
                        view! { <BackAgain /> }.into_any()
                    } else {
                        view! { <Failure problem=problem.clone() /> }.into_any()
                    }
                }
            }
        />
    }
}

/// Whether the form had arrived before the connection went, nobody knows.
#[component]
fn BackAgain() -> impl IntoView {
    view! {
        <p class="notice warn" role="status">
            {Icon::Info.draw()}
            "The server answers again. What you sent last had no answer: please see whether it was saved, and send it again if it was not."
        </p>
    }
}

#[component]
pub(super) fn Done(text: &'static str, #[prop(optional)] in_card: bool) -> impl IntoView {
    view! {
        <p class="notice done" class:in-card=in_card role="status">
            {Icon::Ready.draw()}
            {text}
        </p>
    }
}

fn show(flash: Flash) -> Option<AnyView> {
    match flash {
        Flash::Problem(problem) => Some(told_anew(problem)),
        Flash::Binned { asset, file_name, back } => Some(view! { <Binned asset file_name back /> }.into_any()),
        Flash::NewPlaybackToken { label, token, playout } => Some(view! { <NewToken label token playout /> }.into_any()),
        Flash::NewKey { label, key } => Some(view! { <NewKey label key /> }.into_any()),
        Flash::Invitation { email, link } => Some(
            view! {
                <OneTimeLink name="Invitation" email=email.clone() link>
                    "By this link " <strong>{email}</strong>
                    " chooses a password and is signed in. It works once, for seven days, and " <strong>"is shown this once"</strong> "."
                </OneTimeLink>
            }
            .into_any(),
        ),
        Flash::PasswordLink { email, link } => Some(
            view! {
                <OneTimeLink name="Link for a new password" email=email.clone() link>
                    "By this link " <strong>{email}</strong>
                    " sets a new password. It works once, for 24 hours, and " <strong>"is shown this once"</strong>
                    ". Until then the present password goes on."
                </OneTimeLink>
            }
            .into_any(),
        ),
        Flash::AdministratorInvited { email, link } => Some(
            view! {
                <OneTimeLink name="Invitation" email=email.clone() link is_system=true>
                    "By this link " <strong>{email}</strong>
                    " chooses a password and administers the organisation. It works once, for seven days, and "
                    <strong>"is shown this once"</strong> "."
                </OneTimeLink>
            }
            .into_any(),
        ),
        Flash::RecoveryCodes { codes } => Some(view! { <NewRecoveryCodes codes /> }.into_any()),
        Flash::PasswordChanged => {
            Some(view! { <Done text="Your password is changed. All your other sessions have ended." /> }.into_any())
        }
        Flash::NotCreated { problem, .. } | Flash::StreamNotCreated { problem, .. } => Some(told_anew(problem)),
        // The form shows it beside the field, or above itself.
        Flash::SetUp { .. } | Flash::ProblemInCard { .. } | Flash::NotInvited { .. } => None,
    }
}

/// Another paragraph each time, also for the same sentence, as who hears the page is told of new ones only: what a closure gives is drawn anew, where
/// a bare view would be changed in place.
fn told_anew(problem: String) -> AnyView {
    (move || view! { <Failure problem=problem.clone() /> }).into_any()
}

/// Something that the reader must mend.
#[component]
pub fn Failure(#[prop(into)] problem: String) -> impl IntoView {
    view! {
        <p class="notice failed" role="alert">
            {Icon::Failed.draw()}
            {problem}
        </p>
    }
}

#[component]
fn Binned(asset: AssetId, file_name: String, back: String) -> impl IntoView {
    let restore = ServerAction::<RestoreRecording>::new();
    refresh_after(restore);
    view! {
        <div class="notice done undo" role="status">
            {Icon::Deleted.draw()} <p>
                <span class="mono">{file_name}</span>
                " is in the bin."
            </p> <ActionForm action=restore>
                <input type="hidden" name="asset" value=asset.to_string() />
                <input type="hidden" name="back" value=back />
                <button class="button">"Undo"</button>
            </ActionForm>
        </div>
    }
}

#[component]
fn NewKey(label: String, key: String) -> impl IntoView {
    view! {
        <section class="notice key" role="status" aria-label="New API key">
            <p>
                {Icon::Key.draw()} <span>
                    "The key “" {label} "” is made. Copy it now: " <strong>"it is shown this once"</strong>
                    ", and only a fingerprint of it is stored."
                </span>
            </p>
            <CopyRow label="API key" value=key />
        </section>
    }
}

#[component]
fn NewRecoveryCodes(codes: Vec<String>) -> impl IntoView {
    view! {
        <section class="notice key" role="status" aria-label="Recovery codes">
            <p>
                {Icon::Key.draw()} <span>
                    "Your second factor is on. These recovery codes sign you in when the app is not at hand, each once. Keep them where you find them without your phone: they are "
                    <strong>"shown this once"</strong> "."
                </span>
            </p>
            <CopyBlock label="Recovery codes" value=codes.join("\n") />
        </section>
    }
}

/// Opens somebody's account: `children` say whose, and for how long.
#[component]
fn OneTimeLink(
    name: &'static str,
    email: String,
    link: String,
    /// Whether it leads into an organisation that may be another one than the reader's.
    #[prop(optional)]
    is_system: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <section class="notice key" role="status" aria-label=name>
            <p>{Icon::Key.draw()} <span>{children()}</span></p>
            <LinkMail email link=link.clone() is_system />
            <CopyRow label=name value=link />
        </section>
    }
}
