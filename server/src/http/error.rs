//! The one place that turns errors into HTTP: status, code, message and `userinfo`, as the API promises them.

use std::sync::Arc;

use afterlive_domain::Error as Refusal;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::api::json::Json;
use super::request::without_keys;
use crate::ingest::key_check::BadKey;
use crate::ingest::webhook::Denied;
use crate::ingest::{gate, whip};
use crate::live::whep;
use crate::rtc::NotAccepted;
use crate::service;

/// A use case that did not happen, on its way to the client.
#[derive(Debug)]
pub struct ApiError(service::Error);

impl ApiError {
    pub(super) fn reason(&self) -> &service::Error {
        &self.0
    }

    pub(super) fn into_reason(self) -> service::Error {
        self.0
    }
}

impl<E: Into<service::Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// What went wrong.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Error")]
pub(super) struct ErrorBody {
    error: Explanation,
}

#[derive(JsonSchema, Serialize)]
struct Explanation {
    /// For people who write programs.
    message: String,
    /// For programs.
    code: u16,
    /// What it is about: which fields there are depends on the code.
    #[schemars(with = "Map<String, Value>")]
    userinfo: Value,
}

impl ErrorBody {
    pub(super) fn code(&self) -> u16 {
        self.error.code
    }

    pub(super) fn message(&self) -> &str {
        &self.error.message
    }
}

/// When who was turned away for want of room may try again.
const RETRY_AFTER_S: u32 = 5;
/// So much of a path that leads nowhere is told back.
const MAX_PATH_CHARS: usize = 100;
/// Who found no connection of the database in time.
pub(super) const NO_ROOM: Refusal = Refusal::NoRoom { retry_after_s: RETRY_AFTER_S };

/// Travels with the response to where the request's id is known.
#[derive(Clone)]
struct Undisclosed(Arc<dyn std::error::Error + Send + Sync>);

/// Travels with the answer to who has no good credential, or one that does not open so much, to where it is known who that is.
#[derive(Clone)]
struct TurnedAway;

/// Travels with the answer to who asked for what there is not, or not for them, to where it is known who that is.
#[derive(Clone)]
struct OfNothing;

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self.0 {
            service::Error::Refused(refusal) => refuse(&refusal),
            service::Error::Database(cause) if cause.is_no_room() => {
                tracing::error!(%cause, "a request found no connection of the database");
                refuse(&NO_ROOM)
            }
            ours => internal(ours),
        }
    }
}

/// A failure of ours, whose cause goes to the log alone.
pub(super) fn internal(cause: impl std::error::Error + Send + Sync + 'static) -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Undisclosed(Arc::new(cause)));
    response
}

/// Logs the cause of a failure under the request's id, and tells the client nothing but that id.
pub(super) fn disclose_to_log(response: &mut Response, request_id: &str) {
    let Some(Undisclosed(cause)) = response.extensions_mut().remove::<Undisclosed>() else { return };
    tracing::error!(%cause, "a request failed");
    let (status, mut body) = explained(&Refusal::Internal);
    body.error.userinfo = json!({ "request_id": request_id });
    let told = (status, Json(body)).into_response();
    let (parts, body) = told.into_parts();
    response.headers_mut().extend(parts.headers);
    *response.body_mut() = Body::new(body);
}

/// Whether the log is to tell of the answer. Who may not watch is no matter for it: a player whose token has expired asks again and again.
pub(super) fn is_of_one_turned_away(response: &mut Response) -> bool {
    response.extensions_mut().remove::<TurnedAway>().is_some()
}

/// Whether the audit log is to tell of the answer, for being of what there is not. Whether it is another organisation's makes no difference, here as everywhere.
pub(super) fn is_of_nothing(response: &mut Response) -> bool {
    response.extensions_mut().remove::<OfNothing>().is_some()
}

