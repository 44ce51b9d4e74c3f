//! `GET /live/{streamname}/ws`, and beside it the files of HLS and the one that goes on for as long as the publish does: who may watch is asked of `service/`, what they get of `live/`.

use std::convert::Infallible;
use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use afterlive_media::hls::MediaPlaylistText;
use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, RANGE, RETRY_AFTER, USER_AGENT, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::api::query::Query;
use super::credentials::CREDENTIAL_HEADERS;
use super::error::ApiError;
use super::listen::AddressHold;
use super::viewer::{self, Admission};
use crate::address::subscriber;
use crate::live::{self, Answer, Feeds, File, Places, Session, Unavailable, Use};
use crate::service::Service;
use crate::service::playback::token::with_token;

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
/// Another moment's playlist is another.
const PLAYLIST_CACHE: &str = "no-store";
/// A name once given has the same bytes for ever; that long they are of use to nobody.
const MEDIA_CACHE: &str = "public, max-age=3600, immutable";
/// Where a credential was needed, caches that many use must not have it.
const PRIVATE_MEDIA_CACHE: &str = "private, max-age=3600, immutable";
/// A stream that is not live is asked for again after so long.
const RETRY_AFTER_S: u32 = 2;
/// One in so many connections may be answered for as long as a publish lasts.
const LONG_ANSWERS: usize = 4;
/// Who is told that all places are taken.
const FULL_RETRY_AFTER_S: u32 = 10;

#[derive(Clone)]
struct Live {
    service: Arc<Service>,
    feeds: Feeds,
    /// For answers that go on: they keep their connections, which others need for shorter ones.
    long: Places,
}

/// The routes. Players may stand on any page: what they may see hangs on the stream and the token, and browsers send no cookie along.
pub fn router(service: &Arc<Service>, feeds: Feeds) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::any())
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers(CREDENTIAL_HEADERS.into_iter().chain([ACCEPT, RANGE]).collect::<Vec<HeaderName>>())
        .expose_headers([RETRY_AFTER, HeaderName::from_static("x-request-id")]);
    let long = Places::new(service.config().http.max_connections / LONG_ANSWERS);
    Router::new()
        .route("/live/{streamname}/ws", get(socket))
        .route("/live/{streamname}/{file}", get(file))
        .route_layer(cors)
        .with_state(Live { service: Arc::clone(service), feeds, long })
}

async fn socket(State(live): State<Live>, Path(streamname): Path<String>, request: Request) -> Result<Response, ApiError> {
    let (mut parts, _) = request.into_parts();
    // Pages of any site may open a WebSocket and read what comes, and browsers may send our cookie along: such a page's viewer is a guest, or has a token.
    if viewer::is_of_other_site(&parts.headers) {
        parts.headers.remove(COOKIE);
    }
    let Admission { right, streamname, .. } = viewer::watch_live(&live.service, &streamname, &parts).await?;
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Ok(rejection.into_response()),
    };
    let seat = live.feeds.seat(right.stream).map_err(|_full| Refusal::TooMany { retry_after_s: FULL_RETRY_AFTER_S })?;
    // The address keeps its place among the connections; the place of a connection itself is another viewer's, who has places of their own.
    let hold = parts.extensions.get::<AddressHold>().cloned();
    let upgrade = upgrade
        .max_message_size(live::MAX_INBOUND_BYTES)
        .max_frame_size(live::MAX_INBOUND_BYTES)
        .write_buffer_size(live::WRITE_BUFFER_BYTES);
    let withdrawn = viewer::withdrawn(&live.service, &streamname, &parts);
    Ok(upgrade.on_upgrade(async move |socket| {
        live::serve_socket(socket, seat, withdrawn).await;
        drop(hold);
    }))
}

