//! What is done with bytes of which nothing is known, and what must hold whatever they are: the bodies of the fuzz targets.
//!
//! Part of the main workspace, so that `cargo test` replays `corpus/` without a fuzzer. `libfuzzer/` beside it, a workspace of its own, lets
//! libFuzzer look for new input: `scripts/fuzz TARGET SECONDS`.

mod codec;
mod cursor;
/// Named as in the server, for `stream_cursor`.
#[path = "../../server/src/db"]
mod db {
    #[path = "asset_search/place.rs"]
    pub mod asset_search;
    #[path = "delivery_log/place.rs"]
    pub mod delivery_log;
    #[path = "stream_search/place.rs"]
    pub mod stream_search;
}
mod flv;
// The server's own files: with the server around them each run would have to build five hundred crates for coverage, for some ninety lines that need none of them.
#[path = "../../server/src/http/vod/range.rs"]
mod http_range;
mod names;
#[path = "../../server/src/publish_key/query.rs"]
mod publish_key;
mod range;
mod record;
mod rtmp;
mod scan;
mod script;
#[path = "../../server/src/http/api/stream/cursor.rs"]
mod stream_cursor;
mod webhook;
#[path = "../../server/src/ingest/webhook/form.rs"]
mod webhook_form;

/// A fuzz target. `run` panics where something that must hold does not.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Also the name of its program in `libfuzzer/` and of its folder in `corpus/`.
    pub name: &'static str,
    pub run: fn(&[u8]),
}

pub const CODEC: Target = Target { name: "codec", run: codec::run };
pub const CURSOR: Target = Target { name: "cursor", run: cursor::run };
pub const FLV: Target = Target { name: "flv", run: flv::run };
pub const NAMES: Target = Target { name: "names", run: names::run };
pub const RANGE: Target = Target { name: "range", run: range::run };
pub const RECORD: Target = Target { name: "record", run: record::run };
pub const RTMP: Target = Target { name: "rtmp", run: rtmp::run };
pub const SCAN: Target = Target { name: "scan", run: scan::run };
pub const WEBHOOK: Target = Target { name: "webhook", run: webhook::run };

/// All of them.
pub const TARGETS: [Target; 9] = [CODEC, CURSOR, FLV, NAMES, RANGE, RECORD, RTMP, SCAN, WEBHOOK];
