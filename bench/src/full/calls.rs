//! The calls that are measured, each with other ids or times where there are such.

use std::time::{SystemTime, UNIX_EPOCH};

use afterlive_domain::UnixMillis;

use super::database::Samples;
use super::latency::Request;
use crate::seed::TAGS;

const DAY_MS: i64 = 86_400_000;

pub(crate) struct Calls {
    api: String,
    page: String,
    samples: Samples,
    now: UnixMillis,
}

#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// It looks at every row of the organisation, as no index helps: how long it takes is known, and no target of it. Such calls have their turns.
    pub(crate) looks_at_all: bool,
    what: What,
}

#[derive(Clone)]
enum What {
    /// A path of the API.
    Get(String),
    OneStream,
    AssetsOfStream,
    AssetsOfTime,
    /// What a page asks for.
    Ui(&'static str, String),
}

impl Calls {
    pub(crate) fn new(key: &str, cookie: &str, samples: Samples) -> Self {
        let page = format!("Cookie: {cookie}\r\nAccept: application/json\r\nContent-Type: application/json\r\n");
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        Self { api: format!("X-BINTU-APIKEY: {key}\r\n"), page, samples, now }
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        let get = |path: String| Call { name: format!("`GET {path}`"), looks_at_all: false, what: What::Get(path) };
        let call = |name: &str, what| Call { name: name.to_owned(), looks_at_all: false, what };
        let mut calls = vec![
            call("`GET /stream/ID?asset_limit=10`", What::OneStream),
            call(
                "the same, the stream with the most recordings",
                What::Get(format!("/stream/{}?asset_limit=10", self.samples.biggest)),
            ),
        ];
        calls.extend(TAGS.map(|tag| get(format!("/stream?state=ended&tags[]={tag}&quantity=50"))));
        calls.push(get("/asset?quantity=50".to_owned()));
        calls.push(call("`GET /asset?stream=ID`", What::AssetsOfStream));
        calls.push(call(
            "the same, the stream with the most recordings",
            What::Get(format!("/asset?stream={}", self.samples.biggest)),
        ));
        calls.extend(TAGS.map(|tag| get(format!("/asset?tags[]={tag}"))));
        calls.extend(["eu", "au"].map(|region| get(format!("/asset?region={region}"))));
        calls.extend(["ready", "failed", "deleted"].map(|state| get(format!("/asset?state={state}"))));
        calls.push(call("`GET /asset?from=…&to=…`, ten days", What::AssetsOfTime));
        let library = r#"{"filter":{"page_size":50}}"#.to_owned();
        let streams = r#"{"filter":{"sort":"created","page_size":50,"page":1}}"#.to_owned();
        calls.push(call("the library's page", What::Ui("library", library)));
        let held = r#"{"filter":{"page_size":50,"shelf":"held"}}"#.to_owned();
        calls.push(call("the library's page of what is under legal hold", What::Ui("library", held)));
        calls.push(get("/tag".to_owned()));
        // Found in many rows, and in none.
        for text in [&TAGS[0][1..4], "nothing-has-it"] {
            calls.extend(["stream", "asset"].map(|list| Call { looks_at_all: true, ..get(format!("/{list}?q={text}")) }));
        }
        calls.push(call("the start page", What::Ui("home", "{}".to_owned())));
        calls.push(call("the page of streams", What::Ui("streams", streams)));
        calls
    }

    /// The number-th of them.
    pub(crate) fn request(&self, call: &Call, number: usize) -> Request {
        match &call.what {
            What::Get(path) => self.get(path.clone()),
            What::OneStream => self.of_stream(number),
            What::AssetsOfStream => self.get(format!("/asset?stream={}", self.stream(number))),
            What::AssetsOfTime => {
                let from = self.now.plus_ms(-DAY_MS * (10 + number as i64 % 300));
                self.get(format!("/asset?from={from}&to={}", from.plus_ms(10 * DAY_MS)))
            }
            What::Ui(function, question) => {
                Request { method: "POST", path: format!("/ui/{function}"), head: self.page.clone(), body: question.clone() }
            }
        }
    }

    pub(crate) fn of_stream(&self, number: usize) -> Request {
        self.get(format!("/stream/{}?asset_limit=10", self.stream(number)))
    }

    fn stream(&self, number: usize) -> &str {
        &self.samples.streams[number % self.samples.streams.len()]
    }

    fn get(&self, path: String) -> Request {
        Request { method: "GET", path, head: self.api.clone(), body: String::new() }
    }
}
