//! The dashboard over the fake backend: for looking at pages and trying them out, without a server, a database or an encoder.
//!
//! `cargo run --release -p afterlive-app --features ssr,fake --example preview [SITE]`, then open the printed address. `SITE` is a folder with
//! `pkg/afterlive.js` and `.wasm`, and `vod.mp4` for the players; without them the pages are as without JavaScript.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, io};

use afterlive_app::backend::SharedBackend;
use afterlive_app::fake::Fake;
use afterlive_app::shell;
use afterlive_app::shell::routes;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Router, body::Body};
use futures::{Stream, StreamExt};
use leptos::prelude::{LeptosOptions, provide_context};
use leptos_axum::{LeptosRoutes, handle_server_fns_with_context, render_app_async_with_context};
use tokio::net::TcpListener;
use tokio_stream::wrappers::WatchStream;

#[tokio::main]
async fn main() -> io::Result<()> {
    let site = env::args().nth(1).map(PathBuf::from).unwrap_or_default();
    let fake = Arc::new(Fake::signed_in());
    let backend: SharedBackend = Arc::clone(&fake) as SharedBackend;
    let provide = move || provide_context(Arc::clone(&backend));
    let options = LeptosOptions::builder().output_name("afterlive").build();

    let server_fns = {
        let provide = provide.clone();
        any(move |request: Request| handle_server_fns_with_context(provide.clone(), request))
    };
    let page = {
        let options = options.clone();
        render_app_async_with_context(provide.clone(), move || shell(options.clone()))
    };
    let app = Router::new()
        .route("/ui/{*function}", server_fns)
        .route("/events", get(events).with_state(fake))
        .leptos_routes_with_context(&options, routes(), provide, {
            let options = options.clone();
            move || shell(options.clone())
        })
        .fallback(move |request: Request| async move {
            match file(&site, request.uri().path()) {
                Some(response) => response,
                None => page(request).await.into_response(),
            }
        })
        .with_state(options);

    let listener =
        TcpListener::bind(("127.0.0.1", env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(0))).await?;
    let address = listener.local_addr()?;
    fs::write(env::temp_dir().join("afterlive-preview"), format!("http://{address}"))?;
    axum::serve(listener, app).await
}

/// One message whenever a form has changed something.
async fn events(State(fake): State<Arc<Fake>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = WatchStream::from_changes(fake.changes()).map(|count| Ok(Event::default().data(count.to_string())));
    Sse::new(changes).keep_alive(KeepAlive::default())
}

fn file(site: &Path, path: &str) -> Option<Response> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if path == "/pkg/afterlive.css" {
        return Some(([(header::CONTENT_TYPE, "text/css")], styles(&root)).into_response());
    }
    let (found, kind) = match path.rsplit_once('.')?.1 {
        "css" => {
            let sheet = path.trim_start_matches("/pkg/");
            (root.join(if sheet.contains('/') { "app/src" } else { "style" }).join(sheet), "text/css")
        }
        "js" => (site.join(path.trim_start_matches('/')), "text/javascript"),
        "wasm" => (site.join(path.trim_start_matches('/')), "application/wasm"),
        "svg" => (root.join("public").join(path.trim_start_matches('/')), "image/svg+xml"),
        "mp4" => (site.join("vod.mp4"), "video/mp4"),
        "vtt" => (site.join("storyboard.vtt"), "text/vtt"),
        "jpg" => (site.join("poster.jpg"), "image/jpeg"),
        _ => return None,
    };
    fs::read(found).ok().map(|bytes| ([(header::CONTENT_TYPE, kind)], Body::from(bytes)).into_response())
}

/// As the site's build bundles them, but laid together by the browser: a change shows on reload.
fn styles(root: &Path) -> String {
    let mut sheet = fs::read_to_string(root.join("style/main.css")).unwrap_or_default();
    let mut components: Vec<String> = ["ui", "pages"]
        .into_iter()
        .filter_map(|folder| Some((folder, fs::read_dir(root.join("app/src").join(folder)).ok()?)))
        .flat_map(|(folder, files)| files.filter_map(move |file| Some(format!("{folder}/{}", file.ok()?.file_name().to_str()?))))
        .filter(|path| path.ends_with(".css"))
        .collect();
    components.sort();
    sheet.extend(components.iter().map(|path| format!("@import \"{path}\";\n")));
    sheet
}