async fn file(
    State(live): State<Live>,
    Path((streamname, name)): Path<(String, String)>,
    query: Query,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, _) = request.into_parts();
    let Admission { right, viewer, streamname } = viewer::watch_live(&live.service, &streamname, &parts).await?;
    if name == live::PROGRESSIVE {
        if !live.feeds.is_live(right.stream) {
            return refuse(Unavailable::NotLive);
        }
        let full = |_full| Refusal::TooMany { retry_after_s: FULL_RETRY_AFTER_S };
        let place = live.long.take(Some(subscriber(viewer.address))).map_err(full)?;
        let seat = live.feeds.seat(right.stream).map_err(full)?;
        let withdrawn = viewer::withdrawn(&live.service, &streamname, &parts);
        return Ok(progressive(Body::from_stream(live::progressive(seat, place, withdrawn))));
    }
    let Some(file) = File::parse(&name) else { return Ok(StatusCode::NOT_FOUND.into_response()) };
    let reload = live::Reload {
        number: query.parsed("_HLS_msn", "integer")?,
        part: query.parsed("_HLS_part", "integer")?,
        skip: matches!(query.text("_HLS_skip"), Some("YES" | "v2")),
    };
    let session = Session::new(viewer.address, parts.headers.get(USER_AGENT).map_or(&[], HeaderValue::as_bytes));
    // What did not let the viewer in is of no use further on either, and may say what it likes.
    let token = viewer::token_in_query(&parts).filter(|_| right.is_by_token());
    let carried = token.map_or_else(String::new, |token| with_token("", &token));
    let is_private = viewer.token.is_some() || viewer.caller.is_some();
    Ok(match live.feeds.hls(right.stream, session, file, reload, &carried).await {
        Ok(Answer::Multivariant(text)) => playlist(Body::from(text)),
        Ok(Answer::Playlist(text)) => playlist(written(text)),
        // Who still takes what is sent watches.
        Ok(Answer::Media(fragments)) => {
            media(fragments, live.feeds.open(right.stream), if is_private { PRIVATE_MEDIA_CACHE } else { MEDIA_CACHE })
        }
        Err(unavailable) => refuse(unavailable)?,
    })
}

fn playlist(body: Body) -> Response {
    let headers = [(CONTENT_TYPE, PLAYLIST_TYPE), (CACHE_CONTROL, PLAYLIST_CACHE), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, body).into_response()
}

fn progressive(body: Body) -> Response {
    // No two viewers are sent the same.
    let headers = [(CONTENT_TYPE, "video/mp4"), (CACHE_CONTROL, PLAYLIST_CACHE), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, body).into_response()
}

/// Of a text in many pieces the next is written when there is room for it; one that is a single piece has a length.
fn written(mut text: MediaPlaylistText) -> Body {
    let first = text.next().unwrap_or_default();
    match text.next() {
        None => Body::from(first),
        Some(second) => {
            let pieces = [first, second].into_iter().chain(text);
            Body::from_stream(futures::stream::iter(pieces.map(Ok::<_, Infallible>)))
        }
    }
}

/// The fragments one after the other; none is copied. The feed goes on while they are sent.
fn media(fragments: Vec<Bytes>, feed: Use, cache: &'static str) -> Response {
    let length: usize = fragments.iter().map(Bytes::len).sum();
    let sent = fragments.into_iter().map(move |fragment| {
        let _held = &feed;
        Ok::<_, Infallible>(fragment)
    });
    let body = Body::from_stream(futures::stream::iter(sent));
    let headers = [(CONTENT_TYPE, "video/mp4"), (CACHE_CONTROL, cache), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, [(CONTENT_LENGTH, HeaderValue::from(length))], body).into_response()
}

fn refuse(unavailable: Unavailable) -> Result<Response, ApiError> {
    let (status, retry_after_s) = match unavailable {
        Unavailable::NotLive => (StatusCode::NOT_FOUND, Some(RETRY_AFTER_S)),
        Unavailable::Gone => (StatusCode::NOT_FOUND, None),
        Unavailable::Late => (StatusCode::SERVICE_UNAVAILABLE, Some(RETRY_AFTER_S)),
        Unavailable::TooFar => (StatusCode::BAD_REQUEST, None),
        Unavailable::Full(_) => return Err(Refusal::TooMany { retry_after_s: FULL_RETRY_AFTER_S }.into()),
    };
    let mut response = (status, [(CACHE_CONTROL, PLAYLIST_CACHE)], unavailable.to_string()).into_response();
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
}
