//! The dashboard over HTTP: pages rendered here, server functions under `/ui/…`, the embedded site, and what browsers must be told of them.
//! Decides nothing about who sees what, which is `service/`'s, and never serves media.

mod nul;
mod site;

use std::sync::{Arc, LazyLock};

use afterlive_app::backend::SharedBackend;
use afterlive_app::shell::routes;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use leptos::config::LeptosOptions;
use leptos::nonce::use_nonce;
use leptos::prelude::{IntoView, provide_context, use_context};
use leptos_axum::{LeptosRoutes, ResponseOptions, render_app_async_with_context};
use tower::ServiceBuilder;
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use self::site::Site;
use super::credentials::CREDENTIAL_HEADERS;
use super::{embed, error, unsent};

/// One for all servers of the process.
static SITE: LazyLock<Site> = LazyLock::new(Site::embedded);

/// Where the player's files are, for pages outside the app.
#[must_use]
pub fn player_folder() -> String {
    format!("{}/player", SITE.pkg_dir())
}

/// The path of the style sheet that all pages share, for those outside the app.
#[must_use]
pub fn style_sheet() -> String {
    format!("{}/afterlive.css", SITE.pkg_dir())
}

/// The player's modules that every page with a player needs, by their names in [`player_folder`].
pub fn player_modules() -> impl Iterator<Item = &'static str> {
    SITE.names().filter_map(|name| name.strip_prefix("pkg/player/").filter(|name| name.ends_with(".js") && !name.contains('/')))
}

/// What a form of the dashboard may hold, all fields together.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// Whether a request to one of the paths that pages and API share is for the page.
///
/// `*/*` is what programs send by default, so only `text/html` by name asks for a page.
#[must_use]
pub fn asks_for_page(method: &Method, headers: &HeaderMap) -> bool {
    let reads = method == Method::GET || method == Method::HEAD;
    reads && accepts_html(headers) && !CREDENTIAL_HEADERS.iter().any(|name| headers.contains_key(name))
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    accepted.any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html")))
}

/// All of the dashboard. `media_origins` are the origins besides our own under which recordings and pictures of them lie; `backend_for` gives a
/// request's view of the server.
///
/// The layer that puts the browser session into requests is the caller's to add.
pub fn router<V: IntoView + 'static>(
    shell: impl Fn(LeptosOptions) -> V + Clone + Send + Sync + 'static,
    media_origins: &[String],
    backend_for: impl Fn(&Parts) -> SharedBackend + Clone + Send + Sync + 'static,
) -> Router {
    let site = &*SITE;
    if site.is_empty() {
        tracing::warn!(
            "this binary was compiled without the site: pages have neither styles nor scripts (`make build` embeds it)"
        );
    }
    let options = LeptosOptions::builder().output_name("afterlive").site_pkg_dir(site.pkg_dir()).build();
    let app = {
        let options = options.clone();
        move || shell(options.clone())
    };
    let media_origins: Arc<str> = media_origins.join(" ").into();
    let context = move || {
        let Some(parts) = use_context::<Parts>() else { return };
        provide_context::<SharedBackend>(backend_for(&parts));
        // Server functions have no nonce, and answer with no page.
        if let (Some(response), Some(nonce)) = (use_context::<ResponseOptions>(), use_nonce()) {
            let policy = content_security_policy(&nonce, &media_origins);
            if let Ok(policy) = HeaderValue::from_str(&policy) {
                response.insert_header(CONTENT_SECURITY_POLICY, policy);
            }
        }
    };
    let not_found = {
        let context = context.clone();
        let context = move || {
            context();
            if let Some(response) = use_context::<ResponseOptions>() {
                response.set_status(StatusCode::NOT_FOUND);
            }
        };
        let page = render_app_async_with_context(context, app.clone());
        move |request: Request| site_file_or_not_found(site, page.clone(), request)
    };
    let header = |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    Router::new()
        .leptos_routes_with_context(&options, routes(), context, app)
        .method_not_allowed_fallback(error::no_such_method)
        .fallback(move |State(_): State<LeptosOptions>, request: Request| not_found(request))
        .with_state(options)
        .layer(from_fn(nul::refuse))
        .layer(
            ServiceBuilder::new()
                .layer(from_fn(lead_to_embed))
                .layer(from_fn(tell_no_secret_path))
                .layer(from_fn(gather))
                .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
                // Forms without JavaScript return to where they came from, so our own pages must tell us.
                .layer(header(REFERRER_POLICY, "same-origin"))
                // Pages are one person's, and may show a key once.
                .layer(header(CACHE_CONTROL, "no-store"))
                .layer(CsrfLayer::new())
                .layer(RequestBodyLimitLayer::new(MAX_FORM_BYTES)),
        )
}

/// What no route knows: a file of the site, the app's own page that says there is nothing, or for programs the API's error that says so.
async fn site_file_or_not_found<P, F>(site: &Site, page: P, request: Request) -> Response
where
    P: FnOnce(Request) -> F,
    F: Future<Output = Response>,
{
    let (method, path) = (request.method(), request.uri().path());
    let reads = method == Method::GET || method == Method::HEAD;
    let file = reads.then(|| site.respond(path, request.headers())).flatten();
    match file {
        Some(file) => file,
        None if asks_for_page(method, request.headers()) => page(request).await,
        None => error::no_such_call(method, path),
    }
}

/// A page, and what a server function answers, is counted while it waits to be taken, as what the API answers is.
async fn gather(request: Request, next: Next) -> Response {
    let of_function = unsent::is_for_function(&request);
    unsent::gathered(next.run(request).await, of_function).await
}

/// Frames of old end at the player for frames; all other requests go on.
async fn lead_to_embed(request: Request, next: Next) -> Response {
    match embed::moved(request.uri()) {
        Some(moved) => moved,
        None => next.run(request).await,
    }
}

/// The path of a page that is opened by a link of ours has the link's secret, which no `Referer` is to carry, not even to ourselves: proxies log it. The origin it
/// may carry: without it browsers send forms as nobody's, which are refused.
async fn tell_no_secret_path(request: Request, next: Next) -> Response {
    let is_secret = ["/invitation/", "/password/"].iter().any(|folder| request.uri().path().starts_with(folder));
    let mut response = next.run(request).await;
    if is_secret {
        response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    }
    response
}

/// Scripts and styles are ours alone; inline ones carry the nonce of their page. WASM needs leave to be compiled. No page of these may stand in a frame:
/// the player for frames is a page of its own.
fn content_security_policy(nonce: &str, media_origins: &str) -> String {
    format!(
        "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data: {media_origins}; connect-src 'self' {media_origins}; media-src 'self' blob: {media_origins}; object-src 'none'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    #[test]
    fn a_browser_gets_the_page_and_a_program_the_api() {
        let asks = |method: Method, headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            asks_for_page(&method, &HeaderMap::from_iter(headers))
        };
        let browser = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        assert!(asks(Method::GET, &[browser]));
        assert!(asks(Method::HEAD, &[("accept", "Text/HTML")]));
        assert!(!asks(Method::POST, &[browser]));
        for program in [&[][..], &[("accept", "*/*")], &[("accept", "application/json")]] {
            assert!(!asks(Method::GET, program), "{program:?}");
        }
        for credential in ["x-bintu-apikey", "x-bintu-token", "x-bintu-playerkey", "authorization"] {
            assert!(!asks(Method::GET, &[browser, (credential, "any")]), "{credential}");
        }
    }

    #[test]
    fn no_page_may_stand_in_a_frame() {
        assert!(content_security_policy("n", "").ends_with("frame-ancestors 'none'"));
    }
}
