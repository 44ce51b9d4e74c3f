//! `/setup?token=`: the first organisation and its first administrator, by the link that the server printed.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::skeleton;
use crate::backend::Access;
use crate::live::loaded;
use crate::server_fns::Flash;
use crate::server_fns::access::{SetUp, load_access};
use crate::ui::icon::Logo;
use crate::ui::notice::LastFlash;
use crate::ui::password::NewPasswordField;

#[component]
pub fn SetUpPage() -> impl IntoView {
    view! {
        <Title text="Set up" />
        {loaded(Signal::stored(()), |()| load_access(), skeleton, |access| {
            let is_done = Memo::new(move |_| access.with(|access| *access != Access::NotSetUp));
            view! {
                <section class="gate">
                    <Logo />
                    {move || if is_done.get() { view! { <Done access /> }.into_any() } else { view! { <FirstTime /> }.into_any() }}
                </section>
            }
        })}
    }
}

/// There is an organisation already.
#[component]
fn Done(access: Signal<Access>) -> impl IntoView {
    let is_signed_in = move || access.with(|access| matches!(access, Access::SignedIn(_)));
    view! {
        <h1>"The set-up is done"</h1>
        <p>"This link has been used, and works once: the organisation and its first administrator are made."</p>
        <p class="actions">
            {move || {
                if is_signed_in() {
                    view! {
                        <a class="button primary" href="/">
                            "To the start page"
                        </a>
                    }
                } else {
                    view! {
                        <a class="button primary" href="/auth">
                            "Sign in"
                        </a>
                    }
                }
            }}
        </p>
    }
}

#[component]
fn FirstTime() -> impl IntoView {
    let query = use_query_map();
    let token = Memo::new(move |_| query.with(|query| query.get("token").unwrap_or_default()));
    let LastFlash(flash) = expect_context();
    view! {
        <h1>"Welcome to Afterlive"</h1>
        {move || {
            if token.get().is_empty() {
                view! { <WrongLink /> }.into_any()
            } else {
                view! {
                    <Suspense>
                        {move || Suspend::new(async move {
                            let typed = flash.await;
                            view! { <SetUpForm token=token.get_untracked() typed /> }
                        })}
                    </Suspense>
                }
                    .into_any()
            }
        }}
    }
}

#[component]
fn WrongLink() -> impl IntoView {
    view! {
        <p>
            "This link is not the one that the server printed when it started last. Look into the server's terminal for the present one."
        </p>
    }
}

/// `typed`: what was wrong with the attempt before.
#[component]
fn SetUpForm(token: String, typed: Option<Flash>) -> impl IntoView {
    let (organisation_name, email, field, problem) = match typed {
        Some(Flash::SetUp { organisation_name, email, field, problem }) => (organisation_name, email, field, problem),
        _ => Default::default(),
    };
    let problem_of = move |name: &str| if field == name { problem.clone() } else { String::new() };
    let hint =
        |problem: String| (!problem.is_empty()).then(|| view! { <span class="field-problem" role="alert">{problem}</span> });
    view! {
        <p>"Make your organisation and its first administrator. This takes a minute and is done once."</p>
        <form method="post" action=SetUp::url()>
            <input type="hidden" name="token" value=token />
            <label>
                "Organisation"
                <input type="text" name="organisation_name" value=organisation_name autocomplete="organization" required maxlength="100" />
                {hint(problem_of("organisation_name"))}
            </label>
            <label>
                "Your e-mail address"
                <input type="email" name="email" value=email autocomplete="username" required maxlength="254" />
                {hint(problem_of("email"))}
            </label>
            <NewPasswordField problem=problem_of("password") />
            <button class="button primary">"Create the organisation"</button>
        </form>
    }
}
