//! The JSON object in a request's body. Fields that a call does not know are ignored, and an empty body is an empty object.

use afterlive_domain::{Error as Refusal, Tags, UnixMillis};
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};

use http_body_util::LengthLimitError;
use serde_json::{Map, Value};

use crate::http::error::ApiError;

/// The longest body of a call.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The fields, whatever the content type says: clients send what they like there.
#[derive(Debug)]
pub struct Fields(Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let bytes = to_bytes(request.into_body(), MAX_BODY_BYTES).await.map_err(|cause| {
            use std::error::Error as _;
            if cause.source().is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) {
                Refusal::BodyTooLarge { limit_bytes: MAX_BODY_BYTES as u64 }
            } else {
                // The client went away in mid-body; nobody reads this.
                wrong("body", "a whole body")
            }
        })?;
        Ok(Self::parse(&bytes)?)
    }
}

impl Fields {
    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            _ => Err(wrong("body", "a JSON object")),
        }
    }

    /// A text; null is as good as absent. None of ours has a NUL, which PostgreSQL could not keep.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.contains('\0') => Err(wrong(name, "string without NUL")),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name, "string")),
        }
    }

    /// A text that there must be; null is as good as absent.
    pub fn required_text(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name)?.ok_or_else(|| Refusal::ParameterRequired { parameter: name.to_owned() })
    }

    /// A text. Absent and null are told apart.
    pub fn nullable_text(&self, name: &str) -> Result<Option<Option<&str>>, Refusal> {
        if self.0.contains_key(name) { self.text(name).map(Some) } else { Ok(None) }
    }

    /// True or false; null is as good as absent.
    pub fn switch(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(switch)) => Ok(Some(*switch)),
            Some(_) => Err(wrong(name, "boolean")),
        }
    }

    /// A whole number, not below zero. Absent and null are told apart: the one leaves a setting as it is, the other takes it back.
    pub fn number(&self, name: &str) -> Result<Option<Option<u64>>, Refusal> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(value) => value.as_u64().map(|number| Some(Some(number))).ok_or_else(|| wrong(name, "integer")),
        }
    }

    /// An instant, as RFC 3339 text or in whole seconds since 1970; null is as good as absent.
    pub fn instant(&self, name: &str) -> Result<Option<UnixMillis>, Refusal> {
        let found = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => UnixMillis::parse(text),
            Some(value) => value.as_i64().and_then(|seconds| seconds.checked_mul(1_000)).map(UnixMillis),
        };
        found.map(Some).ok_or_else(|| wrong(name, "RFC 3339 text, or seconds since 1970"))
    }

    /// An array of strings; null is as good as absent.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let values = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(values)) => values,
            Some(_) => return Err(wrong(name, "array of strings")),
        };
        let texts: Option<Vec<String>> = values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
        texts.map(Some).ok_or_else(|| wrong(name, "array of strings"))
    }

    /// Whether there is an array of arrays, which is not read; null is as good as absent.
    pub fn has_lists(&self, name: &str) -> Result<bool, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Array(lists)) if lists.iter().all(Value::is_array) => Ok(true),
            Some(_) => Err(wrong(name, "array of arrays")),
        }
    }

    /// The field `tags`; null is as good as absent.
    pub fn tags(&self) -> Result<Option<Tags>, Refusal> {
        self.texts("tags")?.map(Tags::new).transpose()
    }
}

fn wrong(parameter: &str, expected: &str) -> Refusal {
    Refusal::WrongType { parameter: parameter.to_owned(), expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_an_empty_object_and_what_is_no_object_is_refused() {
        for empty in [&b""[..], b"  \n", b"{}"] {
            assert!(Fields::parse(empty).unwrap().0.is_empty());
        }
        for bad in [&b"[]"[..], b"null", b"\"x\"", b"{", b"\xff"] {
            assert!(Fields::parse(bad).is_err());
        }
    }

    #[test]
    fn no_text_has_a_nul() {
        let fields = Fields::parse(br#"{"a":"\u0000","b":"b"}"#).unwrap();
        assert!(fields.text("a").is_err() && fields.required_text("a").is_err() && fields.nullable_text("a").is_err());
        assert_eq!(fields.text("b"), Ok(Some("b")));
    }

    #[test]
    fn numbers_are_whole_and_switches_are_switches() {
        let fields = Fields::parse(br#"{"a":7,"b":null,"c":-1,"d":1.5,"e":"7","f":true,"g":18446744073709551616}"#).unwrap();
        assert_eq!((fields.number("a"), fields.number("b"), fields.number("x")), (Ok(Some(Some(7))), Ok(Some(None)), Ok(None)));
        for bad in ["c", "d", "e", "f", "g"] {
            assert!(fields.number(bad).is_err(), "{bad}");
        }
        assert_eq!((fields.switch("f"), fields.switch("b"), fields.switch("x")), (Ok(Some(true)), Ok(None), Ok(None)));
        assert!(fields.switch("a").is_err() && fields.switch("e").is_err());
    }

    #[test]
    fn instants_are_text_or_seconds() {
        let fields =
            Fields::parse(br#"{"a":1793812159,"b":"2026-11-04T17:09:19Z","c":null,"d":1.5,"e":"soon","f":9223372036854775807}"#)
                .unwrap();
        let at = Ok(Some(UnixMillis(1_793_812_159_000)));
        assert_eq!((fields.instant("a"), fields.instant("b"), fields.instant("c")), (at.clone(), at, Ok(None)));
        for bad in ["d", "e", "f"] {
            assert!(fields.instant(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_are_an_array_of_strings() {
        let tags = |json: &str| Fields::parse(json.as_bytes()).unwrap().tags();
        assert_eq!(tags(r#"{"tags":["a","b"],"unknown":1}"#).unwrap().unwrap().as_slice(), ["a", "b"]);
        assert_eq!(tags(r#"{"tags":null}"#).unwrap(), None);
        for bad in [r#"{"tags":"a"}"#, r#"{"tags":[1]}"#, r#"{"tags":{"0":"a"}}"#] {
            assert!(tags(bad).is_err(), "{bad}");
        }
    }
}
