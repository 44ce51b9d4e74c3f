//! `kill -9` at any moment: after the next start every recording plays, and lacks its last fragment at most.

mod aimed;
mod held_up;

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use afterlive_media::flv::FileTag;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::fixture::encoder::{complaints, ffprobe, flv_tags};
use crate::fixture::installation::{Ingest, Installation, Running};
use crate::fixture::publisher::Encoder;

/// At a time.
const ENCODERS: usize = 3;
/// How much of what was sent may be missing, where the machine holds nothing up.
const MOST_LOST_MS: i64 = 1_500;
/// How often it is tried how long the machine takes for a write.
const TRY_EVERY: Duration = Duration::from_millis(100);
/// When the server is killed, by the time of what the first encoder has sent.
const MOMENTS_MS: std::ops::Range<u64> = 0..4_500;
const STREAM_SECONDS: u32 = 6;

/// How many kills: `AFTERLIVE_TEST_KILLS`.
fn kills() -> u32 {
    std::env::var("AFTERLIVE_TEST_KILLS").map_or(6, |text| text.parse().unwrap())
}

/// The same moments in each run: a linear congruential generator's.
struct Moments(u64);

impl Moments {
    fn next_in(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        range.start + (self.0 >> 33) % (range.end - range.start)
    }
}

/// An encoder that sends each tag when it is due.
struct Publish {
    /// Time of the last tag that has been sent.
    sent_ms: watch::Receiver<i64>,
    /// The most by which this machine has let a tag be late: what it holds up here it holds up there.
    late_ms: Arc<AtomicI64>,
    task: JoinHandle<()>,
}

impl Publish {
    async fn start(ingest: &Ingest, tags: Arc<[FileTag]>) -> Self {
        let mut encoder = Encoder::publish(ingest).await.unwrap();
        let (sending, sent_ms) = watch::channel(0);
        let late_ms = Arc::new(AtomicI64::new(0));
        let late = Arc::clone(&late_ms);
        let task = tokio::spawn(async move {
            let began = Instant::now();
            for tag in tags.iter() {
                let due = began + Duration::from_millis(tag.timestamp_ms.unsigned_abs());
                tokio::time::sleep_until(due).await;
                // The server is killed while it sends.
                if encoder.send(tag).await.is_err() {
                    return;
                }
                late.fetch_max(due.elapsed().as_millis() as i64, Ordering::Relaxed);
                let _ = sending.send(tag.timestamp_ms);
            }
        });
        Self { sent_ms, late_ms, task }
    }
}

impl Drop for Publish {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// By how much the machine holds up who writes: found by doing so beside the server. How far the server says to be behind would
/// not do, for that would forgive a recorder that is slow by itself.
struct Machine {
    /// When the write that goes on, or comes next, was due, and the most by which one before it was late.
    due: Arc<Mutex<Instant>>,
    late_ms: Arc<AtomicI64>,
    task: JoinHandle<()>,
}

impl Machine {
    /// Writes to a file of its own on the disk of the recordings, and has it synced, as often as [`TRY_EVERY`] says.
    fn watch(installation: &Installation) -> Self {
        let file = Arc::new(installation.scratch_file());
        let due = Arc::new(Mutex::new(Instant::now() + TRY_EVERY));
        let late_ms = Arc::new(AtomicI64::new(0));
        let (next, most_ms) = (Arc::clone(&due), Arc::clone(&late_ms));
        let task = tokio::spawn(async move {
            loop {
                let due = *next.lock().unwrap();
                tokio::time::sleep_until(due).await;
                let file = Arc::clone(&file);
                tokio::task::spawn_blocking(move || write(&file)).await.unwrap().unwrap();
                most_ms.fetch_max(due.elapsed().as_millis() as i64, Ordering::Relaxed);
                *next.lock().unwrap() = Instant::now() + TRY_EVERY;
            }
        });
        Self { due, late_ms, task }
    }

