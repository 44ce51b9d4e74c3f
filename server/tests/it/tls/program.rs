//! The real binary with a certificate of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use futures::StreamExt as _;
use serde_json::Value;
use tokio::process::Command;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use url::Url;

use crate::fixture::certificate::{Answered, Pair, PairFiles, Secure};
use crate::fixture::encoder::{complaints, enhanced_ffmpeg, ffprobe, pattern};
use crate::fixture::installation::{Installation, Running};
use crate::fixture::program::{Serving, afterlive, run};
use crate::publish_keys::{MISSING, WRONG};

/// The server with these files, and how to reach it.
struct Scene {
    installation: Installation,
    running: Running,
    pair: Pair,
    address: SocketAddr,
    _files: PairFiles,
}

pub(super) fn address_of(url: &str) -> SocketAddr {
    let url: Url = url.parse().unwrap();
    (Ipv4Addr::LOCALHOST, url.port_or_known_default().unwrap()).into()
}

impl Scene {
    fn new() -> Self {
        let pair = Pair::new(&["localhost"]);
        let files = PairFiles::new(&pair);
        let installation = Installation::new();
        let settings = files.settings();
        let running = installation.start_with(&settings.each_ref().map(|(name, value)| (*name, value.as_str())));
        let address = address_of(&running.dashboard);
        Self { installation, running, pair, address, _files: files }
    }

    async fn connect(&self) -> Secure {
        Secure::connect(self.address, &self.pair.certificate).await.unwrap()
    }

    async fn call(&self, call: &str, body: &str) -> Answered {
        let key = format!("X-BINTU-APIKEY: {}", self.running.api_key());
        let answer = self.connect().await.send(call, &[&key, "Content-Type: application/json"], body).await;
        assert_eq!(answer.status, 200, "{}{}", answer.head, String::from_utf8_lossy(&answer.body));
        answer
    }
}

/// For as long as it takes; the test ends from outside where that is for ever.
async fn recording(scene: &Scene, stream: &str) -> Value {
    loop {
        let shown = scene.call(&format!("GET /stream/{stream}"), "").await.json();
        let web = shown["playout"]["web"].as_array().unwrap();
        if let Some(ready) = web.iter().find(|entry| entry["type"] == "vod" && entry["state"] == "ready") {
            return ready.clone();
        }
    }
}

/// FFmpeg, which looks at no certificate here.
fn encoder(options: &[&str], seconds: u32, url: &str) -> Command {
    let mut encoder = enhanced_ffmpeg();
    encoder.args(["-loglevel", "error"]).args(options).args(pattern(seconds));
    encoder.args(["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-c:a", "aac", "-tls_verify", "0", "-f", "flv", url]);
    encoder
}

#[tokio::test]
async fn what_is_published_by_rtmps_is_watched_and_recorded_and_read_by_https() {
    let scene = Scene::new();
    assert!(scene.running.dashboard.starts_with("https://localhost:"), "{}", scene.running.dashboard);
    let stream = scene.call("POST /stream", "{}").await.json();
    let (id, rtmps) = (stream["id"].as_str().unwrap(), &stream["ingest"]["rtmps"]);
    let (server, name) = (rtmps["url"].as_str().unwrap(), rtmps["streamname"].as_str().unwrap());
    assert!(server.starts_with("rtmps://localhost:") && server.ends_with("/rec"), "{server}");

    let mut encoder = encoder(&["-re"], 4, &format!("{server}/{name}")).spawn().unwrap();

    let watching = scene.connect().await;
    let mut request = format!("wss://localhost/live/{name}/ws").into_client_request().unwrap();
    request.headers_mut().insert("X-BINTU-APIKEY", scene.running.api_key().parse().unwrap());
    let (mut socket, _) = client_async(request, watching.0).await.unwrap();
    let mut fragments = 0;
    while fragments < 5 {
        if let Message::Binary(_) = socket.next().await.unwrap().unwrap() {
            fragments += 1;
        }
    }
    assert!(encoder.wait().await.unwrap().success());

    let recording = recording(&scene, id).await;
    let file = std::fs::read(scene.installation.place(&recording)).unwrap();
    let url: Url = recording["url"].as_str().unwrap().parse().unwrap();
    assert_eq!(url.origin().ascii_serialization(), scene.running.dashboard);
    let mut client = scene.connect().await;
    let get = format!("GET {}", url.path());
    assert!(client.send(&get, &[], "").await.body == file, "byte for byte");
    let part = client.send(&get, &["Range: bytes=1000-70000"], "").await;
    assert!(part.status == 206 && part.body == file[1_000..=70_000]);
    let place = scene.installation.place(&recording);
    assert_eq!(ffprobe(&place, "packet=codec_type").iter().filter(|kind| *kind == "video").count(), 100);
    assert_eq!(complaints(&place), "");
}

