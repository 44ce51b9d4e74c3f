//! Kills that are aimed: at a recording that is just being finished and given its name, and at one that is opened again since its encoder is back.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use afterlive_media::flv::FileTag;
use afterlive_media::mp4::{Scanned, scan};
use afterlive_server::finalise::Opened;
use serde_json::Value;

use super::{MOST_LOST_MS, Moments, an_endpoint, kills, report, told_of};
use crate::fixture::encoder::{complaints, ffprobe, flv_tags};
use crate::fixture::installation::{Ingest, Installation, Running};
use crate::fixture::publisher::Encoder;

/// From the first frame of an encoder that is back to a file that grows again, and some fragments.
const AFTER_THE_RETURN_US: std::ops::Range<u64> = 0..120_000;
/// How often is looked for what is aimed at.
const LOOK_EVERY: Duration = Duration::from_micros(200);
const STREAM_SECONDS: u32 = 4;

/// How far the file had come when the server was killed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stage {
    /// Still a growing file, in the spool or at its place.
    Grows,
    /// A plain MP4 that has not its name yet.
    Finished,
    Named,
}

/// When the server is killed.
#[derive(Clone, Copy, Debug)]
enum Aim {
    /// So many microseconds after the encoder's end.
    After(u64),
    /// As soon as the file is a plain MP4, and has not its name yet.
    WhenFinished,
    /// As soon as it has its name, and the row does not say so yet.
    WhenNamed,
}

/// Where a recording grows and where it will be.
struct Places {
    spooled: PathBuf,
    named: PathBuf,
}

impl Places {
    fn of(installation: &Installation, recorded: &Recorded) -> Self {
        let region = installation.files().join("eu");
        let hash = recorded.file_name.split('-').next().unwrap();
        let spooled = region.join(".spool").join(format!("{}.mp4", recorded.id));
        Self { spooled, named: region.join(hash).join(&recorded.file_name) }
    }

