//! What browsers are told with every answer of which its handler says nothing else. Pages, and the player for frames, say more, each for itself.

use axum::response::Response;
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};

/// For what is no page, nor a part of one: opened as one it loads nothing, and stands in no frame.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";
/// What programs read, and what is said to people where something went wrong.
const NO_PAGE: [&str; 4] = ["application/json", "application/sdp", "text/event-stream", "text/plain"];

/// Around everything.
pub fn add(response: &mut Response) {
    let says_of_itself = |kind: &HeaderValue| !NO_PAGE.iter().any(|no_page| kind.as_bytes().starts_with(no_page.as_bytes()));
    // Where one is led on, by a redirect, the policy would hold for the next request too, which may need to say where it comes from.
    let is_answer = response.status().is_success() || response.status().is_client_error() || response.status().is_server_error();
    let is_no_page = is_answer && !response.headers().get(CONTENT_TYPE).is_some_and(says_of_itself);
    let headers = response.headers_mut();
    if !headers.contains_key(X_CONTENT_TYPE_OPTIONS) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    if is_no_page {
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NOTHING));
        headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    }
}

#[cfg(test)]
mod tests {
    use axum::response::{Html, IntoResponse as _, Redirect};
    use http::{HeaderName, StatusCode};

    use super::*;

    fn told(mut response: Response) -> [Option<String>; 3] {
        add(&mut response);
        let header = |name: HeaderName| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        [X_CONTENT_TYPE_OPTIONS, CONTENT_SECURITY_POLICY, REFERRER_POLICY].map(header)
    }

    #[test]
    fn what_is_no_page_loads_nothing_and_says_nothing() {
        let nothing = ["nosniff", NOTHING, "no-referrer"].map(|value| Some(value.to_owned()));
        assert_eq!(told("ok\n".into_response()), nothing);
        assert_eq!(told(StatusCode::NOT_FOUND.into_response()), nothing);
        assert_eq!(told(([(CONTENT_TYPE, "application/json; charset=utf-8")], "{}").into_response()), nothing);
    }

    #[test]
    fn pages_media_and_redirects_say_of_themselves_what_they_like() {
        let sniffs_not = || Some("nosniff".to_owned());
        assert_eq!(told(Html("").into_response()), [sniffs_not(), None, None]);
        assert_eq!(told(([(CONTENT_TYPE, "video/mp4")], "").into_response()), [sniffs_not(), None, None]);
        assert_eq!(told(Redirect::temporary("/").into_response()), [sniffs_not(), None, None]);
        let own = [(X_CONTENT_TYPE_OPTIONS, "a"), (CONTENT_SECURITY_POLICY, "b"), (REFERRER_POLICY, "c")];
        assert_eq!(told((own, "").into_response()), ["a", "b", "c"].map(|value| Some(value.to_owned())));
    }
}