    /// The most so far, also of what is not done yet.
    fn late_ms(&self) -> i64 {
        let now_ms = self.due.lock().unwrap().elapsed().as_millis() as i64;
        now_ms.max(self.late_ms.load(Ordering::Relaxed))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn write(mut file: &File) -> io::Result<()> {
    file.write_all(&[0; 4_096])?;
    file.sync_data()
}

/// How much of the stream's recording the server says to have on disk.
async fn told_on_disk_ms(running: &Running, stream: &str) -> i64 {
    let listed = running.call(running.http.get(format!("{}/asset?stream={stream}", running.dashboard))).await;
    listed.as_array().unwrap().iter().map(|asset| asset["duration_ms"].as_i64().unwrap()).sum()
}

/// An endpoint that is to hear of each recording that is ready. Nobody answers there: what is to be told stays in its log, whatever was being sent at a kill.
async fn an_endpoint(running: &Running) -> String {
    let wanted = json!({ "url": "http://no-such-host.invalid/", "kinds": ["asset.ready"] });
    let made = running.call(running.http.post(format!("{}/organisation/endpoint", running.dashboard)).json(&wanted)).await;
    made["id"].as_str().unwrap().to_owned()
}

/// The recordings of which it is to be told, or was, among the last hundred.
async fn told_of(running: &Running, endpoint: &str) -> Vec<String> {
    let log = format!("{}/organisation/endpoint/{endpoint}/delivery?quantity=100", running.dashboard);
    let log = running.call(running.http.get(log)).await;
    let ready = log.as_array().unwrap().iter().filter(|told| told["type"] == "asset.ready");
    ready.map(|told| told["asset"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_each_of_many_kills_every_recording_plays_and_lacks_its_last_fragment_at_most() {
    let tags: Arc<[FileTag]> = flv_tags(STREAM_SECONDS, true, true).into();
    let installation = Installation::new();
    let mut moments = Moments(7);
    let mut running = installation.start();
    let endpoint = an_endpoint(&running).await;
    let (mut recordings, mut most_missing_ms, mut most_lost_ms) = (0, 0, 0);
    for kill in 0..kills() {
        let machine = Machine::watch(&installation);
        let mut publishes = Vec::new();
        for _ in 0..ENCODERS {
            let ingest = running.new_stream().await;
            let publish = Publish::start(&ingest, Arc::clone(&tags)).await;
            publishes.push((ingest, publish));
        }
        let moment_ms = moments.next_in(MOMENTS_MS) as i64;
        publishes[0].1.sent_ms.wait_for(|sent_ms| *sent_ms >= moment_ms).await.unwrap();
        let mut told = Vec::new();
        for (ingest, _) in &publishes {
            told.push(told_on_disk_ms(&running, &ingest.id).await);
        }
        let sent: Vec<i64> = publishes.iter().map(|(_, publish)| *publish.sent_ms.borrow()).collect();
        let machine_late_ms = machine.late_ms();
        running.kill();

        running = installation.start();
        for (((ingest, publish), sent_ms), told_ms) in publishes.iter().zip(sent).zip(told) {
            let late_ms = publish.late_ms.load(Ordering::Relaxed).max(machine_late_ms);
            let case = format!("kill {kill} at {moment_ms} ms, {sent_ms} ms sent, {told_ms} ms told, {late_ms} ms late");
            let found = running.recordings(&ingest.id).await;
            let stored_ms = match &found[..] {
                [] => {
                    assert_eq!(told_ms, 0, "{case}");
                    0
                }
                [recording] => {
                    assert_eq!(recording["state"], "ready", "{case}");
                    let told_of = told_of(&running, &endpoint).await;
                    assert!(told_of.iter().any(|id| recording["id"] == id.as_str()), "nobody hears of it: {case}: {recording}");
                    let path = installation.place(recording);
                    assert_eq!(complaints(&path), "", "{case}");
                    assert!(recording["duration_ms"].as_i64().unwrap() >= told_ms, "what was on disk is: {case}: {recording}");
                    let seconds: f64 = ffprobe(&path, "format=duration")[0].parse().unwrap();
                    recordings += 1;
                    (seconds * 1_000.0) as i64
                }
                more => panic!("{case}: {more:?}"),
            };
            let missing_ms = sent_ms - stored_ms;
            let lost_ms = missing_ms - late_ms;
            assert!(lost_ms <= MOST_LOST_MS, "{case}, {stored_ms} ms stored");
            most_missing_ms = most_missing_ms.max(missing_ms);
            most_lost_ms = most_lost_ms.max(lost_ms);
        }
    }
    report(&format!(
        "{} kills, {recordings} recordings, at most {most_missing_ms} ms missing, {most_lost_ms} ms net of the machine's lateness",
        kills()
    ));
    assert!(recordings > 0);
}

#[expect(clippy::print_stdout, reason = "the figures of a run by hand, shown with --nocapture")]
fn report(text: &str) {
    println!("{text}");
}
