//! `/sign-in/code`: who has given the right password, and has a second factor, is asked for a code.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::skeleton;
use crate::format::too_many_attempts;
use crate::live::loaded;
use crate::query::with_query;
use crate::server_fns::second_factor::{SignInWithCode, load_is_code_asked};
use crate::ui::icon::Logo;
use crate::ui::notice::Failure;
use crate::ui::second_factor::CodeField;

#[component]
pub fn SignInCodePage() -> impl IntoView {
    view! {
        <Title text="Second factor" />
        {loaded(Signal::stored(()), |()| load_is_code_asked(), skeleton, |is_asked| move || {
            if is_asked.get() { view! { <Forms /> }.into_any() } else { view! { <FirstThePassword /> }.into_any() }
        })}
    }
}

fn problem(code: &str, seconds: &str) -> Option<String> {
    Some(match code {
        "code" => "This code is wrong, or has been used. Please wait for the next one that your app shows, or use a recovery code.".into(),
        "wait" => too_many_attempts(seconds),
        "exhausted" => {
            "There were too many wrong codes: those of your app are not taken any more. Use a recovery code, or ask an administrator of your organisation.".into()
        }
        "server" => "Something went wrong on the server. You are not signed in; please try again.".into(),
        _ => return None,
    })
}

#[component]
fn Forms() -> impl IntoView {
    let query = use_query_map();
    let read = move |name: &'static str| query.with(|query| query.get(name).unwrap_or_default());
    // Digits only: it came through the URL.
    let seconds = move || read("seconds").chars().filter(char::is_ascii_digit).take(5).collect::<String>();
    view! {
        <section class="gate">
            <Logo />
            <h1>"Second factor"</h1>
            {move || problem(&read("error"), &seconds()).map(|problem| view! { <Failure problem /> })}
            <p>"Your password is right. Now type the six digits that your app shows. Without the app a recovery code is as good: see below."</p>
            // Plain forms, as at the sign-in.
            <form method="post" action=SignInWithCode::url()>
                <input type="hidden" name="next" value=move || read("next") />
                <CodeField autofocus=true />
                <button class="button primary">"Sign in"</button>
            </form>
            <details class="other-way">
                <summary>"App not at hand? Use a recovery code"</summary>
                <form method="post" action=SignInWithCode::url()>
                    <input type="hidden" name="next" value=move || read("next") />
                    <label>
                        "Recovery code"
                        <input
                            type="text"
                            name="code"
                            class="mono"
                            autocomplete="off"
                            autocapitalize="none"
                            spellcheck="false"
                            required
                            maxlength="64"
                            aria-describedby="recovery-rule"
                        />
                        <small class="muted" id="recovery-rule">
                            "One of those that you were shown when you set this up. Each works once."
                        </small>
                    </label>
                    <button class="button">"Use the recovery code"</button>
                </form>
                <p class="muted small">
                    "Those are lost too? An administrator of your organisation can reset your second factor; where you are the only one, who has the server's terminal can."
                </p>
            </details>
            <p class="small">
                <a href="/auth">"Sign in as somebody else"</a>
            </p>
        </section>
    }
}

/// Nobody is asked here, or it took too long.
#[component]
fn FirstThePassword() -> impl IntoView {
    let query = use_query_map();
    let sign_in = move || with_query("/auth", &[("next", &query.with(|query| query.get("next").unwrap_or_else(|| "/".into())))]);
    view! {
        <section class="gate">
            <Logo />
            <h1>"First the password"</h1>
            <p>"A code is asked for after the right password, for ten minutes."</p>
            <p class="actions">
                <a class="button primary" href=sign_in>
                    "Sign in"
                </a>
            </p>
        </section>
    }
}
