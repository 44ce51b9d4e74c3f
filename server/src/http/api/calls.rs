//! Every call of the API in one table: its route, and what the document says of it. A call is added by a line here; what the line names, the handler and what
//! is said of it, stands in the call's own file. There is no way to add a route without saying what it is.

use std::sync::Arc;

use axum::handler::Handler;
use axum::middleware::from_fn;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;

use super::doc::Doc;
use super::{asset, audit, endpoint, key, openapi, organisation, revalidate, stream, tag, token, user};
use crate::service::Service;

/// Calls that stand together in the document.
pub struct Group {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) calls: Vec<Call>,
}

pub struct Call {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) doc: fn() -> Doc,
    /// Whether it answers with an ETag, and 304 to who has the same answer already.
    pub(super) is_polled: bool,
    pub(super) route: MethodRouter<Arc<Service>>,
}

pub fn groups() -> Vec<Group> {
    vec![
        Group {
            name: "Streams",
            about: "A stream is what an encoder publishes to, and what its recordings belong to.",
            calls: vec![
                polled("/stream", stream::list::handle, stream::list::doc),
                post("/stream", stream::create::handle, stream::create::doc),
                polled("/stream/public", stream::public::handle, stream::public::doc),
                post("/stream/validate", stream::validate::handle, stream::validate::doc),
                polled("/stream/{id}", stream::get::handle, stream::get::doc),
                delete("/stream/{id}", stream::delete::handle, stream::delete::doc),
                polled("/stream/{id}/group", stream::get::handle, stream::get::group_doc),
                put("/stream/{id}/tag", stream::set_tags::handle, stream::set_tags::doc),
                put("/stream/{id}/push_url", stream::set_push_url::handle, stream::set_push_url::doc),
                post("/stream/{id}/publish_key", stream::renew_publish_key::handle, stream::renew_publish_key::doc),
                post("/stream/{id}/processing", stream::set_processing::handle, stream::set_processing::doc),
                put("/stream/{id}/stop", stream::stop::handle, stream::stop::doc),
                post("/stream/{id}/stop", stream::stop::handle, stream::stop::doc),
                put("/stream/{id}/lock", stream::lock::handle, stream::lock::doc),
                put("/stream/{id}/unlock", stream::unlock::handle, stream::unlock::doc),
                polled("/tag", tag::list::handle, tag::list::doc),
            ],
        },
        Group {
            name: "Recordings",
            about: "Every recording of the organisation, also those in the bin and those that failed. A stream shows its own that can be played.",
            calls: vec![
                polled("/asset", asset::list::handle, asset::list::doc),
                polled("/asset/{id}", asset::get::handle, asset::get::doc),
                delete("/asset/{id}", asset::delete::handle, asset::delete::doc),
                get("/asset/{id}/report", asset::report::handle, asset::report::doc),
                post("/asset/{id}/restore", asset::restore::handle, asset::restore::doc),
                put("/asset/{id}/hold", asset::hold::handle, asset::hold::doc),
            ],
        },
        Group {
            name: "Organisation",
            about: "What an organisation's administrators set.",
            calls: vec![
                polled("/organisation", organisation::get::handle, organisation::get::doc),
                put("/organisation/recording", organisation::set_recording::handle, organisation::set_recording::doc),
                put("/organisation/webhook", organisation::set_webhook::handle, organisation::set_webhook::doc),
                put(
                    "/organisation/publish_key",
                    organisation::require_publish_key::handle,
                    organisation::require_publish_key::doc,
                ),
            ],
        },
        Group {
            name: "Events",
            about: "An endpoint is a URL at which one of the organisation's programs is told what happens, by signed POSTs of the Standard Webhooks convention, tried again \
                    for a day, in the order of each stream.",
            calls: vec![
                get("/organisation/endpoint", endpoint::list::handle, endpoint::list::doc),
                post("/organisation/endpoint", endpoint::create::handle, endpoint::create::doc),
                put("/organisation/endpoint/{id}", endpoint::change::handle, endpoint::change::doc),
                delete("/organisation/endpoint/{id}", endpoint::delete::handle, endpoint::delete::doc),
                get("/organisation/endpoint/{id}/secret", endpoint::secret::handle, endpoint::secret::doc),
                post("/organisation/endpoint/{id}/secret", endpoint::rotate_secret::handle, endpoint::rotate_secret::doc),
                post("/organisation/endpoint/{id}/test", endpoint::test::handle, endpoint::test::doc),
                get("/organisation/endpoint/{id}/delivery", endpoint::deliveries::handle, endpoint::deliveries::doc),
                post("/organisation/delivery/{id}/resend", endpoint::resend::handle, endpoint::resend::doc),
            ],
        },
        Group {
            name: "Keys",
            about: "An API key is a program's, with a role. A player key stands in a page for everybody to see.",
            calls: vec![
                get("/organisation/apikey", key::list::handle, key::list::doc),
                post("/organisation/apikey", key::create::handle, key::create::doc),
                delete("/organisation/apikey/{id}", key::revoke::handle, key::revoke::doc),
                get("/apikey", key::list::handle, key::list::doc),
                post("/apikey", key::validate::handle, key::validate::doc),
                post("/apikey/{key}", key::check::handle, key::check::doc),
            ],
        },
        Group {
            name: "Who calls",
            about: "Session tokens of users, and what a credential may.",
            calls: vec![
                post("/user/validate", user::validate::handle, user::validate::doc),
                get("/user", user::get::handle, user::get::doc),
                get("/permission", user::permissions::handle, user::permissions::doc),
            ],
        },
        Group {
            name: "Playback tokens",
            about: "Where live or recordings are not public, a playback token opens them: for one stream, for streams with tags, or for all of the organisation.",
            calls: vec![
                get("/token/playback", token::list::handle, token::list::doc),
                post("/token/playback", token::create::handle, token::create::doc),
                post("/token/verify", token::verify::handle, token::verify::doc),
                post("/token/revoke", token::revoke::handle, token::revoke::doc),
                post(
                    "/organisation/playback_secret",
                    organisation::renew_playback_secret::handle,
                    organisation::renew_playback_secret::doc,
                ),
            ],
        },
        Group {
            name: "Audit log",
            about: "Who did what, on what, from where and when.",
            calls: vec![get("/audit", audit::export::handle, audit::export::doc)],
        },
        Group {
            name: "This document",
            about: "The API about itself.",
            calls: vec![polled(openapi::PATH, openapi::handle, openapi::doc)],
        },
    ]
}

