//! `GET /events`: what happens, as it happens, as server-sent events; each is a [`domain event`](afterlive_domain::Event) that names what to
//! read anew. Nothing is told twice and nothing is kept: who missed something is told to `resync`.

mod places;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{Error as Refusal, Event, EventKind, OrganisationHash, OrganisationId, StreamId};
use axum::extract::State;
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response, sse};
use futures::{Stream, StreamExt as _};
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_util::sync::CancellationToken;
use tower_sessions::Session;

use self::places::{Hearer, Place, Places, Role};
use super::api::query::Query;
use super::browser_session;
use super::error::ApiError;
use super::request::ClientAddress;
use super::viewer;
use crate::service::{Caller, Service};

/// Open event streams at a time, of which one address and one organisation have a part. Each is a connection and some kilobytes.
const MAX_STREAMS: usize = 1_000;
const RETRY_AFTER_S: u32 = 10;
/// Silence for longer makes proxies close the connection, and hides one that is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A stream ends after this, and the browser asks for the next one by itself.
const LONGEST_STREAM: Duration = Duration::from_mins(5);

#[derive(Clone)]
pub struct Events {
    service: Arc<Service>,
    places: Places,
    stop: CancellationToken,
}

impl Events {
    #[must_use]
    pub fn new(service: Arc<Service>, stop: CancellationToken) -> Self {
        Self { service, places: Places::new(MAX_STREAMS), stop }
    }
}

/// Whose events are told.
#[derive(Clone)]
struct Audience {
    organisation: OrganisationId,
    hash: OrganisationHash,
    stream: Option<StreamId>,
    role: Role,
    /// Whoever is not shown the stream's recordings hears nothing of them either: not even that there are any.
    sees_recordings: bool,
}

impl Audience {
    fn hears(&self, event: &Event) -> bool {
        let is_of_recording = event.asset.is_some() || event.kind == EventKind::AssetStalled;
        event.organisation == self.organisation
            && (self.stream.is_none() || self.stream == event.stream)
            && (self.sees_recordings || !is_of_recording)
    }
}

/// With `stream=ID` only that stream's events, which anybody may hear who may watch it.
pub async fn handle(
    State(events): State<Events>,
    ClientAddress(address): ClientAddress,
    session: Session,
    query: Query,
    request: Parts,
) -> Result<Response, ApiError> {
    let stream: Option<StreamId> = match query.text("stream") {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| Refusal::NoSuchStream { stream: text.chars().take(100).collect() })?),
    };
    let caller = browser_session::caller(&events.service, &session).await?;
    let audience = audience(&events.service, caller, stream, &request).await?;
    let gone = gone(Arc::clone(&events.service), audience.clone(), viewer::who_asked(&request));
    let hearer = Hearer { role: audience.role, address, organisation: audience.organisation };
    let place = events.places.take(hearer).ok_or(Refusal::TooMany { retry_after_s: RETRY_AFTER_S })?;
    let messages = messages(&events, audience, place).take_until(gone);
    let mut response = Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would collect events until its buffer is full.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// Completes when who hears would be refused, or hears of less or more from then on: who is signed out hears nothing more, and who may still hear something asks anew.
async fn gone(service: Arc<Service>, audience: Audience, request: Parts) {
    let ask = || async {
        let caller = browser_session::caller_by_cookie(&service, &request.headers).await?;
        let now = self::audience(&service, caller, audience.stream, &request).await.map_err(ApiError::into_reason)?;
        match now.sees_recordings == audience.sees_recordings {
            true => Ok(None),
            // Not that anything is refused: the next stream is another audience's.
            false => Err(crate::service::Error::Refused(Refusal::BadCredentials)),
        }
    };
    service.until_refused(&audience.hash, ask).await;
}

async fn audience(
    service: &Service,
    caller: Option<Caller>,
    stream: Option<StreamId>,
    request: &Parts,
) -> Result<Audience, ApiError> {
    if let Some(caller) = caller {
        let is_own = match stream {
            None => true,
            Some(id) => match service.stream(&caller, id).await {
                Ok(_) => true,
                Err(crate::service::Error::Refused(_)) => false,
                Err(failure) => return Err(failure.into()),
            },
        };
        if is_own {
            let hash = service.organisation(&caller).await?.hash;
            let (organisation, role) = (caller.organisation, Role::Member);
            return Ok(Audience { organisation, hash, stream, role, sees_recordings: true });
        }
    }
    // Somebody from outside, or of another organisation, who names a stream.
    let Some(id) = stream else { return Err(Refusal::BadCredentials.into()) };
    let viewer = viewer::viewer(service, request, true).await?;
    match service.stream_for_viewer(id, &viewer).await {
        Ok(found) => {
            let (organisation, hash) = (found.organisation.id, found.organisation.hash);
            let sees_recordings = found.sees_recordings;
            Ok(Audience { organisation, hash, stream, role: Role::Guest, sees_recordings })
        }
        Err(crate::service::Error::Refused(_)) => Err(Refusal::no_such_stream(id).into()),
        Err(failure) => Err(failure.into()),
    }
}

/// Ends with the server, or after [`LONGEST_STREAM`]. The first message is a `resync`: what happened before it was heard by nobody.
fn messages(
    events: &Events,
    audience: Audience,
    place: Place,
) -> impl Stream<Item = Result<sse::Event, Infallible>> + Send + 'static {
    let stop = events.stop.clone();
    let news = BroadcastStream::new(events.service.db().subscribe());
    let news = news.filter_map(move |heard| {
        // The place is free again when the stream is dropped.
        let _ = &place;
        let message = match heard {
            Ok(event) if audience.hears(&event) => sse::Event::default().id(event.id.to_string()).json_data(&event).ok(),
            Ok(_) => None,
            Err(BroadcastStreamRecvError::Lagged(_)) => Some(resync()),
        };
        std::future::ready(message.map(Ok))
    });
    futures::stream::once(std::future::ready(Ok(resync())))
        .chain(news)
        .take_until(stop.cancelled_owned())
        .take_until(tokio::time::sleep(LONGEST_STREAM))
}

fn resync() -> sse::Event {
    sse::Event::default().event("resync").data("{}")
}
