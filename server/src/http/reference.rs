//! `GET /docs`: the API for people, made from the same document that programs get. It is public, as that is: both say how to ask, and nothing of what there is.
//! A page outside the app, since it has next to nothing to bring to life: its one script is that of the copy buttons.

mod call;
mod chapters;
mod kind;
mod markup;

use std::sync::{Arc, OnceLock};

use afterlive_app::request::Theme;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use self::markup::{anchor, escaped};
use super::api::openapi::DOCUMENT;
use super::{etag, ui};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page as it stands for this server, once for each of the colours that readers choose: all who read it share its bytes.
struct Reference {
    base_url: String,
    /// In the order of [`Theme::ALL`], each made when it is first asked for.
    pages: [OnceLock<Page>; Theme::ALL.len()],
}

struct Page {
    html: Bytes,
    tag: HeaderValue,
}

impl Reference {
    fn page(&self, theme: Theme) -> &Page {
        let place = Theme::ALL.iter().position(|one| *one == theme).unwrap_or_default();
        self.pages[place].get_or_init(|| {
            let html: Bytes = document(theme, &body(&DOCUMENT, &self.base_url)).into();
            Page { tag: etag::of([&html[..]]), html }
        })
    }
}

/// `base_url` is where programs reach the server.
pub fn router(base_url: &str) -> Router {
    let reference = Reference { base_url: base_url.trim_end_matches('/').to_owned(), pages: Default::default() };
    Router::new().route("/docs", get(page).with_state(Arc::new(reference)))
}

async fn page(State(reference): State<Arc<Reference>>, headers: HeaderMap) -> Response {
    let cookies = headers.get(COOKIE).and_then(|cookies| cookies.to_str().ok()).unwrap_or_default();
    let Page { html, tag } = reference.page(Theme::from_cookies(cookies));
    let mut response = if etag::is_among(headers.get_all(IF_NONE_MATCH), tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Html(html.clone()).into_response()
    };
    let fixed = |name: HeaderName, value| (name, HeaderValue::from_static(value));
    response.headers_mut().extend([
        (ETAG, tag.clone()),
        fixed(CONTENT_SECURITY_POLICY, POLICY),
        fixed(X_CONTENT_TYPE_OPTIONS, "nosniff"),
        fixed(REFERRER_POLICY, "same-origin"),
        fixed(CACHE_CONTROL, "no-cache"),
        fixed(VARY, "Cookie"),
    ]);
    response
}

fn document(theme: Theme, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\" data-theme=\"{}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>API · Afterlive</title><link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\
         <link rel=\"stylesheet\" href=\"/{}\"><script type=\"module\" src=\"/{}/reference/copy.js\"></script></head>\
         <body>{body}<p class=\"offscreen\" role=\"status\" id=\"copied\"></p></body></html>",
        theme.as_str(),
        ui::style_sheet(),
        ui::player_folder(),
    )
}

fn body(document: &Value, base_url: &str) -> String {
    let groups = groups(document);
    let (mut contents, mut main) = (String::new(), String::new());
    for (id, title, html) in chapters::before(document, base_url) {
        contents += &format!("<li><a href=\"#{id}\">{title}</a></li>");
        main += &format!("<section class=\"card chapter\" aria-labelledby=\"{id}\"><h2 id=\"{id}\">{title}</h2>{html}</section>");
    }
    for group in &groups {
        let id = anchor(group.name);
        contents += &format!("<li><a href=\"#{id}\">{}</a><ul>", escaped(group.name));
        main += &format!(
            "<section class=\"group\" aria-labelledby=\"{id}\"><h2 id=\"{id}\">{}</h2><p>{}</p>",
            escaped(group.name),
            escaped(group.about)
        );
        for call in &group.calls {
            contents += &format!("<li><a href=\"#{}\">{}</a></li>", call.id(), call.name());
            main += &call.html(base_url);
        }
        contents += "</ul></li>";
        main += "</section>";
    }
    contents += "<li><a href=\"#types\">What calls answer with</a></li>";
    main += &format!(
        "<section class=\"group\" aria-labelledby=\"types\"><h2 id=\"types\">What calls answer with</h2>{}</section>",
        chapters::types(document)
    );
    format!(
        "<a class=\"skip\" href=\"#main\">To the content</a>\
         <header class=\"top\"><div class=\"top-inner\"><a class=\"brand\" href=\"/\" aria-label=\"Afterlive, start page\">\
         <svg class=\"logo\" viewBox=\"0 0 32 20\" width=\"32\" height=\"20\" aria-hidden=\"true\" focusable=\"false\">\
         <circle class=\"echo\" cx=\"22\" cy=\"10\" r=\"8\" opacity=\".28\"/><circle class=\"echo\" cx=\"16\" cy=\"10\" r=\"8\" opacity=\".5\"/>\
         <circle class=\"now\" cx=\"10\" cy=\"10\" r=\"8\"/></svg><span>Afterlive</span></a>\
         <nav class=\"main-nav\" aria-label=\"Main\"><a href=\"/\">Dashboard</a><a href=\"/docs\" aria-current=\"page\">API</a></nav></div></header>\
         <main id=\"main\" tabindex=\"-1\"><div class=\"page-head\"><div><p class=\"kicker\">Version {}</p><h1>The API</h1></div>\
         <a class=\"button\" href=\"/openapi.json\">OpenAPI document</a></div>\
         <div class=\"reference\"><nav class=\"contents\" aria-label=\"Contents\"><details open><summary>Contents</summary><ul>{contents}</ul></details></nav>\
         <div class=\"reference-main\">{main}</div></div></main>",
        escaped(document["info"]["version"].as_str().unwrap_or_default()),
    )
}

struct Group<'a> {
    name: &'a str,
    about: &'a str,
    calls: Vec<call::Call<'a>>,
}

/// In the order of the document's tags, and in each in that of its paths.
fn groups<'a>(document: &'a Value) -> Vec<Group<'a>> {
    let calls = || {
        let paths = document["paths"].as_object().into_iter().flatten();
        paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            methods.map(move |(method, operation)| call::Call { document, method, path, operation })
        })
    };
    let group = |tag: &'a Value| {
        let name = tag["name"].as_str().unwrap_or_default();
        let about = tag["description"].as_str().unwrap_or_default();
        Group { name, about, calls: calls().filter(|call| call.operation["tags"][0] == name).collect() }
    };
    document["tags"].as_array().into_iter().flatten().map(group).collect()
}