#[tokio::test]
async fn by_rtmps_too_who_lacks_the_publish_key_is_refused_and_who_has_it_is_recorded() {
    let scene = Scene::new();
    scene.call("PUT /organisation/publish_key", r#"{"required":true}"#).await;
    let stream = scene.call("POST /stream", "{}").await.json();
    let (id, rtmps) = (stream["id"].as_str().unwrap(), &stream["ingest"]["rtmps"]);
    let (server, named) = (rtmps["url"].as_str().unwrap(), rtmps["streamname"].as_str().unwrap());
    let (name, _) = named.split_once("?key=").expect("it is copied with its key");
    let wrong = format!("{name}?key=a");
    for (name, why_not) in [(name, Some(MISSING)), (&wrong, Some(WRONG)), (named, None)] {
        let done = encoder(&[], 1, &format!("{server}/{name}")).output().await.unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.success(), why_not.is_none(), "{said}");
        assert!(why_not.is_none_or(|why_not| said.contains(why_not)), "{said}");
    }
    let recording = recording(&scene, id).await;
    assert_eq!(complaints(&scene.installation.place(&recording)), "");
}

pub(super) fn log_has(log: &Path, words: &str) -> bool {
    std::fs::read_to_string(log).unwrap().contains(words)
}

#[tokio::test]
async fn another_pair_is_taken_while_connections_go_on_and_what_is_no_pair_is_told() {
    let (first, second) = (Pair::new(&["localhost"]), Pair::new(&["localhost"]));
    let (files, folder) = (PairFiles::new(&first), tempfile::tempdir().unwrap());
    let log = folder.path().join("log");
    let settings = files.settings();
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let serving = Serving::logging_to(&log, afterlive(folder.path(), &["serve"], &settings));
    let address = address_of(serving.printed_after("Dashboard"));
    let mut old = Secure::connect(address, &first.certificate).await.unwrap();

    // Without waiting for the next look.
    files.put(&second.chain_pem, &first.key_pem);
    serving.signal("HUP");
    while !log_has(&log, "are no pair") {
        tokio::task::yield_now().await;
    }
    assert!(log_has(&log, "is not that of the first certificate in"));
    assert_eq!(Secure::connect(address, &first.certificate).await.unwrap().shown(), first.certificate);

    files.put(&second.chain_pem, &second.key_pem);
    serving.signal("HUP");
    while !log_has(&log, "another certificate is served") {
        tokio::task::yield_now().await;
    }
    assert!(Secure::connect(address, &first.certificate).await.is_err());
    assert_eq!(Secure::connect(address, &second.certificate).await.unwrap().shown(), second.certificate);
    assert_eq!(old.send("GET /healthz", &[], "").await.status, 200);
    drop(old);
    serving.signal("TERM");
    assert!(serving.wait().success());
}

#[test]
fn a_start_without_a_pair_says_which_file_it_is_and_check_does_too() {
    let (pair, other) = (Pair::new(&["live.example.com"]), Pair::new(&["localhost"]));
    let (files, folder) = (PairFiles::new(&pair), tempfile::tempdir().unwrap());
    let settings = files.settings();
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let call = |command: &str| {
        let done = run(afterlive(folder.path(), &[command], &settings), "");
        let told = [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        (done.status.success(), told)
    };
    let (is_well, told) = call("check");
    assert!(is_well && told.contains("ok      certificate, valid until"), "{told}");
    assert!(told.contains("note    the certificate in") && told.contains("is not one for localhost"), "{told}");

    files.put(&pair.chain_pem, &other.key_pem);
    for command in ["check", "serve"] {
        let (is_well, told) = call(command);
        assert!(!is_well && told.contains("privkey.pem is not that of the first certificate in"), "{told}");
    }
    std::fs::remove_file(files.certificate()).unwrap();
    let (is_well, told) = call("serve");
    assert!(!is_well && told.contains("fullchain.pem, which tls.certificate names, cannot be read: No such file"), "{told}");
}
