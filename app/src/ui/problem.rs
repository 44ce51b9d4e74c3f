//! A page that could not be: why, and what to do. Also the guard: who is not signed in sees the way to sign in, and nothing else.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use leptos_router::params::ParamsMap;

use crate::backend::BackendError;
use crate::live::News;
use crate::query::sign_in_url;
use crate::{browser, request};

#[component]
pub fn Problem(error: BackendError) -> impl IntoView {
    request::set_status(error.status());
    match error {
        BackendError::SignedOut => view! { <ToSignIn /> }.into_any(),
        BackendError::NotFound => view! { <NotFound /> }.into_any(),
        BackendError::Denied => {
            let text = "Ask an administrator of your organisation, who may do this or can give you the role for it.";
            page("403", "Your role does not allow this", text.into(), false)
        }
        BackendError::Refused(reason) => page("409", "That is not possible", reason, false),
        BackendError::NotNow { .. } => page("503", "There is no room at the moment", error.to_string(), true),
        BackendError::Internal { .. } => page("500", "Something went wrong here", error.to_string(), true),
        BackendError::Unreachable => page("503", "The server does not answer", error.to_string(), true),
    }
}

/// Nothing stands under this address.
#[component]
pub fn NotFound() -> impl IntoView {
    request::set_status(404);
    let text = "Perhaps the address was cut when it was copied, or the stream belongs to another organisation.";
    page("404", "There is nothing here", text.into(), false)
}

/// `passes`: it may be gone by now.
fn page(code: &'static str, title: &'static str, text: String, passes: bool) -> AnyView {
    let location = use_location();
    let here = move || format!("{}{}", location.pathname.get(), location.query.with(ParamsMap::to_query_string));
    view! {
        <Title text=title />
        <section class="problem">
            <p class="problem-code">{code}</p>
            <h1>{title}</h1>
            <p>{text}</p>
            <p class="actions">
                {passes
                    .then(|| {
                        view! {
                            // External: what stands around the page may have failed with it.
                            <a class="button" href=here rel="external">
                                "Try again"
                            </a>
                        }
                    })}
                <a class="button" href="/stream">
                    "All streams"
                </a>
                <a class="button quiet" href="/">
                    "Start page"
                </a>
            </p>
        </section>
    }
    .into_any()
}

#[component]
fn ToSignIn() -> impl IntoView {
    let location = use_location();
    let here = format!("{}{}", location.pathname.get_untracked(), location.query.get_untracked().to_query_string());
    let was_signed_in = News::of_app().shows_signed_in();
    let path = sign_in_url(&here, was_signed_in || request::has_lost_session());
    request::redirect(&path);
    // In the browser what stands around the page must go too.
    browser::leave_for(&path);
    view! {
        <section class="problem">
            <h1>"Please sign in"</h1>
            <p>
                <a href=path>"To the sign-in page"</a>
            </p>
        </section>
    }
}
