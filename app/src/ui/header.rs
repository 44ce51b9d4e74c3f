//! What stands around every page: the way around, who is signed in, how the pages look.

use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_location;
use leptos_router::params::ParamsMap;

use super::icon::{Icon, Logo};
use crate::backend::{Access, Viewer};
use crate::browser;
use crate::live::News;
use crate::request::{self, Theme};
use crate::server_fns::access::{SignOut, load_access};
use leptos::server_fn::ServerFn;

#[component]
pub fn Header() -> impl IntoView {
    let access = OnceResource::new(load_access());
    view! {
        <header class="top">
            <div class="top-inner">
                <a class="brand" href="/" aria-label="Afterlive, start page">
                    <Logo />
                    <span>"Afterlive"</span>
                </a>
                <Suspense>
                    {move || Suspend::new(async move {
                        match access.await {
                            Ok(Access::SignedIn(viewer)) => view! { <SignedIn viewer /> }.into_any(),
                            _ => ().into_any(),
                        }
                    })}
                </Suspense>
                <ThemeSwitch />
            </div>
        </header>
    }
}

#[component]
fn SignedIn(viewer: Viewer) -> impl IntoView {
    News::of_app().note_signed_in();
    let is_system = viewer.system_administrator;
    let may_create = viewer.role.allows(afterlive_domain::Permission::EditStreams);
    view! {
        <nav class="main-nav" aria-label="Main">
            <A href="/" exact=true>
                "Start"
            </A>
            <A href="/stream">"Streams"</A>
            <A href="/vod">"Recordings"</A>
            <A href="/organisation">"Organisation"</A>
            {is_system.then(|| view! { <A href="/system">"System"</A> })}
        </nav>
        <Connection />
        {may_create
            .then(|| {
                view! {
                    <a class="button new-stream" href="/stream/create">
                        {Icon::Plus.draw()}
                        <span class="new-stream-text">"New stream"</span>
                    </a>
                }
            })}
        <details class="user-menu" name="menu">
            <summary>
                {Icon::Person.draw()} <span class="user-name">{viewer.email.clone()}</span>
            </summary>
            <div class="menu-box">
                <p>
                    <strong>{viewer.email}</strong>
                    <br />
                    <span class="muted">{viewer.organisation_name} " · " {viewer.role.as_str()}</span>
                </p>
                // External, as the menu would stay open over the page.
                <a class="button quiet" href="/account" rel="external">
                    "Your account"
                </a>
                // A plain form: with another person every page is another one, so it is loaded anew.
                <form method="post" action=SignOut::url()>
                    <button class="button quiet">"Sign out"</button>
                </form>
            </div>
        </details>
    }
}

/// Whether news arrive by themselves. Says nothing where all is well at first sight, nor on pages without news.
#[component]
fn Connection() -> impl IntoView {
    let news = News::of_app();
    move || match news.connected.get() {
        None => ().into_any(),
        Some(true) => view! {
            <span class="connection on" title="This page updates by itself">
                <span class="dot" aria-hidden="true"></span>
                <span class="offscreen">"Updates arrive"</span>
            </span>
        }
        .into_any(),
        Some(false) => view! {
            <span class="connection off" role="status">
                <span class="dot" aria-hidden="true"></span>
                "Reconnecting…"
            </span>
        }
        .into_any(),
    }
}

#[component]
fn ThemeSwitch() -> impl IntoView {
    let chosen = RwSignal::new(request::theme());
    let location = use_location();
    let here = move || format!("{}{}", location.pathname.get(), location.query.with(ParamsMap::to_query_string));
    let face = |theme| match theme {
        Theme::System => (Icon::System, "Colours as the system has them"),
        Theme::Light => (Icon::Light, "Light colours"),
        Theme::Dark => (Icon::Dark, "Dark colours"),
    };
    let button = move |theme: Theme| {
        let (icon, label) = face(theme);
        let choose = move |event: leptos::ev::MouseEvent| {
            event.prevent_default();
            browser::set_theme(theme);
            chosen.set(theme);
        };
        view! {
            <button
                name="theme"
                value=theme.as_str()
                aria-label=label
                title=label
                aria-pressed=move || if chosen.get() == theme { "true" } else { "false" }
                on:click=choose
            >
                {icon.draw()}
            </button>
        }
    };
    view! {
        <form class="theme-switch" method="post" action=crate::server_fns::access::ChooseTheme::url() aria-label="Colours">
            <input type="hidden" name="next" value=here />
            {Theme::ALL.map(button).into_iter().collect_view()}
        </form>
    }
}
