//! What an encoder appends to a stream's name: the publish key in it, and what a webhook is then sent. A byte that chooses the call, then the
//! encoder's query.

use std::net::{IpAddr, Ipv4Addr};

use url::form_urlencoded;

use crate::publish_key::{bare_name, shown, without_key};
use crate::script::Script;
use crate::webhook_form::{Call, Facts, MAX_PASSED_ON_BYTES};

const NAME: &str = "8sKpm-x49nB";

pub(crate) fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let call = match script.byte() % 3 {
        0 => Call::Publish,
        1 => Call::Update { time_s: 30, timestamp_ms: 29_960 },
        _ => Call::Done { bytes_in: 1_000, bytes_out: 3_000 },
    };
    let query = String::from_utf8_lossy(script.rest());
    publish_key(&query);
    if query.len() > MAX_PASSED_ON_BYTES {
        // The gate refuses it before there is a call.
        return;
    }
    let facts = Facts {
        query: Some(query.into_owned()),
        streamname: NAME.to_owned(),
        app: "rec",
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        client_id: 7,
    };
    let form = facts.form(call);
    assert!(form.bytes().all(|byte| byte.is_ascii_graphic()), "{form}");
    // Whether a server takes the first or the last of a name, each of ours is there once, and is ours.
    for (name, value) in [("call", call.name()), ("name", NAME), ("app", "rec"), ("addr", "192.0.2.7"), ("clientid", "7")] {
        let mut said = form_urlencoded::parse(form.as_bytes()).filter(|(key, _)| key.eq_ignore_ascii_case(name));
        assert_eq!(said.next().as_ref().map(|(_, value)| value.as_ref()), Some(value), "{name} in {form}");
        assert!(said.next().is_none(), "{name} twice in {form}");
    }
}

/// No key that a check finds is passed on, and what is left out of a query moves nothing else in it.
fn publish_key(query: &str) {
    let copied = format!("{NAME}?{query}");
    assert_eq!(bare_name(&copied), NAME, "{query}");
    let name = bare_name(query);
    assert!(query.starts_with(name) && bare_name(name) == name, "{query}");

    let key = shown(query);
    let (all, none) = (without_key(query, |_| false), without_key(query, |_| true));
    assert_eq!((shown(&all), shown(&none)), (key.clone(), None), "{query}");
    assert_eq!((without_key(&all, |_| true), without_key(&none, |_| false)), (none.clone(), none), "{query}");
    if let Some(key) = key {
        let own = without_key(query, |other| other != key);
        assert_eq!(shown(&own), Some(key), "{query}");
    }
}