    /// Returns when it is time to kill the server, whose encoder has just gone.
    async fn take_aim(&self, aim: Aim) {
        match aim {
            Aim::After(us) => tokio::time::sleep(Duration::from_micros(us)).await,
            Aim::WhenFinished => {
                while self.spooled.exists() && !is_finished(&self.spooled) {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
            Aim::WhenNamed => {
                while !self.named.exists() {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }

    fn stage(&self) -> Stage {
        match (self.spooled.exists(), self.named.exists()) {
            (true, false) if is_finished(&self.spooled) => Stage::Finished,
            (false, true) if is_finished(&self.named) => Stage::Named,
            (true, false) | (false, true) => Stage::Grows,
            both => panic!("{both:?} in {}", self.named.display()),
        }
    }
}

/// Not so either where it has just been given its name.
fn is_finished(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(scan(&mut Opened(&file)), Ok(Scanned::Finalised)))
}

struct Recorded {
    stream: String,
    id: String,
    file_name: String,
    lasts_ms: i64,
}

/// Waits until that much, or almost, is said to be on disk, in the stream's only recording.
async fn on_disk(running: &Running, ingest: &Ingest, least_ms: i64, state: &str) -> Recorded {
    loop {
        if let [recording] = &running.all_recordings(&ingest.id).await[..]
            && recording["state"] == state
            && recording["duration_ms"].as_i64().unwrap() >= least_ms
        {
            let text = |name: &str| recording[name].as_str().unwrap().to_owned();
            let lasts_ms = recording["duration_ms"].as_i64().unwrap();
            return Recorded { stream: text("stream"), id: text("id"), file_name: text("file_name"), lasts_ms };
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn send(encoder: &mut Encoder, tags: &[FileTag]) {
    for tag in tags {
        encoder.send(tag).await.unwrap();
    }
}

/// Its length, where it is whole and decodes.
fn lasts_ms(installation: &Installation, recording: &Value, case: &str) -> i64 {
    assert_eq!((&recording["state"], &recording["reason"]), (&Value::from("ready"), &Value::Null), "{case}: {recording}");
    let path = installation.place(recording);
    assert!(is_finished(&path), "{case}: {recording}");
    assert_eq!(complaints(&path), "", "{case}: {recording}");
    let seconds: f64 = ffprobe(&path, "format=duration")[0].parse().unwrap();
    (seconds * 1_000.0) as i64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_a_recording_is_finished_or_given_its_name_leaves_it_whole_after_the_next_start() {
    let tags = flv_tags(STREAM_SECONDS, true, true);
    let sent_ms = tags.last().unwrap().timestamp_ms;
    let installation = Installation::new();
    let (mut moments, mut stages) = (Moments(11), Vec::new());
    let mut running = installation.start();
    let endpoint = an_endpoint(&running).await;
    // How long it takes here is found by one that is not killed.
    let (encoder, places, _) = almost_over(&installation, &running, &tags).await;
    let began = Instant::now();
    drop(encoder);
    places.take_aim(Aim::WhenNamed).await;
    let takes_us = u64::try_from(began.elapsed().as_micros()).unwrap();
    for kill in 0..kills() {
        let (encoder, places, before) = almost_over(&installation, &running, &tags).await;
        let aim = match kill % 3 {
            0 => Aim::After(moments.next_in(0..takes_us + takes_us / 4)),
            1 => Aim::WhenFinished,
            _ => Aim::WhenNamed,
        };
        // An encoder that is gone.
        drop(encoder);
        places.take_aim(aim).await;
        running.kill();

        let stage = places.stage();
        let case = format!("kill {kill}, {aim:?} of {takes_us} µs, {stage:?}");
        stages.push(stage);
        running = installation.start();
        let all = running.all_recordings(&before.stream).await;
        let [recording] = &all[..] else { panic!("{case}: {all:?}") };
        let stored_ms = lasts_ms(&installation, recording, &case);
        assert!(told_of(&running, &endpoint).await.contains(&before.id), "nobody hears of it: {case}");
        assert!(stored_ms >= before.lasts_ms && sent_ms - stored_ms <= MOST_LOST_MS, "{case}: {stored_ms} of {sent_ms} ms");
    }
    tell("the end", &stages);
    assert!(stages.len() < 3 || stages.iter().any(|stage| *stage != Stage::Grows), "none was hit: {stages:?}");
}

/// An encoder that has sent all that it will, most of which is on disk.
async fn almost_over(installation: &Installation, running: &Running, tags: &[FileTag]) -> (Encoder, Places, Recorded) {
    let ingest = running.new_stream().await;
    let mut encoder = Encoder::publish(&ingest).await.unwrap();
    send(&mut encoder, tags).await;
    let sent_ms = tags.last().unwrap().timestamp_ms;
    let recorded = on_disk(running, &ingest, sent_ms - MOST_LOST_MS, "recording").await;
    (encoder, Places::of(installation, &recorded), recorded)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_an_encoder_comes_back_costs_nothing_of_what_was_ready() {
    let tags: Arc<[FileTag]> = flv_tags(STREAM_SECONDS, true, true).into();
    let sent_ms = tags.last().unwrap().timestamp_ms;
    let installation = Installation::new();
    let (mut moments, mut stages) = (Moments(13), Vec::new());
    let mut running = installation.start();
    for kill in 0..kills() {
        let ingest = running.new_stream().await;
        let mut encoder = Encoder::publish(&ingest).await.unwrap();
        send(&mut encoder, &tags).await;
        encoder.unpublish().await;
        let before = on_disk(&running, &ingest, sent_ms - 100, "ready").await;
        let mut encoder = Encoder::publish_again(&ingest).await;
        let moment_us = moments.next_in(AFTER_THE_RETURN_US);
        let again = Arc::clone(&tags);
        let returning = tokio::spawn(async move {
            for tag in again.iter() {
                // The server is killed while it sends.
                if encoder.send(tag).await.is_err() {
                    break;
                }
            }
            // Stays, so that it is the kill that ends it.
            encoder
        });
        tokio::time::sleep(Duration::from_micros(moment_us)).await;
        running.kill();
        drop(returning.await.unwrap());

        let stage = Places::of(&installation, &before).stage();
        let case = format!("kill {kill}, {moment_us} µs after the return, {stage:?}");
        stages.push(stage);
        running = installation.start();
        let all = running.all_recordings(&ingest.id).await;
        let [recording] = &all[..] else { panic!("{case}: {all:?}") };
        assert_eq!(recording["id"], before.id.as_str(), "{case}");
        let stored_ms = lasts_ms(&installation, recording, &case);
        assert!((before.lasts_ms..=2 * sent_ms + 500).contains(&stored_ms), "{case}: {stored_ms} ms");
    }
    tell("a return", &stages);
}

/// Of the kills that came around it, how many found the file where.
fn tell(what: &str, stages: &[Stage]) {
    let found = |stage| stages.iter().filter(|other| **other == stage).count();
    let [grows, finished, named] = [Stage::Grows, Stage::Finished, Stage::Named].map(found);
    report(&format!(
        "{} kills around {what}: {grows} found the file growing, {finished} finished without its name, {named} finished at its place",
        stages.len()
    ));
}