pub(super) fn refuse(refusal: &Refusal) -> Response {
    let (status, body) = explained(refusal);
    let mut response = (status, Json(body)).into_response();
    if matches!(refusal, Refusal::BadCredentials | Refusal::Denied { .. } | Refusal::NotSystemAdministrator | Refusal::Suspended)
    {
        response.extensions_mut().insert(TurnedAway);
    }
    if refusal.is_of_nothing() {
        response.extensions_mut().insert(OfNothing);
    }
    if let Refusal::TooMany { retry_after_s } | Refusal::NoRoom { retry_after_s } = refusal {
        response.headers_mut().insert(RETRY_AFTER, (*retry_after_s).into());
    }
    response
}

/// A refusal's status and body.
pub(super) fn explained(refusal: &Refusal) -> (StatusCode, ErrorBody) {
    let (status, code, userinfo) = match refusal {
        Refusal::ParameterRequired { parameter } => (StatusCode::BAD_REQUEST, 1002, json!({ "required_parameter": parameter })),
        Refusal::NotUnique { parameter } => (StatusCode::BAD_REQUEST, 1003, json!({ "duplicated_parameter": parameter })),
        Refusal::WrongType { parameter, expected } => {
            (StatusCode::BAD_REQUEST, 1004, json!({ "parameter": parameter, "type": expected }))
        }
        Refusal::StreamTypeUnavailable { stream_type } => (StatusCode::BAD_REQUEST, 3002, json!({ "stream_type": stream_type })),
        Refusal::BadCredentials => (StatusCode::UNAUTHORIZED, 4002, json!({ "user": null })),
        Refusal::Denied { needed } => (StatusCode::FORBIDDEN, 2001, json!({ "required_role": needed.as_str() })),
        Refusal::NotSystemAdministrator => (StatusCode::FORBIDDEN, 2001, json!({ "required_role": "system administrator" })),
        Refusal::Suspended => (StatusCode::FORBIDDEN, 2002, json!({ "state": "suspended" })),
        Refusal::PlaybackDenied { reason } => (StatusCode::FORBIDDEN, 2001, json!({ "reason": reason })),
        Refusal::NoSuchStream { stream } => (StatusCode::NOT_FOUND, 3001, json!({ "stream": stream })),
        Refusal::NoSuchAsset { asset } => (StatusCode::NOT_FOUND, 3004, json!({ "asset": asset })),
        Refusal::NoSuchKey { key } => (StatusCode::NOT_FOUND, 3006, json!({ "key": key })),
        Refusal::NoSuchUser { user } => (StatusCode::NOT_FOUND, 3008, json!({ "user": user })),
        Refusal::NoSuchInvitation { invitation } => (StatusCode::NOT_FOUND, 3009, json!({ "invitation": invitation })),
        Refusal::NoSuchEndpoint { endpoint } => (StatusCode::NOT_FOUND, 3010, json!({ "endpoint": endpoint })),
        Refusal::NoSuchDelivery { delivery } => (StatusCode::NOT_FOUND, 3011, json!({ "delivery": delivery })),
        Refusal::NoSuchOrganisation { organisation } => (StatusCode::NOT_FOUND, 3012, json!({ "organisation": organisation })),
        Refusal::WrongState { state } => (StatusCode::CONFLICT, 3003, json!({ "state": state })),
        Refusal::Held { asset } => (StatusCode::CONFLICT, 3003, json!({ "state": "held", "asset": asset })),
        Refusal::LastAdmin { user } => (StatusCode::CONFLICT, 3003, json!({ "state": "last-admin", "user": user })),
        Refusal::LastSystemAdministrator => (StatusCode::CONFLICT, 3003, json!({ "state": "last-system-administrator" })),
        Refusal::Purged { asset } => (StatusCode::CONFLICT, 3003, json!({ "state": "purged", "asset": asset })),
        Refusal::BodyTooLarge { limit_bytes } => (StatusCode::PAYLOAD_TOO_LARGE, 1005, json!({ "limit_bytes": limit_bytes })),
        Refusal::TooMany { retry_after_s } => (StatusCode::TOO_MANY_REQUESTS, 1006, json!({ "retry_after_s": retry_after_s })),
        Refusal::NoRoom { retry_after_s } => (StatusCode::SERVICE_UNAVAILABLE, 3005, json!({ "retry_after_s": retry_after_s })),
        // Which one is known to `disclose_to_log` alone.
        Refusal::Internal => (StatusCode::INTERNAL_SERVER_ERROR, 9000, json!({ "request_id": "" })),
    };
    (status, ErrorBody { error: Explanation { message: refusal.to_string(), code, userinfo } })
}

