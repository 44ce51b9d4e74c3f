//! The server that is measured, in a folder of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use afterlive_media::rtmp::Destination;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::http::Connection;
use crate::process::Process;
use crate::publisher::Ingest;
use crate::settings::Settings;
use crate::source::Count;

const START_LIMIT: Duration = Duration::from_secs(30);
/// The server closes a connection that has been quiet for long: a new one is taken before it may.
const QUIET_LIMIT: Duration = Duration::from_secs(5);

pub(crate) struct Afterlive {
    pub(crate) process: Process,
    folder: PathBuf,
    pub(crate) http: SocketAddr,
    rtmp: SocketAddr,
    api_key: String,
    api: Connection,
    used_at: Instant,
}

/// A stream of the server's.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) id: String,
    pub(crate) ingest: Ingest,
}

/// A recording that can be watched.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) size_bytes: u64,
    pub(crate) path: PathBuf,
}

impl Afterlive {
    pub(crate) fn start(settings: &Settings) -> Result<Self> {
        let folder = settings.work.join("afterlive");
        remove(&folder)?;
        std::fs::create_dir_all(&folder)?;
        let (http, rtmp) = (free_address()?, free_address()?);
        let command = |arguments: &[&str]| command(settings, &folder, (http, rtmp), arguments);
        let password = folder.join("password");
        std::fs::write(&password, "correct horse battery\n")?;
        let mut set_up = command(&["setup", "--email", "bench@example.com", "--password-stdin", "--organisation", "Bench"]);
        let made = set_up.stdin(std::fs::File::open(&password)?).output().context("the server cannot be started")?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made: Value = serde_json::from_slice(&made.stdout)?;
        let api_key = text(&made, "api_key")?;

        let mut process = Process::start(&mut command(&["serve"]), &settings.work.join("afterlive.log"))?;
        let api = when_it_serves(&mut process, http)?;
        Ok(Self { process, folder, http, rtmp, api_key, api, used_at: Instant::now() })
    }

    fn call(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        if self.used_at.elapsed() > QUIET_LIMIT {
            self.api = Connection::open(self.http)?;
        }
        self.used_at = Instant::now();
        let head = format!("X-BINTU-APIKEY: {}\r\nContent-Type: application/json\r\n", self.api_key);
        Ok(serde_json::from_slice(&self.api.call(method, path, &head, body)?)?)
    }

    pub(crate) fn new_stream(&mut self) -> Result<Stream> {
        let stream = self.call("POST", "/stream", "{}")?;
        let name = text(&stream["ingest"]["rtmp"], "streamname")?;
        let tc_url = format!("rtmp://{}/rec", self.rtmp);
        let destination = Destination { app: "rec".to_owned(), tc_url, name };
        Ok(Stream { id: text(&stream, "id")?, ingest: Ingest { address: self.rtmp, destination } })
    }

    /// Address, path and header lines of a stream's WebSocket.
    pub(crate) fn live_socket(&self, name: &str) -> (SocketAddr, String, String) {
        (self.http, format!("/live/{name}/ws"), format!("X-BINTU-APIKEY: {}\r\n", self.api_key))
    }

    /// The stream's newest recording, where it has one that can be watched and grows no more.
    pub(crate) fn recording(&mut self, stream: &Stream) -> Result<Option<Recording>> {
        let told = self.call("GET", &format!("/stream/{}?asset_limit=1", stream.id), "")?;
        let entries = told["playout"]["web"].as_array().context("no recordings in the answer")?;
        let Some(entry) = entries.iter().find(|entry| entry["type"] == "vod" && entry["state"] != "recording") else {
            return Ok(None);
        };
        let url = text(entry, "url")?;
        let (_, key) = url.split_once("/vod-eu/").context("a recording elsewhere")?;
        Ok(Some(Recording {
            id: text(entry, "id")?,
            state: text(entry, "state")?,
            size_bytes: entry["size_bytes"].as_u64().unwrap_or(0),
            path: self.storage().join(key),
        }))
    }

    /// Waits for the stream's recording, and says how long that took.
    pub(crate) fn wait_for_recording(&mut self, stream: &Stream, limit: Duration) -> Result<(Recording, Duration)> {
        let began = Instant::now();
        loop {
            if let Some(recording) = self.recording(stream)? {
                return Ok((recording, began.elapsed()));
            }
            if began.elapsed() > limit {
                bail!("no recording is ready after {} s", limit.as_secs());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Received and stored frames of a recording, by its report.
    pub(crate) fn accounted(&mut self, recording: &Recording) -> Result<(Count, Count)> {
        let told = self.call("GET", &format!("/asset/{}/report", recording.id), "")?;
        let tracks = told["report"]["tracks"].as_array().context("no report")?;
        let count = |field: &str| {
            let of = |kind: &str| {
                tracks.iter().find(|track| track["kind"] == kind).and_then(|track| track[field].as_u64()).unwrap_or(0)
            };
            Count { video: of("video"), audio: of("audio") }
        };
        Ok((count("received_frames"), count("stored_frames")))
    }

    /// The folder of the region whose recordings these are.
    pub(crate) fn storage(&self) -> PathBuf {
        self.folder.join("data/vod/eu")
    }
}

/// The server's program, so that it listens where it is told and has all that it writes in the folder.
pub(crate) fn command(settings: &Settings, folder: &Path, (http, rtmp): (SocketAddr, SocketAddr), arguments: &[&str]) -> Command {
    let mut command = Command::new(&settings.afterlive);
    command.args(arguments).current_dir(folder).env("AFTERLIVE__LOG__FILTER", "warn");
    command.env("AFTERLIVE__HTTP__LISTEN", http.to_string()).env("AFTERLIVE__RTMP__LISTEN", rtmp.to_string());
    // All of it comes from one address.
    command.env("AFTERLIVE__RTMP__MAX_CONNECTIONS", "10000").env("AFTERLIVE__HTTP__MAX_CONNECTIONS", "10000");
    command.env("AFTERLIVE__WEBRTC__LISTEN", "127.0.0.1:0");
    command
}

/// A connection to a server that has just been started.
pub(crate) fn when_it_serves(process: &mut Process, http: SocketAddr) -> Result<Connection> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match Connection::open(http) {
            Ok(api) => return Ok(api),
            Err(error) if process.has_ended() || Instant::now() > deadline => {
                return Err(error.context("the server does not serve"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn text(value: &Value, name: &str) -> Result<String> {
    Ok(value[name].as_str().with_context(|| format!("no {name} in {value}"))?.to_owned())
}

/// A folder of ours, with all that is in it.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// Nobody listens there now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
