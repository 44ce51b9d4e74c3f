//! `/setup?token=`: the first organisation and its first administrator, by the link that the server printed.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::server_fns::{Flash, access::SetUp};
use crate::ui::icon::Logo;
use crate::ui::notice::LastFlash;

#[component]
pub fn SetUpPage() -> impl IntoView {
    let query = use_query_map();
    let token = Memo::new(move |_| query.with(|query| query.get("token").unwrap_or_default()));
    let LastFlash(flash) = expect_context();
    view! {
        <Title text="Set up" />
        <section class="gate">
            <Logo />
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
        </section>
    }
}

#[component]
fn WrongLink() -> impl IntoView {
    view! {
        <p>
            "This link is not the one that the server printed when it started last, or it has been used. Look into the server's terminal for the present one."
        </p>
        <p class="muted">"Is the set-up done already? " <a href="/auth">"Sign in"</a> "."</p>
    }
}

/// `typed`: what was wrong with the attempt before.
#[component]
fn SetUpForm(token: String, typed: Option<Flash>) -> impl IntoView {
    let (organisation_name, email, field, problem) = match typed {
        Some(Flash::SetUp { organisation_name, email, field, problem }) => (organisation_name, email, field, problem),
        _ => Default::default(),
    };
    let hint =
        move |name: &str| (field == name).then(|| view! { <span class="field-problem" role="alert">{problem.clone()}</span> });
    view! {
        <p>"Make your organisation and its first administrator. This takes a minute and is done once."</p>
        <form method="post" action=SetUp::url()>
            <input type="hidden" name="token" value=token />
            <label>
                "Organisation"
                <input type="text" name="organisation_name" value=organisation_name autocomplete="organization" required maxlength="100" />
                {hint("organisation_name")}
            </label>
            <label>
                "Your e-mail address"
                <input type="email" name="email" value=email autocomplete="username" required maxlength="254" />
                {hint("email")}
            </label>
            <label>
                "Password"
                <input type="password" name="password" autocomplete="new-password" required minlength="8" maxlength="1024" />
                <small class="muted">"At least 8 characters."</small>
                {hint("password")}
            </label>
            <button class="button primary">"Create the organisation"</button>
        </form>
    }
}
