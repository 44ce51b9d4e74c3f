//! The query of a call. Parameters that it does not know are ignored; of one that comes twice the last counts.

use std::collections::HashSet;
use std::convert::Infallible;
use std::str::FromStr;

use afterlive_domain::Error as Refusal;
use afterlive_domain::UnixMillis;
use axum::extract::FromRequestParts;
use http::request::Parts;
use serde_json::json;
use url::form_urlencoded;

use super::doc::Field;
use crate::db::stream_search::MAX_SEARCH_CHARS;
use crate::publish_key::bare_name;

/// The most tags to filter by; each is a look-up.
pub const MAX_FILTER_TAGS: usize = 10;

/// The parameters, decoded, in their order.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

impl Query {
    pub(in crate::http) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The value of a parameter; an empty one is as good as absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A whole number, not below zero; one beyond `u32` is its largest.
    pub fn count(&self, name: &str) -> Result<Option<u32>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong(name, "integer"));
        }
        Ok(Some(text.parse().unwrap_or(u32::MAX)))
    }

    /// An instant, or a date.
    pub fn instant(&self, name: &str) -> Result<Option<UnixMillis>, Refusal> {
        let parse = |text| UnixMillis::parse(text).ok_or_else(|| wrong(name, "RFC 3339 date and time"));
        self.text(name).map(parse).transpose()
    }

    /// What has a text form; `expected` says which where it is none.
    pub fn parsed<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Refusal> {
        self.text(name).map(|text| text.parse().map_err(|_| wrong(name, expected))).transpose()
    }

    /// The tags of `tags[]` to filter by, each once.
    pub fn filter_tags(&self) -> Result<Vec<String>, Refusal> {
        let mut tags = self.list("tags");
        if tags.len() > MAX_FILTER_TAGS {
            return Err(wrong("tags", &format!("array of at most {MAX_FILTER_TAGS} strings")));
        }
        let mut seen = HashSet::new();
        tags.retain(|tag| seen.insert(tag.clone()));
        Ok(tags)
    }

    /// The text of `q` to search for; of a streamname as it is copied into encoders the name.
    pub fn search_text(&self) -> Option<String> {
        self.text("q").map(|text| bare_name(text).to_owned())
    }

    /// A list, as `name[]=a&name[]=b` or `name[0]=a&name[1]=b`, in the order sent.
    pub fn list(&self, name: &str) -> Vec<String> {
        let in_list = |key: &str| {
            let index = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('[')).and_then(|rest| rest.strip_suffix(']'));
            index.is_some_and(|index| index.bytes().all(|byte| byte.is_ascii_digit()))
        };
        self.0.iter().filter(|(key, value)| in_list(key) && !value.is_empty()).map(|(_, value)| value.clone()).collect()
    }

    /// The same query, with one parameter replaced.
    pub fn with(&self, name: &str, value: &str) -> String {
        let others = self.0.iter().filter(|(key, _)| key != name);
        form_urlencoded::Serializer::new(String::new()).extend_pairs(others).append_pair(name, value).finish()
    }
}

/// `quantity`, for the document.
pub fn quantity_field(default: u32, most: u32) -> Field {
    let about = format!("How many a page has; {most} at most, also where more are asked for.");
    Field::optional("quantity", about, json!({ "type": "integer", "minimum": 0, "default": default })).example(10)
}

/// `cursor`, for the document.
pub fn cursor_field() -> Field {
    let about = "Where the page begins: as it stands in the `Link` header of the page before. What comes or goes meanwhile shifts nothing.";
    Field::optional("cursor", about, json!({ "type": "string" }))
}

/// `tags[]`, for the document.
pub fn tags_field(about: &'static str) -> Field {
    let about = format!("{about} Written `tags[]=a&tags[]=b` or `tags[0]=a&tags[1]=b`, the brackets as they are or encoded.");
    let schema = json!({ "type": "array", "items": { "type": "string" }, "maxItems": MAX_FILTER_TAGS });
    Field::optional("tags[]", about, schema).example(json!(["title:Sunday service"]))
}

/// `q`, for the document.
pub fn search_field(about: &'static str) -> Field {
    let about =
        format!("{about} The case of letters is nothing. Of a longer text the first {MAX_SEARCH_CHARS} characters count.");
    Field::optional("q", about, json!({ "type": "string" }))
}

pub fn wrong(parameter: &str, expected: &str) -> Refusal {
    Refusal::WrongType { parameter: parameter.to_owned(), expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_with_empty_or_numbered_brackets_literal_or_encoded() {
        for query in
            ["tags[]=a&tags[]=b%20c", "tags[0]=a&tags[1]=b+c", "tags%5B%5D=a&x=1&tags%5B1%5D=b%20c&tags[x]=no&tags=no&tags[]="]
        {
            assert_eq!(Query::parse(query).list("tags"), ["a", "b c"], "{query}");
        }
    }

    #[test]
    fn a_tag_that_is_named_twice_is_looked_for_once() {
        assert_eq!(Query::parse("tags[]=b&tags[]=a&tags[]=b").filter_tags().unwrap(), ["b", "a"]);
        assert!(Query::parse(&"tags[]=a&".repeat(11)).filter_tags().is_err());
    }

    #[test]
    fn counts_are_whole_numbers() {
        let count = |query: &str| Query::parse(query).count("n");
        assert_eq!(count("n=10").unwrap(), Some(10));
        assert_eq!(count("n=99999999999").unwrap(), Some(u32::MAX));
        assert_eq!(count("m=1&n=").unwrap(), None);
        for bad in ["n=-1", "n=1.5", "n=ten", "n=%2B1"] {
            assert!(count(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_copied_into_an_encoder_is_searched_for_without_its_key() {
        let text = |query: &str| Query::parse(query).search_text();
        assert_eq!(text("q=8sKpm-x49nB?key=0f3c").as_deref(), Some("8sKpm-x49nB"));
        assert_eq!(text("q=8sKpm-x49nB%3Fkey%3D0f3c").as_deref(), Some("8sKpm-x49nB"));
        assert_eq!(text("q=who?+me").as_deref(), Some("who? me"));
    }

    #[test]
    fn the_next_page_has_the_same_filters() {
        let query = Query::parse("tags[]=a b&cursor=old&quantity=2");
        assert_eq!(query.with("cursor", "new"), "tags%5B%5D=a+b&quantity=2&cursor=new");
    }
}