/// The words are those that an encoder gets over RTMP.
pub(super) fn refuse_publish(refused: &whip::Refused, streamname: &str) -> Response {
    let conflict = |state: &str| answer(StatusCode::CONFLICT, 3003, refused, json!({ "state": state }));
    let denied = |userinfo| answer(StatusCode::FORBIDDEN, 2001, refused, userinfo);
    match refused {
        whip::Refused::Gate(gate::Refusal::UnknownStream) => {
            refuse(&Refusal::NoSuchStream { stream: streamname.chars().take(100).collect() })
        }
        whip::Refused::Gate(gate::Refusal::PublishKey(cause)) => match cause {
            BadKey::Missing => denied(json!({ "publish_key": "missing" })),
            BadKey::Wrong => denied(json!({ "publish_key": "wrong" })),
            BadKey::TooMany { retry_after_s } => too_many(refused, *retry_after_s),
            BadKey::Lost => try_again(refused),
        },
        whip::Refused::Gate(gate::Refusal::Suspended) => {
            answer(StatusCode::FORBIDDEN, 2002, refused, json!({ "state": "suspended" }))
        }
        whip::Refused::Gate(gate::Refusal::Locked) => conflict("locked"),
        whip::Refused::Gate(gate::Refusal::AlreadyLive) => conflict("live"),
        whip::Refused::Gate(gate::Refusal::Webhook(cause)) => match cause {
            cause if cause.passes() => try_again(refused),
            Denied::Refused { status } => denied(json!({ "webhook": status })),
            Denied::TooLong => {
                answer(StatusCode::BAD_REQUEST, 1004, refused, json!({ "parameter": "stream_name", "type": "a shorter name" }))
            }
            Denied::Silent | Denied::Unreachable(_) | Denied::Busy => try_again(refused),
        },
        whip::Refused::Gate(gate::Refusal::CannotRecord(_) | gate::Refusal::Unavailable) => try_again(refused),
        whip::Refused::Offer(cause) => refuse_offer(cause),
        whip::Refused::NoH264 | whip::Refused::NoOpus | whip::Refused::NoMedia => wrong_offer(refused),
    }
}

/// A stream that cannot be watched by WebRTC, at least now.
pub(super) fn refuse_watching(refused: &whep::Refused) -> Response {
    let conflict = |state: &str| answer(StatusCode::CONFLICT, 3003, refused, json!({ "state": state }));
    match refused {
        whep::Refused::Offer(cause) => refuse_offer(cause),
        whep::Refused::NoH264 => wrong_offer(refused),
        whep::Refused::NotLive => {
            let mut response = conflict("offline");
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_S.into());
            response
        }
        whep::Refused::Codec(codec) => conflict(codec),
        whep::Refused::BFrames => conflict("b-frames"),
    }
}

/// An offer of WebRTC that becomes no session.
pub(super) fn refuse_offer(cause: &NotAccepted) -> Response {
    match cause {
        NotAccepted::Unreadable | NotAccepted::Unacceptable | NotAccepted::TooManySections => wrong_offer(cause),
        NotAccepted::Full => try_again(cause),
    }
}

pub(super) fn wrong_offer(cause: impl ToString) -> Response {
    answer(StatusCode::BAD_REQUEST, 1004, cause, json!({ "parameter": "body", "type": "SDP" }))
}

fn try_again(cause: impl ToString) -> Response {
    later(StatusCode::SERVICE_UNAVAILABLE, 3005, cause, RETRY_AFTER_S)
}

