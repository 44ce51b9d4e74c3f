//! Conditional requests (RFC 9110 §13): whether a file is sent, and whether a range of it may be. Pure.

use std::time::{Duration, SystemTime};

use http::header::{ETAG, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};

/// What a client can name a file's state by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Validators {
    /// A strong entity tag, in its quotes.
    pub etag: String,
    /// To the second, as HTTP writes it.
    pub modified: SystemTime,
    /// Both as they stand in every answer: written once for a file, not for each of its ranges.
    headers: [(HeaderName, HeaderValue); 2],
}

impl Validators {
    #[must_use]
    pub fn new(etag: String, modified: SystemTime) -> Self {
        let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
        let headers = [(ETAG, value(&etag)), (LAST_MODIFIED, value(&httpdate::fmt_http_date(modified)))];
        Self { etag, modified, headers }
    }

    pub fn headers(&self) -> [(HeaderName, HeaderValue); 2] {
        self.headers.clone()
    }
}

/// What the preconditions come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Send {
        /// False where `If-Range` names another state of the file: then all of it is sent.
        range_allowed: bool,
    },
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Whether there is anything for [`evaluate`] to evaluate.
#[must_use]
pub fn is_conditional(headers: &HeaderMap) -> bool {
    [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE].iter().any(|name| headers.contains_key(name))
}

/// Evaluates the conditions of a GET or HEAD in the order of §13.2.2.
#[must_use]
pub fn evaluate(headers: &HeaderMap, validators: &Validators, now: SystemTime) -> Outcome {
    let tag_listed = |name: &HeaderName, weak_counts: bool| {
        headers.contains_key(name).then(|| {
            let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
            lines.flat_map(|line| line.split(',')).map(str::trim).any(|tag| {
                let tag = if weak_counts { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
                tag == "*" || tag == validators.etag
            })
        })
    };
    let date = |name: &HeaderName| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();

    let wanted_state = tag_listed(&IF_MATCH, false)
        .or_else(|| date(&IF_UNMODIFIED_SINCE).map(|limit| validators.modified <= limit))
        .unwrap_or(true);
    if !wanted_state {
        return Outcome::Failed;
    }
    let known = tag_listed(&IF_NONE_MATCH, true)
        .or_else(|| date(&IF_MODIFIED_SINCE).map(|limit| validators.modified <= limit))
        .unwrap_or(false);
    if known {
        return Outcome::NotModified;
    }
    let range_allowed = match headers.get(IF_RANGE) {
        None => true,
        Some(value) if value.as_bytes() == validators.etag.as_bytes() => true,
        // A date is a strong validator only once no second write can share it (§8.8.2.2).
        Some(_) => date(&IF_RANGE) == Some(validators.modified) && validators.modified + Duration::from_secs(1) <= now,
    };
    Outcome::Send { range_allowed }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    /// The file was written 100 s ago.
    fn outcome(sent: &[(HeaderName, &str)]) -> Outcome {
        let now = NOW + Duration::from_secs(1_000_000_100);
        let validators = Validators::new("\"a-1\"".into(), NOW + Duration::from_secs(1_000_000_000));
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        evaluate(&headers, &validators, now)
    }

    const SAME: &str = "Sun, 09 Sep 2001 01:46:40 GMT";
    const EARLIER: &str = "Sun, 09 Sep 2001 01:46:39 GMT";
    const SEND: Outcome = Outcome::Send { range_allowed: true };
    const WHOLE: Outcome = Outcome::Send { range_allowed: false };

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        assert_eq!(outcome(&[]), SEND);
        assert_eq!(outcome(&[(IF_NONE_MATCH, "\"a-1\"")]), Outcome::NotModified);
        assert_eq!(outcome(&[(IF_NONE_MATCH, "\"b\", W/\"a-1\"")]), Outcome::NotModified);
        assert_eq!(outcome(&[(IF_NONE_MATCH, "*")]), Outcome::NotModified);
        assert_eq!(outcome(&[(IF_MODIFIED_SINCE, SAME)]), Outcome::NotModified);
        assert_eq!(outcome(&[(IF_MODIFIED_SINCE, EARLIER)]), SEND);
        assert_eq!(outcome(&[(IF_MODIFIED_SINCE, "yesterday")]), SEND);
        // The tag decides where both are there.
        assert_eq!(outcome(&[(IF_NONE_MATCH, "\"b\""), (IF_MODIFIED_SINCE, SAME)]), SEND);
    }

    #[test]
    fn another_state_than_the_one_asked_for_fails() {
        assert_eq!(outcome(&[(IF_MATCH, "\"a-1\"")]), SEND);
        assert_eq!(outcome(&[(IF_MATCH, "W/\"a-1\"")]), Outcome::Failed);
        assert_eq!(outcome(&[(IF_MATCH, "\"b\"")]), Outcome::Failed);
        assert_eq!(outcome(&[(IF_UNMODIFIED_SINCE, SAME)]), SEND);
        assert_eq!(outcome(&[(IF_UNMODIFIED_SINCE, EARLIER)]), Outcome::Failed);
    }

    #[test]
    fn a_range_of_another_state_is_not_mixed_in() {
        assert_eq!(outcome(&[(IF_RANGE, "\"a-1\"")]), SEND);
        assert_eq!(outcome(&[(IF_RANGE, "W/\"a-1\"")]), WHOLE);
        assert_eq!(outcome(&[(IF_RANGE, "\"b\"")]), WHOLE);
        assert_eq!(outcome(&[(IF_RANGE, SAME)]), SEND);
        assert_eq!(outcome(&[(IF_RANGE, EARLIER)]), WHOLE);
    }
}
