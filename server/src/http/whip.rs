//! `POST /p/webrtc`: a browser or an encoder publishes by WebRTC; and what it can do with the session that it gets.

use std::net::SocketAddr;

use afterlive_domain::{Error as Refusal, Mode};
use axum::Router;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use http::StatusCode;
use url::Url;
use uuid::Uuid;

use super::request::ClientAddress;
use super::{error, sdp};
use crate::ingest::gate::PublishRequest;
use crate::ingest::whip::Whip;

pub(super) fn router(whip: Whip) -> Router {
    Router::new()
        .route("/p/webrtc", post(publish))
        .route("/p/webrtc/{id}", axum::routing::delete(end).patch(trickle))
        .layer(sdp::cors())
        .with_state(whip)
}

async fn publish(State(whip): State<Whip>, request: Request) -> Response {
    let wish = match publish_request(&request) {
        Ok(wish) => wish,
        Err(refusal) => return error::refuse(&refusal),
    };
    let offer = match sdp::take_offer(request).await {
        Ok(offer) => offer,
        Err(response) => return response,
    };
    let streamname = wish.streamname.clone();
    match whip.publish(wish, &offer).await {
        Ok((id, answer)) => sdp::created(&format!("/p/webrtc/{id}"), answer),
        Err(refused) => error::refuse_publish(&refused, &streamname),
    }
}

async fn end(State(whip): State<Whip>, Path(id): Path<String>) -> Response {
    match id.parse().is_ok_and(|id| whip.sessions().end(id)) {
        true => StatusCode::OK.into_response(),
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn trickle(State(whip): State<Whip>, Path(id): Path<String>, request: Request) -> Response {
    match id.parse::<Uuid>().is_ok_and(|id| whip.sessions().has(id)) {
        true => sdp::trickle(request).await,
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What the query says. Parameters that we do not know are ignored.
fn publish_request(request: &Request) -> Result<PublishRequest, Refusal> {
    let parameter = |name: &str| {
        let pairs = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
        let value = pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        value.filter(|value| !value.is_empty()).ok_or_else(|| Refusal::ParameterRequired { parameter: name.to_owned() })
    };
    let (stream_name, stream_url) = (parameter("stream_name")?, parameter("stream_url")?);
    let mode = match stream_url.trim_end_matches('/').rsplit('/').next() {
        Some("rec") => Mode::Rec,
        Some("live") => Mode::Live,
        _ => {
            return Err(Refusal::WrongType {
                parameter: "stream_url".to_owned(),
                expected: "a URL that ends in /rec or /live".to_owned(),
            });
        }
    };
    // As encoders have it, with the publish key and what is meant for the webhook behind a `?`.
    let (streamname, query) = match stream_name.split_once('?') {
        Some((name, query)) => (name.to_owned(), Some(query.to_owned())),
        None => (stream_name, None),
    };
    let host = Url::parse(&stream_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    Ok(PublishRequest { mode, streamname, query, host, peer: peer_of(request), protocol: "whip" })
}

/// Who asks. The port is theirs where no proxy stands between.
fn peer_of(request: &Request) -> SocketAddr {
    let connection = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    match (request.extensions().get::<ClientAddress>(), connection) {
        (Some(ClientAddress(ip)), Some(connection)) if connection.ip() == *ip => connection,
        (Some(ClientAddress(ip)), _) => SocketAddr::new(*ip, 0),
        (None, _) => SocketAddr::from(([0, 0, 0, 0], 0)),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn asked(query: &str) -> Result<PublishRequest, Refusal> {
        publish_request(&Request::builder().uri(format!("/p/webrtc{query}")).body(Body::empty()).unwrap())
    }

    #[test]
    fn the_query_says_which_stream_and_whether_it_is_recorded() {
        let wish =
            asked("?stream_name=8sKpm-x49nB%3Fkey%3Da%26b%3Dc&stream_url=rtmp%3A%2F%2Fingest-eu.example.com%2Frec&x=1").unwrap();
        assert_eq!((wish.streamname.as_str(), wish.query.as_deref(), wish.mode), ("8sKpm-x49nB", Some("key=a&b=c"), Mode::Rec));
        assert_eq!(wish.host.as_deref(), Some("ingest-eu.example.com"));
        let wish = asked("?stream_url=rtmp://localhost:1935/live/&stream_name=8sKpm-x49nB").unwrap();
        assert_eq!((wish.mode, wish.host.as_deref(), wish.query), (Mode::Live, Some("localhost"), None));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let required = |parameter: &str| Refusal::ParameterRequired { parameter: parameter.to_owned() };
        assert_eq!(asked("").err(), Some(required("stream_name")));
        assert_eq!(asked("?stream_name=a&stream_url=").err(), Some(required("stream_url")));
        assert!(matches!(asked("?stream_name=a&stream_url=rtmp://h/play").err(), Some(Refusal::WrongType { .. })));
    }
}
