//! Serves recordings and the pictures of them to whoever the guard lets through, under `/vod-{region}` and under the regions' own host names.
//! Does not know the database: what is not at its key, because it is deleted, is not found, and waited for where the storage says that it has just been
//! restored. What is still being recorded is seen up to now:
//! its URL leads to a snapshot, `?upto=` with a number of media bytes, and is the finished file's later.

mod conditional;
mod content;
mod file;
mod guard;
mod pieces;
mod query;
mod range;
mod snapshot;
mod snapshots;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, HOST, LOCATION, RANGE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use url::Url;

use self::conditional::{Outcome, evaluate};
use self::content::Content;
use self::file::{OpenFile, OpenFiles};
pub use self::guard::Guard;
use self::query::Query;
use self::range::{Asked, asked};
use self::snapshots::{Found, Name, Newest, Snapshots};
use crate::hush::Hush;
use crate::record::Growing;
use crate::service::playback::Admitted;
use crate::storage::{Key, KeyKind, RegionStore, Regions};
use afterlive_domain::Region;
use afterlive_domain::organisation::MAX_RECONNECT_WINDOW_S;

/// No answer has more: their table is made in one step, where it would grow in four.
const HEADERS: usize = 24;
const METHODS: &str = "GET, HEAD, OPTIONS";
/// What does not change any more, a snapshot or an old file, can still be deleted: caches may keep it so long after that.
const CACHE_FOR: &str = "public, max-age=300";
/// A finished recording may go on in the same file while its encoder can still come back: caches ask each time, and mostly hear 304.
const CACHE_AND_ASK: &str = "public, no-cache";
/// What only some may watch: no cache that others share keeps it, and the viewer's own asks each time, as a token can be revoked.
const CACHE_FOR_ONE: &str = "private, no-cache";
/// A file that was written longer ago stays as it is: no reconnect window is longer. Five minutes for clocks that differ.
const SETTLED_AFTER: Duration = Duration::from_secs(MAX_RECONNECT_WINDOW_S + 300);
/// What leads elsewhere, or is not there yet: another moment's answer is another.
const FOR_NOW: (HeaderName, &str) = (CACHE_CONTROL, "no-store");
/// A recording has its first second on disk after about as long.
const RETRY_AFTER_S: &str = "1";
/// The room of a deleted recording comes back so much later at the most than its descriptor may be closed.
const TIDY_EVERY: Duration = Duration::from_secs(60);
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// What scripts of other sites may ask, and for how long they need not ask whether.
const PREFLIGHT: [(HeaderName, &str); 3] = [
    (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
    (
        ACCESS_CONTROL_ALLOW_HEADERS,
        "Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, Authorization, X-BINTU-APIKEY, X-BINTU-TOKEN",
    ),
    (ACCESS_CONTROL_MAX_AGE, "86400"),
];

/// Where requests for a region's files arrive.
#[derive(Debug)]
struct Mount {
    /// The host name that is the region's alone; `None` where it shares the dashboard's.
    host: Option<String>,
    /// What the path begins with, without a slash at its end.
    prefix: String,
    region: Region,
}

/// The VOD server: answers what lies below its mounts and leaves all else to the router behind it.
#[derive(Debug)]
pub struct Vod {
    guard: Arc<dyn Guard>,
    regions: Regions,
    mounts: Vec<Mount>,
    files: OpenFiles,
    snapshots: Snapshots,
    /// What the log says of recordings that cannot be opened.
    unopened: Hush<Region>,
}

impl Vod {
    /// Each region is mounted at `/vod-{name}`, whatever its `vod_url` (a CDN may call for it there), and at its `vod_url`:
    /// by host name, port disregarded, where that is not `public_url`'s.
    #[must_use]
    pub fn new(regions: Regions, public_url: &Url, growing: Growing, guard: Arc<dyn Guard>) -> Self {
        let mut mounts = Vec::new();
        for region in regions.iter() {
            let host = region.vod_url().host_str().filter(|host| Some(*host) != public_url.host_str());
            let prefix = region.vod_url().path().trim_end_matches('/').to_owned();
            mounts.push(Mount { host: host.map(str::to_owned), prefix, region: region.name().clone() });
            mounts.push(Mount { host: None, prefix: format!("/vod-{}", region.name()), region: region.name().clone() });
        }
        // A mount on a host of its own comes before one that takes any host, and a longer prefix before a shorter.
        mounts.sort_by_key(|mount| (mount.host.is_none(), std::cmp::Reverse(mount.prefix.len())));
        Self {
            guard,
            regions,
            mounts,
            files: OpenFiles::default(),
            snapshots: Snapshots::new(growing),
            unopened: Hush::default(),
        }
    }

    /// Closes, each minute until `stop`, what nobody has asked for lately: the disk gets the room of a deleted recording back only then, and nobody may ask for any.
    pub async fn keep_tidy(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(TIDY_EVERY)).await.is_some() {
            let now = Instant::now();
            self.files.tidy(now);
            self.snapshots.tidy(now);
        }
    }

    /// The region the request is for, and the rest of its path, as sent: nothing is decoded, so that no encoding can name anything but a key.
    fn locate<'a>(&self, uri: &'a Uri, headers: &HeaderMap) -> Option<(&RegionStore, &'a str)> {
        let authority = uri.authority().map(http::uri::Authority::as_str);
        let host = authority.or_else(|| headers.get(HOST)?.to_str().ok()).map_or("", host_name);
        self.mounts.iter().find_map(|mount| {
            if mount.host.as_ref().is_some_and(|own| !own.eq_ignore_ascii_case(host)) {
                return None;
            }
            let rest = uri.path().strip_prefix(&mount.prefix)?;
            let rest = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
            // A region at the root of the dashboard's own host must leave the dashboard its pages.
            let shares_root = mount.host.is_none() && mount.prefix.is_empty();
            if shares_root && Key::parse(rest).is_none() {
                return None;
            }
            Some((self.regions.get(&mount.region)?, rest))
        })
    }

    async fn answer(&self, store: &RegionStore, path: &str, request: &Parts) -> Response {
        let Parts { method, uri, .. } = request;
        if *method == Method::OPTIONS {
            return (StatusCode::NO_CONTENT, [(ALLOW, METHODS)], PREFLIGHT).into_response();
        }
        if *method != Method::GET && *method != Method::HEAD {
            return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, METHODS)]).into_response();
        }
        let Some(key) = Key::parse(path) else { return not_found() };
        let admitted = match self.admit(&key, request).await {
            Ok(admitted) => admitted,
            Err(refused) => return refused,
        };
        let query = Query(uri.query().unwrap_or_default());
        let name = Name { region: store.name().clone(), key };
        let answered = match name.key.kind() {
            KeyKind::Recording => self.recording(store, &name, query, request).await,
            KeyKind::Thumbnail | KeyKind::Storyboard | KeyKind::StoryboardSprite => self.file(store, &name, query, request).await,
        };
        let mut response = answered.unwrap_or_else(|error| {
            if error.kind() == io::ErrorKind::ResourceBusy {
                return (StatusCode::SERVICE_UNAVAILABLE, [FOR_NOW, (RETRY_AFTER, RETRY_AFTER_S)]).into_response();
            }
            // Whoever asks again and again has it said once in a while.
            if let Some(unsaid) = self.unopened.says(name.region.clone()) {
                tracing::error!(region = %name.region, key = %name.key, %error, unsaid, "a recording cannot be opened");
            }
            (StatusCode::INTERNAL_SERVER_ERROR, [FOR_NOW]).into_response()
        });
        if matches!(admitted, Admitted::Guarded { .. })
            && response.headers().get(CACHE_CONTROL).is_some_and(|kept| kept != FOR_NOW.1)
        {
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(CACHE_FOR_ONE));
        }
        if *method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        response
    }

    async fn admit(&self, key: &Key, request: &Parts) -> Result<Admitted, Response> {
        if self.guard.is_public(&key.streamname().organisation_hash()) == Some(true) {
            return Ok(Admitted::Public);
        }
        self.guard.admit(key.streamname(), request).await.map_err(|refused| refused.unwrap_or_else(not_found))
    }

    async fn recording(&self, store: &RegionStore, name: &Name, query: Query<'_>, request: &Parts) -> io::Result<Response> {
        let (now, time) = (Instant::now(), SystemTime::now());
        let upto = match query.upto() {
            None => {
                let newest = match self.snapshots.newest(name, now, time) {
                    Newest::Ending => {
                        self.snapshots.finished(name).await;
                        self.snapshots.newest_of_unfinished(name, now, time)
                    }
                    newest => newest,
                };
                return Ok(match newest {
                    Newest::Upto(media_bytes) => elsewhere(&name.key, &query.with_upto(media_bytes)),
                    Newest::NotYet | Newest::Ending => not_yet(),
                    Newest::Ended => self.file(store, name, query, request).await?,
                });
            }
            Some(Err(_)) => return Ok((StatusCode::BAD_REQUEST, "upto is a number of bytes\n").into_response()),
            Some(Ok(upto)) => upto,
        };
        Ok(match self.snapshots.get(name, store.reads(), upto, now, time).await? {
            Found::Snapshot(snapshot) => {
                // Once it has ended it can be deleted, and then is gone for all.
                if !self.snapshots.grows(name) && self.open(store, name).await?.is_none() {
                    return Ok(not_found());
                }
                let content = Content::Snapshot { snapshot, all: &self.snapshots, name };
                match send(content, &name.key, query, request, time).await? {
                    Some(response) => response,
                    None => elsewhere(&name.key, &query.without_upto()),
                }
            }
            Found::Other(media_bytes) => elsewhere(&name.key, &query.with_upto(media_bytes)),
            Found::NotYet => not_yet(),
            Found::Ended if self.open(store, name).await?.is_none() => not_found(),
            Found::Ended => elsewhere(&name.key, &query.without_upto()),
        })
    }

    /// The file, also where its recording has been restored and it is on its way from the bin: that is waited for.
    async fn open(&self, store: &RegionStore, name: &Name) -> io::Result<Option<Arc<OpenFile>>> {
        match self.files.get(name, store, Instant::now()).await? {
            None if store.restored().is_back(&name.key).await => self.files.get(name, store, Instant::now()).await,
            file => Ok(file),
        }
    }

    async fn file(&self, store: &RegionStore, name: &Name, query: Query<'_>, request: &Parts) -> io::Result<Response> {
        let Some(file) = self.open(store, name).await? else { return Ok(not_found()) };
        let sent = send(Content::File(Arc::clone(&file)), &name.key, query, request, SystemTime::now()).await?;
        let mut response = sent.unwrap_or_else(not_found);
        if response.status() == StatusCode::PARTIAL_CONTENT
            && let Some(pieces) = pieces::of(&file, name, request, &self.guard, self.snapshots.growing_list())
        {
            response.extensions_mut().insert(pieces);
        }
        Ok(response)
    }
}

