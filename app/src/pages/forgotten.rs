//! `/forgotten`: who has forgotten the password has a link mailed, where there is a mail server, or is told whom to ask.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::skeleton;
use crate::live::loaded;
use crate::server_fns::access::{AskForPasswordLink, load_sends_mail, load_typed_email};
use crate::ui::icon::Logo;
use crate::ui::notice::Failure;

#[component]
pub fn ForgottenPage() -> impl IntoView {
    view! {
        <Title text="Forgotten password" />
        {loaded(Signal::stored(()), |()| load_sends_mail(), skeleton, |sends_mail| {
            let query = use_query_map();
            let is_asked = Memo::new(move |_| query.with(|query| query.get("asked").is_some()));
            view! {
                <section class="gate">
                    <Logo />
                    <h1>"Forgotten password"</h1>
                    {move || match (sends_mail.get(), is_asked.get()) {
                        (false, _) => view! { <AskSomebody /> }.into_any(),
                        (true, true) => view! { <Asked /> }.into_any(),
                        (true, false) => view! { <Form /> }.into_any(),
                    }}
                    <p class="actions">
                        <a class="button" href="/auth">
                            "Back to the sign-in"
                        </a>
                    </p>
                </section>
            }
        })}
    }
}

fn problem(code: &str, seconds: &str) -> Option<String> {
    Some(match code {
        "wait" => format!("There were too many questions. Please wait {seconds} seconds, then try again."),
        "server" => "Something went wrong on the server. Please try again in a moment.".into(),
        _ => return None,
    })
}

#[component]
fn Form() -> impl IntoView {
    let query = use_query_map();
    let read = move |name: &'static str| query.with(|query| query.get(name).unwrap_or_default());
    // Digits only: it came through the URL.
    let seconds = move || read("seconds").chars().filter(char::is_ascii_digit).take(5).collect::<String>();
    let typed = OnceResource::new(load_typed_email());
    view! {
        {move || problem(&read("error"), &seconds()).map(|problem| view! { <Failure problem /> })}
        <p>"Type your e-mail address. You are sent a link by which you set a new password; until then the present one goes on."</p>
        // A plain form, as at the sign-in.
        <form method="post" action=AskForPasswordLink::url()>
            <Suspense>
                {move || Suspend::new(async move {
                    let typed = typed.await.unwrap_or_default();
                    view! {
                        <label>
                            "E-mail address"
                            <input type="email" name="email" autocomplete="username" required maxlength="254" value=typed autofocus />
                        </label>
                    }
                })}
            </Suspense>
            <button class="button primary">"Send me a link"</button>
        </form>
    }
}

/// Says the same whether there is such a user or not.
#[component]
fn Asked() -> impl IntoView {
    view! {
        <div role="status">
            <p>"If somebody signs in here with that address, a mail with a link is on its way to it. The link works once, for an hour."</p>
        </div>
        <p class="muted small">
            "Nothing in some minutes? Look among unwanted mail, and whether the address is the one that you sign in with. Or ask an administrator of your organisation, who can give you a link too."
        </p>
    }
}

#[component]
fn AskSomebody() -> impl IntoView {
    view! {
        <p>"An administrator of your organisation can give you a link for a new password."</p>
        <p class="muted small">
            "You are the only one? Who has the server's terminal can run " <code>"afterlive user password-link"</code>
            " there, in the folder where the server runs."
        </p>
    }
}
