//! The border that no NUL comes over into the dashboard, whatever page or function it is for. People type none, and PostgreSQL's text cannot have one: where it was bound to a
//! statement the answer would be a failure of ours, and SQLite would keep it. The API's own border is its [`Fields`](crate::http::api).

use afterlive_domain::Error as Refusal;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use percent_encoding::percent_decode;

use super::MAX_FORM_BYTES;
use crate::http::error::refuse as refuse_as_call;

/// Refuses what has one in its address or its body, as it is, or written as forms and JSON do.
pub async fn refuse(request: Request, next: Next) -> Response {
    if request.uri().path_and_query().is_some_and(|target| is_in_address(target.as_str().as_bytes())) {
        return refused();
    }
    let (parts, body) = request.into_parts();
    // All of these are read whole by who they are for, too.
    let Ok(body) = to_bytes(body, MAX_FORM_BYTES).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    if is_in_form(&body) || is_in_json(&body) {
        return refused();
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

fn refused() -> Response {
    // As calls are refused, some of whose paths are pages' too.
    refuse_as_call(&Refusal::WrongType { parameter: "text".to_owned(), expected: "text without NUL".to_owned() })
}

/// Also one that is escaped twice, in whole or in part: the pages' router decodes a query that was decoded.
fn is_in_address(bytes: &[u8]) -> bool {
    let once: Vec<u8> = percent_decode(bytes).collect();
    percent_decode(&once).any(|byte| byte == 0)
}

/// What is escaped itself (`%2500`) is decoded once, and then no NUL.
fn is_in_form(bytes: &[u8]) -> bool {
    bytes.contains(&0) || bytes.windows(3).any(|three| three == b"%00")
}

/// RFC 8259 §7: behind a backslash that is not itself escaped.
fn is_in_json(bytes: &[u8]) -> bool {
    let mut escaped = false;
    bytes.iter().enumerate().any(|(at, byte)| {
        let is_nul = escaped && bytes[at..].starts_with(b"u0000");
        escaped = *byte == b'\\' && !escaped;
        is_nul
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_found_however_it_is_written_and_nothing_else_is() {
        for with in [&b"id=%00"[..], b"a\0b", b"/x?who=ada%00", b"%2500%00"] {
            assert!(is_in_form(with), "{with:?}");
        }
        for without in [&b"id=%2500"[..], b"id=%01", b"00", b""] {
            assert!(!is_in_form(without), "{without:?}");
        }
        for twice in ["%00", "%2500", "%25%30%30", "%250%30", "%25%300", "%%30%30"] {
            assert!(is_in_address(format!("/x?who={twice}").as_bytes()), "{twice}");
        }
        assert!(!is_in_address(b"/x?who=%252500") && !is_in_address(b"/x?who=%2501"));
        for with in [r#"{"id":"\u0000"}"#, r#"{"id":"\\\u0000"}"#, r#"{"\u0000":1}"#] {
            assert!(is_in_json(with.as_bytes()), "{with}");
        }
        for without in [r#"{"id":"\\u0000"}"#, r#"{"id":"u0000"}"#, r#"{"id":"\u0001"}"#] {
            assert!(!is_in_json(without.as_bytes()), "{without}");
        }
    }
}
