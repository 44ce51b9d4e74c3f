//! Every route that the server has, as itself says. Calls stand in the API's document, pages in the app's list, server functions in the registry of theirs. What the
//! rest of axum's routers have cannot be listed, so that their paths are read where they are written, and which methods they take is asked of the router: to a method
//! that no route takes it answers with those that it does. What is answered before any router looks at the path, and is found by that.

use std::collections::BTreeSet;

use afterlive_server::http::api::openapi::DOCUMENT;
use leptos::server_fn::axum::server_fn_paths;

use crate::fixture::server::Server;
use crate::fixture::sources;

/// Where a request's path is looked at beside the router, how often, and the rows for what is answered there.
const LOOK_AT_PATHS: &[(&str, usize, &[&str])] = &[
    ("acme.rs", 1, &["GET /.well-known/acme-challenge/{token}"]),
    // Which of page and call is meant.
    ("api.rs", 1, &[]),
    // Files are no use of a session.
    ("browser_session.rs", 1, &[]),
    ("embed.rs", 1, &["GET /playout/{id}?embed"]),
    // What is logged, and noted in the audit log.
    ("request.rs", 3, &[]),
    // Where it leads is the same path.
    ("secure.rs", 1, &[]),
    // The site's files, and what is not to be in a Referer.
    ("ui.rs", 2, &["GET /{file}"]),
    // How what waits to be taken is counted; who is answered is known by then.
    ("unsent.rs", 1, &[]),
    ("vod.rs", 1, &["GET /vod-{region}/{key}"]),
];

/// By which a router may have what stands in no `.route(`.
const BY_OTHER_MEANS: &[(&str, &str)] = &[("api.rs", ".fallback_service("), ("ui.rs", ".fallback(")];

/// As [`super::table::Row::route`] has them.
pub async fn all(server: &Server) -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        routes.extend(methods.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    for page in afterlive_app::shell::routes() {
        routes.insert(format!("PAGE {}", if page.path().is_empty() { "/" } else { page.path() }));
    }
    routes.extend(server_fn_paths().map(|(path, method)| format!("{method} {path}")));
    for (file, path) in sources::routes() {
        let Some(path) = path else {
            assert!(file == "api.rs", "{file}: a route whose path stands elsewhere");
            continue;
        };
        let answer = server.send(&format!("TRACE {}", path.replace(['{', '}'], "")), None, "").await;
        assert_eq!(answer.status, 405, "{file}: {path}: {}", answer.text);
        let methods = answer.header("allow").split(',').map(str::trim).filter(|method| *method != "HEAD");
        routes.extend(methods.map(|method| format!("{method} {path}")));
    }
    for (file, text) in sources::of_http() {
        let looks = text.matches("uri().path()").count() + text.matches("uri.path()").count();
        let known = LOOK_AT_PATHS.iter().find(|(name, ..)| *name == file);
        let (times, rows) = known.map_or((0, &[][..]), |(_, times, rows)| (*times, *rows));
        assert_eq!(looks, times, "{file} looks at paths: what it answers needs a row, and a line in LOOK_AT_PATHS");
        routes.extend(rows.iter().map(|row| (*row).to_owned()));
        for means in [".nest(", ".nest_service(", ".route_service(", ".fallback(", ".fallback_service("] {
            let times = BY_OTHER_MEANS.iter().filter(|known| **known == (file.as_str(), means)).count();
            assert_eq!(text.matches(means).count(), times, "{file}: {means}: the rows for what is behind it cannot be found");
        }
    }
    routes
}
