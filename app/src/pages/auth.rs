//! `/auth`: sign in.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::skeleton;
use crate::backend::Access;
use crate::browser;
use crate::format::too_many_attempts;
use crate::live::{News, loaded};
use crate::query::sign_in_url;
use crate::server_fns::access::{SignIn, load_access, load_sends_mail, load_typed_email};
use crate::ui::icon::Logo;
use crate::ui::notice::Failure;
use crate::ui::provider::{self, ProviderButton};
use crate::ui::second_factor::MustEnrol;

#[component]
pub fn AuthPage() -> impl IntoView {
    view! {
        <Title text="Sign in" />
        {loaded(Signal::stored(()), |()| load_access(), skeleton, |access| move || match access.get() {
            Access::NotSetUp => view! { <NotSetUp /> }.into_any(),
            Access::SignedOut => view! { <SignInForm /> }.into_any(),
            Access::MustEnrol { email, has_password } => view! { <MustEnrol email has_password /> }.into_any(),
            Access::SignedIn(viewer) => view! { <Already email=viewer.email /> }.into_any(),
        })}
    }
}

fn problem(code: &str, seconds: &str) -> Option<String> {
    Some(match code {
        "credentials" => "This e-mail address and this password do not belong together.".into(),
        "suspended" => "Your organisation is suspended: nobody of it can sign in at the moment. Ask who runs this server.".into(),
        "wait" => too_many_attempts(seconds),
        "again" => {
            "That took too long, or your password or second factor was changed meanwhile. Please sign in once more.".into()
        }
        "ended" => "Your session has ended. Please sign in again.".into(),
        "server" => "Something went wrong on the server. You are not signed in; please try again.".into(),
        other => return provider::problem(other).map(str::to_owned),
    })
}

#[component]
fn SignInForm() -> impl IntoView {
    let query = use_query_map();
    let read = move |name: &'static str| query.with(|query| query.get(name).unwrap_or_default());
    let next = move || read("next");
    // Digits only: it came through the URL.
    let seconds = move || read("seconds").chars().filter(char::is_ascii_digit).take(5).collect::<String>();
    leave_others_head();
    let typed = OnceResource::new(load_typed_email());
    let sends_mail = OnceResource::new(load_sends_mail());
    view! {
        <section class="gate">
            <Logo />
            <h1>"Sign in"</h1>
            {move || problem(&read("error"), &seconds()).map(|problem| view! { <Failure problem /> })}
            // A plain form: with another person every page is another one, so it is loaded anew.
            <form method="post" action=SignIn::url()>
                <input type="hidden" name="next" value=next />
                <Suspense>
                    {move || Suspend::new(async move { view! { <Fields typed=typed.await.unwrap_or_default() /> } })}
                </Suspense>
                <button class="button primary">"Sign in"</button>
            </form>
            <ProviderButton action="/oidc/sign-in" field="next" value=Signal::derive(next) verb="Sign in by" />
            <Suspense>
                {move || Suspend::new(async move { view! { <Forgotten sends_mail=sends_mail.await.unwrap_or_default() /> } })}
            </Suspense>
        </section>
    }
}

/// A form that was answered by "sign in first" leads here without loading the page, and then who has signed in no more stands around it.
fn leave_others_head() {
    let (news, query) = (News::of_app(), use_query_map());
    Effect::new(move |_| {
        if news.shows_signed_in() {
            let next = query.with_untracked(|query| query.get("next").unwrap_or_else(|| "/".into()));
            browser::leave_for(&sign_in_url(&next, true));
        }
    });
}

/// The way back in.
#[component]
fn Forgotten(sends_mail: bool) -> impl IntoView {
    if sends_mail {
        view! {
            <p class="small">
                <a href="/forgotten">"Forgot your password?"</a>
            </p>
        }
        .into_any()
    } else {
        view! {
            <p class="muted small">"Forgotten? An administrator of your organisation can give you a link for a new password."</p>
        }
        .into_any()
    }
}

/// Where the address stands already, what is missing is the password.
#[component]
fn Fields(typed: String) -> impl IntoView {
    let is_known = !typed.is_empty();
    view! {
        <label>
            "E-mail address"
            <input type="email" name="email" autocomplete="username" required maxlength="254" value=typed autofocus=!is_known />
        </label>
        <label>
            "Password"
            <input
                type="password"
                name="password"
                autocomplete="current-password"
                required
                maxlength="1024"
                autofocus=is_known
            />
        </label>
    }
}

#[component]
fn NotSetUp() -> impl IntoView {
    view! {
        <section class="gate">
            <Logo />
            <h1>"Nearly there"</h1>
            <p>
                "This server has no administrator yet. Open the one-time set-up link that it has printed in its terminal when it started; it makes your account and organisation."
            </p>
            <p class="muted">
                "The link is gone? Start the server again for a new one, or run " <code>"afterlive setup"</code>
                " in the folder where the server runs."
            </p>
        </section>
    }
}

#[component]
fn Already(email: String) -> impl IntoView {
    view! {
        <section class="gate">
            <Logo />
            <h1>"You are signed in"</h1>
            <p>"As " <strong>{email}</strong> "."</p>
            <p class="actions">
                <a class="button primary" href="/">
                    "To the start page"
                </a>
            </p>
        </section>
    }
}
