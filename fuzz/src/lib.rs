//! What is done with bytes of which nothing is known, and what must hold whatever they are: the bodies of the fuzz targets.
//!
//! Part of the main workspace, so that `cargo test` replays `corpus/` without a fuzzer. `libfuzzer/` beside it, a workspace of its own, lets
//! libFuzzer look for new input: `scripts/fuzz TARGET SECONDS`.

mod codec;
mod flv;
/// The server's own file: with the server around it each run would have to build five hundred crates for coverage, for ninety lines without a dependency.
#[path = "../../server/src/http/vod/range.rs"]
mod http_range;
mod range;
mod record;
mod rtmp;
mod scan;
mod script;

/// A fuzz target. `run` panics where something that must hold does not.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Also the name of its program in `libfuzzer/` and of its folder in `corpus/`.
    pub name: &'static str,
    pub run: fn(&[u8]),
}

pub const CODEC: Target = Target { name: "codec", run: codec::run };
pub const FLV: Target = Target { name: "flv", run: flv::run };
pub const RANGE: Target = Target { name: "range", run: range::run };
pub const RECORD: Target = Target { name: "record", run: record::run };
pub const RTMP: Target = Target { name: "rtmp", run: rtmp::run };
pub const SCAN: Target = Target { name: "scan", run: scan::run };

/// All of them.
pub const TARGETS: [Target; 6] = [CODEC, FLV, RANGE, RECORD, RTMP, SCAN];
