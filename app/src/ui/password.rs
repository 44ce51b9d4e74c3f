//! Where a password is chosen: the field, what it asks for, and the page of a link that does so.

use afterlive_domain::password::{MIN_CHARS, Weakness};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::icon::Logo;
use super::notice::Failure;
use super::provider;

/// The field for a new password. Takes what password managers fill in and what is pasted; says what is asked for before anything is wrong.
#[component]
pub fn NewPasswordField(
    /// Empty where nothing is wrong.
    problem: String,
) -> impl IntoView {
    view! {
        <label>
            "New password"
            <input
                type="password"
                name="password"
                autocomplete="new-password"
                required
                minlength=MIN_CHARS.to_string()
                maxlength="1024"
                aria-describedby="password-rule"
            />
            <small class="muted" id="password-rule">
                {format!("At least {MIN_CHARS} characters, of any kind: some words in a row are long and easy to keep in mind.")}
            </small>
            {(!problem.is_empty()).then(|| view! { <span class="field-problem" role="alert">{problem}</span> })}
        </label>
    }
}

/// The last part of a link's path.
#[must_use]
pub fn secret_of_link() -> Signal<String> {
    let params = use_params_map();
    Signal::derive(move || params.with(|params| params.get("secret").unwrap_or_default()))
}

/// What is wrong with the password that was sent, where that stands beside the field; else with all of it.
fn problems(code: &str) -> (Option<String>, Option<&'static str>) {
    let weakness = Weakness::ALL.into_iter().find(|weakness| weakness.as_str() == code);
    let whole = match code {
        "taken" => {
            Some("There is a user with this e-mail address by now. Sign in as that, or ask for a link for a new password.")
        }
        "server" => Some("Something went wrong on the server. Please try again in a moment."),
        other => provider::problem(other),
    };
    (weakness.map(|weakness| format!("Please give {}.", weakness.asked_for())), whole)
}

/// A page for who has a link: `children` say what it is for.
#[component]
pub fn ChoosePassword(
    title: &'static str,
    /// Where the form goes.
    action: &'static str,
    button: &'static str,
    secret: String,
    email: String,
    /// Another way, below the form.
    #[prop(optional)]
    below: Option<AnyView>,
    children: Children,
) -> impl IntoView {
    let code = use_query_map().with_untracked(|query| query.get("error").unwrap_or_default());
    let (of_field, whole) = problems(&code);
    view! {
        <section class="gate">
            <Logo />
            <h1>{title}</h1>
            {whole.map(|problem| view! { <Failure problem /> })}
            {children()}
            // A plain form: with another person every page is another one, so it is loaded anew.
            <form method="post" action=action>
                <input type="hidden" name="secret" value=secret />
                <label>
                    "E-mail address"
                    // For password managers too.
                    <input type="email" autocomplete="username" readonly value=email />
                </label>
                <NewPasswordField problem=of_field.unwrap_or_default() />
                <button class="button primary">{button}</button>
            </form>
            {below}
        </section>
    }
}

/// The link is worth nothing.
#[component]
pub fn DeadLink(what: &'static str) -> impl IntoView {
    view! {
        <section class="gate">
            <Logo />
            <h1>"This link opens nothing"</h1>
            <p>{what} " works once. This one has been used, has expired or was revoked, or it was cut when it was copied."</p>
            <p>"Ask an administrator of the organisation for another one."</p>
            <p class="actions">
                <a class="button" href="/auth">
                    "Sign in"
                </a>
            </p>
        </section>
    }
}
