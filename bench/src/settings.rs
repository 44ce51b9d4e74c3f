//! What can be set, by environment variables; the defaults are what the published figures were taken with.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

pub(crate) struct Settings {
    /// The server.
    pub(crate) afterlive: PathBuf,
    /// nginx and its RTMP module.
    pub(crate) nginx: PathBuf,
    pub(crate) nginx_rtmp: PathBuf,
    /// For what is thrown away afterwards: some gigabytes.
    pub(crate) work: PathBuf,
    /// For the JSON.
    pub(crate) results: PathBuf,
    /// For tables and plots that belong to the documents.
    pub(crate) documents: PathBuf,
    /// `load`: publishers, kbit/s of each, seconds of each measurement, measurements of each server.
    pub(crate) load_publishers: usize,
    pub(crate) load_kbit: u32,
    pub(crate) load_time: Duration,
    pub(crate) load_rounds: usize,
    /// `many`.
    pub(crate) many_publishers: usize,
    pub(crate) many_kbit: u32,
    pub(crate) many_time: Duration,
    /// `finalise`: lengths of the recordings in seconds, and how many times faster than real time they are pushed.
    pub(crate) finalise_seconds: Vec<u64>,
    pub(crate) finalise_kbit: u32,
    pub(crate) finalise_speed: u32,
    /// `range`.
    pub(crate) range_file_bytes: u64,
    pub(crate) range_connections: usize,
    pub(crate) range_time: Duration,
    pub(crate) range_rounds: usize,
    /// `live`: viewers of one stream, streams of one viewer, kbit/s of a stream, seconds of each measurement.
    pub(crate) live_viewers: usize,
    pub(crate) live_streams: usize,
    pub(crate) live_kbit: u32,
    pub(crate) live_time: Duration,
    /// `full`: recordings in the databases, the PostgreSQL server where there is one, requests of each call, seconds and connections of the last part.
    pub(crate) full_recordings: Vec<u64>,
    pub(crate) full_postgres: Option<String>,
    pub(crate) full_requests: usize,
    pub(crate) full_time: Duration,
    pub(crate) full_connections: usize,
}

impl Settings {
    pub(crate) fn from_environment() -> Result<Self> {
        let seconds = |name, default| Ok::<_, anyhow::Error>(Duration::from_secs(number(name, default)?));
        Ok(Self {
            afterlive: path("AFTERLIVE_BIN", "target/release/afterlive"),
            nginx: path("NGINX_BIN", "/usr/sbin/nginx"),
            nginx_rtmp: path("NGINX_RTMP_MODULE", "/usr/lib/nginx/modules/ngx_rtmp_module.so"),
            work: path("BENCH_WORK", "target/bench/work"),
            results: path("BENCH_RESULTS", "target/bench"),
            documents: path("BENCH_DOCUMENTS", "docs/measured"),
            load_publishers: number("BENCH_LOAD_PUBLISHERS", 40)? as usize,
            load_kbit: number("BENCH_LOAD_KBIT", 3_000)? as u32,
            load_time: seconds("BENCH_LOAD_SECONDS", 30)?,
            load_rounds: number("BENCH_LOAD_ROUNDS", 2)? as usize,
            many_publishers: number("BENCH_MANY_PUBLISHERS", 200)? as usize,
            many_kbit: number("BENCH_MANY_KBIT", 1_000)? as u32,
            many_time: seconds("BENCH_MANY_SECONDS", 300)?,
            finalise_seconds: numbers("BENCH_FINALISE_SECONDS", "60 3600 36000")?,
            finalise_kbit: number("BENCH_FINALISE_KBIT", 500)? as u32,
            finalise_speed: number("BENCH_FINALISE_SPEED", 400)? as u32,
            range_file_bytes: number("BENCH_RANGE_MIB", 1_024)? << 20,
            range_connections: number("BENCH_RANGE_CONNECTIONS", 4)? as usize,
            range_time: seconds("BENCH_RANGE_SECONDS", 10)?,
            range_rounds: number("BENCH_RANGE_ROUNDS", 2)? as usize,
            live_viewers: number("BENCH_LIVE_VIEWERS", 500)? as usize,
            live_streams: number("BENCH_LIVE_STREAMS", 100)? as usize,
            live_kbit: number("BENCH_LIVE_KBIT", 1_000)? as u32,
            live_time: seconds("BENCH_LIVE_SECONDS", 20)?,
            full_recordings: numbers("BENCH_FULL_RECORDINGS", "1000 100000 1000000")?,
            full_postgres: std::env::var("AFTERLIVE_TEST_POSTGRES_URL").ok(),
            full_requests: number("BENCH_FULL_REQUESTS", 500)? as usize,
            full_time: seconds("BENCH_FULL_SECONDS", 5)?,
            full_connections: number("BENCH_FULL_CONNECTIONS", 64)? as usize,
        })
    }
}

fn path(name: &str, default: &str) -> PathBuf {
    let path = std::env::var_os(name).map_or_else(|| PathBuf::from(default), PathBuf::from);
    std::path::absolute(&path).unwrap_or(path)
}

fn number(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is {text}")),
        Err(_) => Ok(default),
    }
}

fn numbers(name: &str, default: &str) -> Result<Vec<u64>> {
    let text = std::env::var(name).unwrap_or_else(|_| default.to_owned());
    text.split_whitespace().map(str::parse).collect::<Result<_, _>>().with_context(|| format!("{name} is {text}"))
}
