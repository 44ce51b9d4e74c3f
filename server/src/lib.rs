//! The server: from an encoder's bytes to a recording at its URL. `run` wires the parts; each module's first lines say what belongs in it.

pub mod address;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dashboard;
pub mod db;
pub mod dial;
pub mod finalise;
pub mod hexadecimal;
pub mod http;
pub mod hub;
pub mod ingest;
pub mod jobs;
pub mod lifecycle;
pub mod live;
pub mod pictures;
pub mod publish_key;
pub mod push;
pub mod random;
mod rate_limit;
pub mod record;
pub mod rtc;
pub mod run;
pub mod service;
pub mod sound;
pub mod storage;
pub mod tagger;
