//! What a page shows, as its URL's query says it: read from the query, and written back for links.

use afterlive_domain::{Act, StreamState, UnixMillis};
use leptos_router::params::ParamsMap;

use crate::backend::{AuditFilter, LibraryFilter, RecordingRange, Shelf, StreamFilter, StreamSort};

/// The page sizes that the list of streams offers.
pub const PAGE_SIZES: [u32; 4] = [25, 50, 100, 150];
/// The page sizes that the library offers.
pub const LIBRARY_PAGE_SIZES: [u32; 3] = [25, 50, 100];
/// Recordings a page in a stream's table.
pub const RECORDINGS_A_PAGE: u64 = 10;

const DAY_MS: i64 = 86_400_000;

fn text(query: &ParamsMap, name: &str) -> Option<String> {
    query.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// Which page the query asks for, counted from 1.
#[must_use]
pub fn page_number(query: &ParamsMap, name: &str) -> u32 {
    text(query, name).and_then(|page| page.parse().ok()).unwrap_or(1).max(1)
}

/// A form asks for the last day that is shown; a filter for the first instant that is not.
fn day_after(query: &ParamsMap, name: &str) -> Option<UnixMillis> {
    text(query, name).and_then(|day| UnixMillis::parse(&day)).map(|day| day.plus_ms(DAY_MS))
}

/// The size that is asked for, brought to the nearest offered below it, or to the smallest.
fn page_size(query: &ParamsMap, offered: &[u32]) -> u32 {
    let size = text(query, "size").and_then(|size| size.parse().ok()).unwrap_or(0);
    let smallest = offered.first().copied().unwrap_or(0);
    offered.iter().rev().copied().find(|&offered| offered <= size).unwrap_or(smallest)
}

/// Reads the list's filter. What does not make sense is as if it were not there: a link that somebody mangled still shows streams.
#[must_use]
pub fn stream_filter(query: &ParamsMap) -> StreamFilter {
    StreamFilter {
        state: text(query, "state").and_then(|state| state.parse::<StreamState>().ok()),
        tag: text(query, "tag"),
        search: text(query, "q"),
        from: text(query, "from").and_then(|day| UnixMillis::parse(&day)),
        to: day_after(query, "to"),
        sort: match text(query, "sort").as_deref() {
            Some("updated") => StreamSort::Updated,
            Some("name") => StreamSort::Name,
            _ => StreamSort::Created,
        },
        page_size: page_size(query, &PAGE_SIZES),
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

/// The last day that is shown, where a filter ends at `to`.
#[must_use]
pub fn last_day_text(to: Option<UnixMillis>) -> String {
    day_text(to.map(|to| to.plus_ms(-DAY_MS)))
}

/// The URL with one more parameter, which is written as it stands in a query.
#[must_use]
pub fn and_query(url: &str, parameter: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{parameter}")
}

/// The playback token that a viewer came with.
#[must_use]
pub fn playback_token(query: &ParamsMap) -> Option<String> {
    text(query, "token")
}

/// A path and its query, with the parameters that say something.
struct Link(&'static str, ParamsMap);

impl Link {
    fn put(&mut self, name: &'static str, value: Option<String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.1.insert(name, value);
        }
    }

    fn url(&self) -> String {
        format!("{}{}", self.0, self.1.to_query_string())
    }
}

/// `/stream` with the filter in its query, and only what differs from the plain list.
#[must_use]
pub fn stream_list_url(filter: &StreamFilter) -> String {
    let mut link = Link("/stream", ParamsMap::new());
    link.put("state", filter.state.map(|state| state.as_str().to_owned()));
    link.put("tag", filter.tag.clone());
    link.put("q", filter.search.clone());
    link.put("from", Some(day_text(filter.from)));
    link.put("to", Some(last_day_text(filter.to)));
    link.put("sort", (filter.sort != StreamSort::Created).then(|| sort_name(filter.sort).to_owned()));
    link.put("size", (filter.page_size != PAGE_SIZES[0]).then(|| filter.page_size.to_string()));
    link.put("page", (filter.page > 1).then(|| filter.page.to_string()));
    link.url()
}

/// Reads the library's filter; as with streams, what does not make sense is as if it were not there.
#[must_use]
pub fn library_filter(query: &ParamsMap) -> LibraryFilter {
    LibraryFilter {
        shelf: text(query, "state").and_then(|shelf| shelf.parse::<Shelf>().ok()),
        stream: text(query, "stream"),
        tag: text(query, "tag"),
        region: text(query, "region").and_then(|region| region.parse().ok()),
        search: text(query, "q"),
        from: text(query, "from").and_then(|day| UnixMillis::parse(&day)),
        to: day_after(query, "to"),
        page_size: page_size(query, &LIBRARY_PAGE_SIZES),
        cursor: text(query, "cursor"),
    }
}

/// `/vod` with the filter in its query, and only what differs from the plain library.
#[must_use]
pub fn library_url(filter: &LibraryFilter) -> String {
    let mut link = Link("/vod", ParamsMap::new());
    link.put("state", filter.shelf.map(|shelf| shelf.as_str().to_owned()));
    link.put("stream", filter.stream.clone());
    link.put("tag", filter.tag.clone());
    link.put("region", filter.region.as_ref().map(ToString::to_string));
    link.put("q", filter.search.clone());
    link.put("from", Some(day_text(filter.from)));
    link.put("to", Some(last_day_text(filter.to)));
    link.put("size", (filter.page_size > LIBRARY_PAGE_SIZES[0]).then(|| filter.page_size.to_string()));
    link.put("cursor", filter.cursor.clone());
    link.url()
}

/// Reads which rows of the audit log are shown; as with streams, what does not make sense is as if it were not there.
#[must_use]
pub fn audit_filter(query: &ParamsMap) -> AuditFilter {
    AuditFilter {
        about: text(query, "about").filter(|about| Act::groups().contains(&about.as_str())),
        who: text(query, "who"),
        denied: text(query, "denied").is_some(),
        after: text(query, "after"),
    }
}

/// `/organisation/audit` with the filter in its query, and only what differs from the plain log.
#[must_use]
pub fn audit_url(filter: &AuditFilter) -> String {
    let mut link = Link("/organisation/audit", ParamsMap::new());
    link.put("about", filter.about.clone());
    link.put("who", filter.who.clone());
    link.put("denied", filter.denied.then(|| "1".to_owned()));
    link.put("after", filter.after.clone());
    link.url()
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

/// The sign-in, which leads on to `next`. `is_lost`: it says that a session is over.
#[must_use]
pub fn sign_in_url(next: &str, is_lost: bool) -> String {
    let url = with_query("/auth", &[("next", next)]);
    if is_lost { and_query(&url, "error=ended") } else { url }
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
    fn the_library_s_filter_survives_its_url() {
        let said = query(&[
            ("state", "bin"),
            ("stream", "8sKpm-x49nB"),
            ("tag", "hall-2"),
            ("region", "us"),
            ("q", "a&b"),
            ("from", "2026-11-01"),
            ("to", "2026-11-04"),
            ("size", "99"),
            ("cursor", "abc"),
        ]);
        let filter = library_filter(&said);
        assert_eq!((filter.shelf, filter.page_size), (Some(Shelf::Bin), 50));
        assert_eq!(
            library_url(&filter),
            "/vod?state=bin&stream=8sKpm%2Dx49nB&tag=hall%2D2&region=us&q=a%26b&from=2026%2D11%2D01&to=2026%2D11%2D04&size=50&cursor=abc"
        );
        let plain = library_filter(&query(&[("state", "asleep"), ("region", "EU!"), ("size", "-1")]));
        assert_eq!(plain, LibraryFilter { page_size: 25, ..LibraryFilter::default() });
        assert_eq!(library_url(&plain), "/vod");
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