fn too_many(cause: impl ToString, retry_after_s: u32) -> Response {
    later(StatusCode::TOO_MANY_REQUESTS, 1006, cause, retry_after_s)
}

fn later(status: StatusCode, code: u16, cause: impl ToString, retry_after_s: u32) -> Response {
    let mut response = answer(status, code, cause, json!({ "retry_after_s": retry_after_s }));
    response.headers_mut().insert(RETRY_AFTER, retry_after_s.into());
    response
}

/// 404 / 3013: a path that is no call, and no page for who asks. Of the path nothing is told that may be a key.
pub(super) fn no_such_call(method: &Method, path: &str) -> Response {
    let path: String = without_keys(path).chars().take(MAX_PATH_CHARS).collect();
    let message = format!("There is no call {method} {path}. All calls are at /docs");
    answer(StatusCode::NOT_FOUND, 3013, message, json!({ "method": method.as_str(), "path": path }))
}

/// 405 / 3014: a path that has other methods. The router says in `Allow` which.
pub(super) async fn no_such_method(method: Method) -> Response {
    let message = format!("This path has no {method}: the header Allow says which methods it has. All calls are at /docs");
    answer(StatusCode::METHOD_NOT_ALLOWED, 3014, message, json!({ "method": method.as_str() }))
}

/// 408.
pub(super) fn too_slow() -> Response {
    let (status, body) = slow_body();
    (status, Json(body)).into_response()
}

/// What is said where a request's body has not come in time, whatever the call.
pub(super) fn slow_body() -> (StatusCode, ErrorBody) {
    let message = "the body took too long".to_owned();
    let userinfo = json!({ "parameter": "body", "type": "a whole body" });
    (StatusCode::REQUEST_TIMEOUT, ErrorBody { error: Explanation { message, code: 1004, userinfo } })
}

/// 415.
pub(super) fn wrong_media_type(expected: &'static str) -> Response {
    let message = format!("the body must be {expected}, and the Content-Type say so");
    answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, 1004, message, json!({ "parameter": "Content-Type", "type": expected }))
}

/// 422.
pub(super) fn no_ice_restart() -> Response {
    let message = "ICE is not restarted within a session: end it, and begin another";
    answer(StatusCode::UNPROCESSABLE_ENTITY, 1004, message, json!({ "parameter": "body", "type": "ICE candidates" }))
}

fn answer(status: StatusCode, code: u16, message: impl ToString, userinfo: Value) -> Response {
    let error = Explanation { message: message.to_string(), code, userinfo };
    (status, Json(ErrorBody { error })).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db;

    #[test]
    fn a_database_without_a_free_connection_is_a_reason_to_come_again_and_no_failure() {
        let no_room = ApiError::from(db::Error::no_room()).into_response();
        assert_eq!((no_room.status(), &no_room.headers()[RETRY_AFTER]), (StatusCode::SERVICE_UNAVAILABLE, &RETRY_AFTER_S.into()));
        let failure = db::Error::Unreadable { column: "state", value: "x".to_owned() };
        assert_eq!(ApiError::from(failure).into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[tokio::test]
    async fn a_path_that_leads_nowhere_is_told_back_without_keys_and_not_for_long() {
        for (path, told) in [
            ("/streams".to_owned(), "/streams".to_owned()),
            (format!("/strem/{}", "0f".repeat(32)), "/strem/…".to_owned()),
            ("/a".repeat(1_000), "/a".repeat(MAX_PATH_CHARS / 2)),
        ] {
            let body = no_such_call(&Method::GET, &path).into_body();
            let error: Value = serde_json::from_slice(&axum::body::to_bytes(body, 4_096).await.unwrap()).unwrap();
            assert_eq!(error["error"]["userinfo"]["path"], told);
            assert_eq!(error["error"]["message"], format!("There is no call GET {told}. All calls are at /docs"));
        }
    }
}