/// Answers a request for a region's files; `routes` answer every other. Comes before them, not as a layer around each of them.
pub async fn before(routes: &Router, vod: &Vod, request: Request) -> Response {
    let (request, body) = request.into_parts();
    let Some((store, path)) = vod.locate(&request.uri, &request.headers) else {
        let request = Request::from_parts(request, body);
        return routes.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
    };
    drop(body);
    let mut response = vod.answer(store, path, &request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_EXPOSE_HEADERS, "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Last-Modified"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn host_name(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn not_found() -> Response {
    // The recording may be there a second later.
    (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-cache")], "there is no recording under this URL\n").into_response()
}

fn not_yet() -> Response {
    let text = "there is nothing to play of this recording yet\n";
    (StatusCode::NOT_FOUND, [FOR_NOW, (RETRY_AFTER, RETRY_AFTER_S)], text).into_response()
}

/// To the same file name with another query. Relative, so that it holds under whatever path a proxy shows the region.
fn elsewhere(key: &Key, query: &str) -> Response {
    let mark = if query.is_empty() { "" } else { "?" };
    let mut response = (StatusCode::TEMPORARY_REDIRECT, [FOR_NOW]).into_response();
    insert_text(response.headers_mut(), LOCATION, Some(format!("{}{mark}{query}", key.file_name())));
    response
}

/// `None` where the content has gone meanwhile.
async fn send(
    content: Content<'_>,
    key: &Key,
    query: Query<'_>,
    request: &Parts,
    now: SystemTime,
) -> io::Result<Option<Response>> {
    let asking = &request.headers;
    let (size, validators) = (content.size_bytes(), content.validators());
    let caching = match &content {
        Content::Snapshot { .. } => CACHE_FOR,
        // A time to come, by a clock that was set back, is none to trust.
        Content::File(_) if now.duration_since(validators.modified).is_ok_and(|age| age > SETTLED_AFTER) => CACHE_FOR,
        Content::File(_) => CACHE_AND_ASK,
    };
    let range_allowed = match evaluate(asking, validators, now) {
        Outcome::Send { range_allowed } => range_allowed,
        Outcome::NotModified => {
            return Ok(Some(describe(StatusCode::NOT_MODIFIED.into_response(), validators.headers(), caching)));
        }
        Outcome::Failed => return Ok(Some(StatusCode::PRECONDITION_FAILED.into_response())),
    };
    let mut ranges = asking.get_all(RANGE).iter();
    let asked = match (ranges.next().and_then(|value| value.to_str().ok()), ranges.next()) {
        // RFC 9110 §14.2: ranges are defined for GET alone.
        (Some(value), None) if range_allowed && request.method == Method::GET => asked(value, size),
        _ => Asked::Whole,
    };
    let (status, part, content_range) = match asked {
        Asked::Whole => (StatusCode::OK, 0..size, None),
        Asked::Part(part) => {
            let content_range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            (StatusCode::PARTIAL_CONTENT, part, Some(content_range))
        }
        Asked::Unsatisfiable => {
            let content_range = [(CONTENT_RANGE, format!("bytes */{size}")), (CACHE_CONTROL, "no-cache".to_owned())];
            return Ok(Some((StatusCode::RANGE_NOT_SATISFIABLE, content_range).into_response()));
        }
    };
    let content_type = match key.kind() {
        KeyKind::Recording => "video/mp4",
        KeyKind::Thumbnail | KeyKind::StoryboardSprite => "image/jpeg",
        KeyKind::Storyboard => "text/vtt; charset=utf-8",
    };
    let (length, validators) = (part.end - part.start, validators.headers());
    let sent = (request.method != Method::HEAD).then(|| content.part(&part)).flatten();
    let body = if request.method == Method::HEAD { Some(Body::empty()) } else { content.body(part).await? };
    let Some(body) = body else { return Ok(None) };
    let mut response = (status, body).into_response();
    if let Some(sent) = sent {
        response.extensions_mut().insert(sent);
    }
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, length.into());
    insert_text(headers, CONTENT_RANGE, content_range);
    let disposition = query.download().then(|| format!("attachment; filename=\"{}\"", key.file_name()));
    insert_text(headers, CONTENT_DISPOSITION, disposition);
    Ok(Some(describe(response, validators, caching)))
}

/// Adds what 200, 206 and 304 have in common.
fn describe(mut response: Response, validators: [(HeaderName, HeaderValue); 2], caching: &'static str) -> Response {
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    for (name, value) in validators {
        headers.insert(name, value);
    }
    response
}

/// Texts made here are ASCII; one that were not would be left out.
fn insert_text(headers: &mut HeaderMap, name: HeaderName, text: Option<String>) {
    if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(name, value);
    }
}
