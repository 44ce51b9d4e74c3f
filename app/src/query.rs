//! What a page shows, as its URL's query says it: read from the query, and written back for links.

use afterlive_domain::{StreamState, UnixMillis};
use leptos_router::params::ParamsMap;

use crate::backend::{RecordingRange, StreamFilter, StreamSort};

/// The page sizes that the list of streams offers.
pub const PAGE_SIZES: [u32; 4] = [25, 50, 100, 150];
/// Recordings a page in a stream's table.
pub const RECORDINGS_A_PAGE: u64 = 10;

const DAY_MS: i64 = 86_400_000;

fn text(query: &ParamsMap, name: &str) -> Option<String> {
    query.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn page_number(query: &ParamsMap, name: &str) -> u32 {
    text(query, name).and_then(|page| page.parse().ok()).unwrap_or(1).max(1)
}

/// Reads the list's filter. What does not make sense is as if it were not there: a link that somebody mangled still shows streams.
#[must_use]
pub fn stream_filter(query: &ParamsMap) -> StreamFilter {
    let size = text(query, "size").and_then(|size| size.parse().ok()).unwrap_or(PAGE_SIZES[0]);
    StreamFilter {
        state: text(query, "state").and_then(|state| state.parse::<StreamState>().ok()),
        tag: text(query, "tag"),
        search: text(query, "q"),
        from: text(query, "from").and_then(|day| UnixMillis::parse(&day)),
        // The form asks for the last day that is shown; the filter for the first instant that is not.
        to: text(query, "to").and_then(|day| UnixMillis::parse(&day)).map(|day| day.plus_ms(DAY_MS)),
        sort: match text(query, "sort").as_deref() {
            Some("updated") => StreamSort::Updated,
            Some("name") => StreamSort::Name,
            _ => StreamSort::Created,
        },
        page_size: PAGE_SIZES.into_iter().rev().find(|&offered| offered <= size).unwrap_or(PAGE_SIZES[0]),
        page: page_number(query, "page"),
    }
}

#[must_use]
pub fn sort_name(sort: StreamSort) -> &'static str {
    match sort {
        StreamSort::Created => "created",
        StreamSort::Updated => "updated",
        StreamSort::Name => "name",
    }
}

/// The day in UTC, as `<input type="date">` has it.
#[must_use]
pub fn day_text(at: Option<UnixMillis>) -> String {
    at.map(|at| at.to_string().chars().take(10).collect()).unwrap_or_default()
}

/// The last day that `filter` shows.
#[must_use]
pub fn last_day_text(filter: &StreamFilter) -> String {
    day_text(filter.to.map(|to| to.plus_ms(-DAY_MS)))
}

/// `/stream` with the filter in its query, and only what differs from the plain list.
#[must_use]
pub fn stream_list_url(filter: &StreamFilter) -> String {
    let mut query = ParamsMap::new();
    let mut put = |name: &'static str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            query.insert(name, value);
        }
    };
    put("state", filter.state.map(|state| state.as_str().to_owned()));
    put("tag", filter.tag.clone());
    put("q", filter.search.clone());
    put("from", Some(day_text(filter.from)));
    put("to", Some(last_day_text(filter)));
    put("sort", (filter.sort != StreamSort::Created).then(|| sort_name(filter.sort).to_owned()));
    put("size", (filter.page_size != PAGE_SIZES[0]).then(|| filter.page_size.to_string()));
    put("page", (filter.page > 1).then(|| filter.page.to_string()));
    format!("/stream{}", query.to_query_string())
}

/// `?recordings=all`, or `?page=3`.
#[must_use]
pub fn recording_range(query: &ParamsMap) -> RecordingRange {
    if text(query, "recordings").as_deref() == Some("all") {
        RecordingRange::All
    } else {
        RecordingRange::Page(page_number(query, "page"))
    }
}

/// `path` with the parameters percent-encoded, behind those that it has.
#[must_use]
pub fn with_query(path: &str, parameters: &[(&'static str, &str)]) -> String {
    let mut query = ParamsMap::new();
    for (name, value) in parameters {
        query.insert(*name, (*value).to_owned());
    }
    let query = query.to_query_string();
    if path.contains('?') { format!("{path}&{}", query.trim_start_matches('?')) } else { format!("{path}{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&'static str, &str)]) -> ParamsMap {
        pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    }

    #[test]
    fn a_filter_survives_its_url() {
        let said = query(&[
            ("state", "live"),
            ("tag", "title:Sunday service"),
            ("q", "a&b"),
            ("from", "2026-11-01"),
            ("to", "2026-11-04"),
            ("sort", "name"),
            ("size", "100"),
            ("page", "3"),
        ]);
        let filter = stream_filter(&said);
        assert_eq!(filter.to, UnixMillis::parse("2026-11-05"));
        let url = stream_list_url(&filter);
        assert!(url.starts_with("/stream?state=live&"), "{url}");
        assert!(url.contains("to=2026%2D11%2D04&") && url.contains("q=a%26b&"), "{url}");
    }

    #[test]
    fn parameters_join_those_that_a_path_has() {
        assert_eq!(with_query("/auth", &[("next", "/a?b=c")]), "/auth?next=%2Fa%3Fb%3Dc");
        assert_eq!(with_query("/setup?token=t", &[("notice", "flash")]), "/setup?token=t&notice=flash");
    }

    #[test]
    fn nonsense_is_as_if_it_were_not_there() {
        let filter =
            stream_filter(&query(&[("state", "asleep"), ("size", "7"), ("page", "-1"), ("from", "monday"), ("q", "  ")]));
        assert_eq!(filter, StreamFilter { page_size: 25, page: 1, ..StreamFilter::default() });
        assert_eq!(stream_list_url(&filter), "/stream");
    }
}