fn call<H, T>(filter: MethodFilter, method: Method, path: &'static str, handler: H, doc: fn() -> Doc) -> Call
where
    H: Handler<T, Arc<Service>>,
    T: 'static,
{
    Call { method, path, doc, is_polled: false, route: on(filter, handler) }
}

fn get<H: Handler<T, Arc<Service>>, T: 'static>(path: &'static str, handler: H, doc: fn() -> Doc) -> Call {
    call(MethodFilter::GET, Method::GET, path, handler, doc)
}

fn post<H: Handler<T, Arc<Service>>, T: 'static>(path: &'static str, handler: H, doc: fn() -> Doc) -> Call {
    call(MethodFilter::POST, Method::POST, path, handler, doc)
}

fn put<H: Handler<T, Arc<Service>>, T: 'static>(path: &'static str, handler: H, doc: fn() -> Doc) -> Call {
    call(MethodFilter::PUT, Method::PUT, path, handler, doc)
}

fn delete<H: Handler<T, Arc<Service>>, T: 'static>(path: &'static str, handler: H, doc: fn() -> Doc) -> Call {
    call(MethodFilter::DELETE, Method::DELETE, path, handler, doc)
}

/// A GET that programs send again and again.
fn polled<H: Handler<T, Arc<Service>>, T: 'static>(path: &'static str, handler: H, doc: fn() -> Doc) -> Call {
    let call = get(path, handler, doc);
    Call { is_polled: true, route: call.route.layer(from_fn(revalidate::layer)), ..call }
}
