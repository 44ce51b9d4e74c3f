//! The document around the app, and the app: every route in one list.

use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::live::News;
use crate::pages;
use crate::request;
use crate::ui::copy::CopySpeaker;
use crate::ui::header::Header;
use crate::ui::icon::Icon;
use crate::ui::notice::{LastFlash, Notice};
use crate::ui::problem::NotFound;

/// The document. Only the server renders it; the browser takes over the body.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let webcaster = format!("/{}/player/webcaster/load.js", options.site_pkg_dir);
    let styles = format!("/{}/{}.css", options.site_pkg_dir, options.output_name);
    let player = format!("/{}/player/element.js", options.site_pkg_dir);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=request::theme().as_str()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="stylesheet" href=styles />
                <script type="module" src=player></script>
                <HydrationScripts options />
                <MetaTags />
                <script type="module" src=webcaster></script>
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// The paths of all pages, for the server's router.
///
/// Leptos finds them by a rendering during which no page of this process loads data, so it must be over before the first page is asked for,
/// also where several servers are started in one process: hence once.
#[cfg(feature = "ssr")]
#[must_use]
pub fn routes() -> Vec<leptos_axum::AxumRouteListing> {
    static ROUTES: std::sync::LazyLock<Vec<leptos_axum::AxumRouteListing>> =
        std::sync::LazyLock::new(|| leptos_axum::generate_route_list(App));
    ROUTES.clone()
}

#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    News::provide();
    view! {
        <Title formatter=page_title />
        <Router>
            <Frame />
        </Router>
    }
}

/// What stands between `<title>` and `</title>`. Leptos puts it into the page as it is, and a stream's title is whatever somebody has called it; the browser's
/// `document.title`, which the same function is asked for, is text.
fn page_title(title: String) -> String {
    let title = if title.is_empty() { "Afterlive".to_owned() } else { format!("{title} · Afterlive") };
    if cfg!(feature = "ssr") { title.replace('&', "&amp;").replace('<', "&lt;") } else { title }
}

/// Everything on the page.
#[component]
fn Frame() -> impl IntoView {
    LastFlash::provide();
    view! {
        <CopySpeaker />
        // External, as the router would scroll to it and leave the focus where it is.
        <a class="skip" href="#main" rel="external">
            "To the content"
        </a>
        <Header />
        <main id="main" tabindex="-1">
            <Notice />
            <Pages />
        </main>
        <Footer />
    }
}

/// Async rendering: the status, the redirect and the whole page are known before the first byte leaves, and no page needs a script to be complete.
#[component]
fn Pages() -> impl IntoView {
    view! {
        <Routes fallback=NotFound>
            <Route path=path!("/auth") view=pages::auth::AuthPage ssr=SsrMode::Async />
            <Route path=path!("/sign-in/code") view=pages::sign_in_code::SignInCodePage ssr=SsrMode::Async />
            <Route path=path!("/forgotten") view=pages::forgotten::ForgottenPage ssr=SsrMode::Async />
            <Route path=path!("/setup") view=pages::setup::SetUpPage ssr=SsrMode::Async />
            <Route path=path!("/invitation/:secret") view=pages::invitation::InvitationPage ssr=SsrMode::Async />
            <Route path=path!("/password/:secret") view=pages::new_password::NewPasswordPage ssr=SsrMode::Async />
            <Route path=path!("/") view=pages::home::HomePage ssr=SsrMode::Async />
            <Route path=path!("/stream") view=pages::streams::StreamsPage ssr=SsrMode::Async />
            <Route path=path!("/stream/create") view=pages::stream_create::StreamCreatePage ssr=SsrMode::Async />
            <Route path=path!("/stream/new/:id") view=pages::stream_new::StreamNewPage ssr=SsrMode::Async />
            <Route path=path!("/stream/:id") view=pages::stream::StreamPage ssr=SsrMode::Async />
            <Route path=path!("/playout/:id") view=pages::playout::PlayoutPage ssr=SsrMode::Async />
            <Route path=path!("/webcaster") view=pages::webcaster_start::WebcasterStartPage ssr=SsrMode::Async />
            <Route path=path!("/webcaster/:id") view=pages::webcaster::WebcasterPage ssr=SsrMode::Async />
            <Route path=path!("/vod") view=pages::library::LibraryPage ssr=SsrMode::Async />
            <Route path=path!("/vod/:id") view=pages::recording::RecordingPage ssr=SsrMode::Async />
            <Route path=path!("/account") view=pages::account::AccountPage ssr=SsrMode::Async />
            <Route path=path!("/account/second-factor") view=pages::second_factor::SecondFactorPage ssr=SsrMode::Async />
            <Route path=path!("/organisation/audit") view=pages::audit::AuditPage ssr=SsrMode::Async />
            <Route path=path!("/organisation/events") view=pages::events::EventsPage ssr=SsrMode::Async />
            <Route path=path!("/organisation/events/:id") view=pages::endpoint::EndpointPage ssr=SsrMode::Async />
            <Route path=path!("/system") view=pages::system::SystemPage ssr=SsrMode::Async />
            <Route path=path!("/system/organisation/:id") view=pages::tenant::TenantPage ssr=SsrMode::Async />
            <Route path=path!("/organisation") view=pages::organisation::OrganisationPage ssr=SsrMode::Async />
        </Routes>
    }
}

#[component]
fn Footer() -> impl IntoView {
    view! {
        <footer class="bottom">
            <p>
                {Icon::Info.draw()}
                <span>"All times are UTC" <span class="with-pointer">"; rest the pointer on one for your own"</span> "."</span>
            </p>
        </footer>
    }
}
