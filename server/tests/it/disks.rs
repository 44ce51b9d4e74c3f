//! Disks that fill up, fail and let everybody wait: the real server, with what the kernel really answers. Each time live goes on, what was good is kept and says
//! what became of it, whoever listens hears of it, and what follows is recorded as soon as it can be.

mod hanging;
mod news;
mod syncs;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use afterlive_media::flv::{FileTag, file_tags};
use afterlive_media::frame::TrackKind;
use bytes::Bytes;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::news::News;
use crate::fixture::disk::{Fault, SmallDisk, start_with_calls};
use crate::fixture::encoder::{boxes, complaints, ffprobe, flv_tags};
use crate::fixture::installation::{Ingest, Installation, Running};
use crate::fixture::publisher::Encoder;

/// How long an encoder's media are before they come again.
const LOOP_MS: i64 = 9_600;
/// Of these so much is sent at once: more than what a database writes meanwhile.
const AT_ONCE_MS: i64 = 4_000;
/// How often is asked what is not told.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Pictures with noise and a tone, of 8 Mbit/s: a disk is soon full of them.
fn noise() -> Arc<[FileTag]> {
    let input = "-f lavfi -i testsrc2=size=640x360:rate=25,noise=alls=60:allf=t -f lavfi -i sine=frequency=440:sample_rate=48000";
    let output = "-t 9.6 -c:v libx264 -preset ultrafast -g 25 -b:v 8M -minrate 8M -maxrate 8M -bufsize 8M -pix_fmt yuv420p";
    let mut command = std::process::Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin"]).args(input.split(' ')).args(output.split(' '));
    command.args(["-c:a", "aac", "-f", "flv", "-flvflags", "no_duration_filesize", "pipe:1"]);
    let done = command.output().expect("ffmpeg is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // 240 pictures and 450 frames of sound last exactly as long, so that it follows itself without a seam.
    let mut left = [240, 450];
    let all = file_tags(&Bytes::from(done.stdout));
    let wanted = all.filter(|tag| match tag.payload[1] {
        0 => true,
        1 if left[tag.kind as usize] > 0 => {
            left[tag.kind as usize] -= 1;
            true
        }
        _ => false,
    });
    let tags = wanted.collect();
    assert_eq!(left, [0, 0]);
    tags
}

/// An encoder that goes on until it is told to end.
struct OnAir {
    ends: CancellationToken,
    task: JoinHandle<()>,
}

impl OnAir {
    async fn begin(ingest: &Ingest, tags: Arc<[FileTag]>) -> Self {
        let mut encoder = Encoder::publish_again(ingest).await;
        let ends = CancellationToken::new();
        let ended = ends.clone();
        let task = tokio::spawn(async move {
            let began = Instant::now();
            for n in 0.. {
                for tag in tags.iter().filter(|tag| n == 0 || tag.payload[1] != 0) {
                    let timestamp_ms = tag.timestamp_ms + n * LOOP_MS;
                    let due = began + Duration::from_millis((timestamp_ms - AT_ONCE_MS).max(0).unsigned_abs());
                    if ended.run_until_cancelled(tokio::time::sleep_until(due)).await.is_none() {
                        return encoder.unpublish().await;
                    }
                    encoder.send(&FileTag { timestamp_ms, ..tag.clone() }).await.unwrap();
                }
            }
        });
        Self { ends, task }
    }

    async fn end(self) {
        self.ends.cancel();
        self.task.await.unwrap();
    }
}

async fn get(running: &Running, path: &str) -> (u16, Bytes) {
    let request = running.http.get(format!("{}{path}", running.dashboard)).header("X-BINTU-APIKEY", running.api_key());
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap())
}

/// The media that a viewer by HLS would play next: its name and its bytes. `None` where there are none yet.
async fn newest_part(running: &Running, ingest: &Ingest) -> Option<(String, Bytes)> {
    let folder = format!("/live/{}", ingest.destination.name);
    let (status, playlist) = get(running, &format!("{folder}/media.m3u8")).await;
    let playlist = String::from_utf8(playlist.to_vec()).unwrap();
    let newest = playlist.lines().rev().find(|line| line.starts_with("#EXT-X-PART:"))?;
    let part = newest.split("URI=\"").nth(1)?.split('"').next()?.to_owned();
    assert_eq!(status, 200, "{playlist}");
    let (status, media) = get(running, &format!("{folder}/{part}")).await;
    (status == 200).then_some((part, media))
}

/// Returns once a viewer sees what nobody has seen before.
async fn live_goes_on(running: &Running, ingest: &Ingest) {
    let mut seen: Option<String> = None;
    loop {
        if let Some((part, media)) = newest_part(running, ingest).await
            && *seen.get_or_insert_with(|| part.clone()) != part
        {
            assert!(media.windows(4).any(|bytes| bytes == b"mdat"), "{} bytes of {part}", media.len());
            return;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Waits for one of the stream's recordings, counted from 1, to be as it should.
async fn recording(running: &Running, ingest: &Ingest, index: u64, is_so: impl Fn(&Value) -> bool) -> Value {
    loop {
        let all = running.all_recordings(&ingest.id).await;
        if let Some(found) = all.into_iter().find(|recording| recording["index"] == index && is_so(recording)) {
            return found;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn lasts_ms(recording: &Value) -> u64 {
    recording["duration_ms"].as_u64().unwrap()
}

/// Waits until the server says of its state what it should.
async fn readiness(running: &Running, is_so: impl Fn(&[String]) -> bool) {
    while !is_so(&running.problems().await) {
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// It is a plain MP4, decodes to its end, and lasts as long as its row says.
fn assert_plays(file: &Path, recording: &Value) {
    assert_eq!(boxes(file).last().map(String::as_str), Some("mdat"), "{recording}");
    assert_eq!(complaints(file), "", "{recording}");
    let seconds: f64 = ffprobe(file, "format=duration")[0].parse().unwrap();
    assert!((seconds * 1_000.0 - lasts_ms(recording) as f64).abs() < 100.0, "{seconds} s: {recording}");
}

/// Where a finished recording lies in its region.
fn place(recording: &Value) -> String {
    recording["url"].as_str().unwrap().split("/vod-eu/").nth(1).unwrap().to_owned()
}

/// Each frame that came is accounted for: it is in the file, was left out since nothing shows it, or is lost with the fragment that could not be written. Returns
/// how many are lost of each track, pictures first.
async fn assert_accounted(running: &Running, recording: &Value) -> Vec<u64> {
    let account = format!("{}/asset/{}/report", running.dashboard, recording["id"].as_str().unwrap());
    let account = running.call(running.http.get(account)).await;
    let mut dropped = Vec::new();
    for track in account["report"]["tracks"].as_array().unwrap() {
        let count = |name: &str| track[name].as_u64().unwrap_or_else(|| panic!("{name} is not known: {account}"));
        assert_eq!(count("received_frames"), count("stored_frames") + count("left_out_frames") + count("dropped_frames"));
        dropped.push(count("dropped_frames"));
    }
    assert!(dropped.iter().sum::<u64>() > 0, "{account}");
    assert_eq!(account["report"]["checksum"], Value::Null);
    dropped
}

/// With nothing wrong any more: the next start records what comes, and all of it.
async fn another_start_records(installation: &Installation, tags: Arc<[FileTag]>) {
    let running = installation.start();
    let ingest = running.new_stream().await;
    let on_air = OnAir::begin(&ingest, tags).await;
    recording(&running, &ingest, 1, |recording| lasts_ms(recording) > 2_000).await;
    on_air.end().await;
    let ready = recording(&running, &ingest, 1, |recording| recording["state"] != "recording").await;
    assert_eq!((&ready["state"], &ready["reason"]), (&Value::from("ready"), &Value::Null), "{ready}");
    assert_plays(&installation.place(&ready), &ready);
}

/// On a disk that takes seconds for what it is asked an encoder sends two seconds of media, so many times slower than they last: it is told, live goes on, and
/// every frame is in the file. Returns what was told.
async fn waits_and_loses_no_frame(installation: &Installation, running: &Running, slower: u32) -> Vec<String> {
    let ingest = running.new_stream().await;
    let mut news = News::of(running, &ingest).await;
    // Few fragments, and the encoder is there for as long as the disk takes for the first ones.
    let tags = flv_tags(2, true, true);
    let sent = tags.clone();
    let publishing = async {
        let mut encoder = Encoder::publish(&ingest).await.unwrap();
        let began = Instant::now();
        for tag in &tags {
            tokio::time::sleep_until(began + slower * Duration::from_millis(tag.timestamp_ms.unsigned_abs())).await;
            encoder.send(tag).await.unwrap();
        }
        encoder.unpublish().await;
    };
    let watching = async {
        news.until("asset.stalled").await;
        readiness(running, |problems| problems.iter().any(|problem| problem == "a recording waits for its storage")).await;
        live_goes_on(running, &ingest).await;
    };
    tokio::join!(publishing, watching);
    let ready = recording(running, &ingest, 1, |recording| recording["state"] != "recording").await;
    assert_eq!((&ready["state"], &ready["reason"]), (&Value::from("ready"), &Value::Null), "{ready}");
    readiness(running, <[String]>::is_empty).await;
    let file = installation.place(&ready);
    assert_plays(&file, &ready);
    let frames = |kind| sent.iter().filter(|tag| tag.kind == kind && tag.payload[1] != 0).count().to_string();
    // ffmpeg ends the sequence of pictures with a tag of its own, which is no frame.
    let pictures = sent.iter().filter(|tag| tag.kind == TrackKind::Video && tag.payload[1] == 1).count().to_string();
    assert_eq!(ffprobe(&file, "stream=nb_frames"), [pictures, frames(TrackKind::Audio)]);
    news.heard()
}

async fn runs_out_of_room(fault: Fault) {
    let installation = Installation::new();
    let (running, disk) = SmallDisk::start(&installation, fault);
    let ingest = running.new_stream().await;
    let mut news = News::of(&running, &ingest).await;
    let tags = noise();
    let on_air = OnAir::begin(&ingest, tags).await;
    let grows = |recording: &Value| lasts_ms(recording) > AT_ONCE_MS.unsigned_abs();
    let before = recording(&running, &ingest, 1, grows).await;
    assert_eq!(running.problems().await, [""; 0]);
    let growing = disk.path(&format!(".spool/{}.mp4", before["id"].as_str().unwrap()));
    let on_disk = std::fs::metadata(&growing).unwrap().len();
    disk.fill(&growing);

    news.until("asset.failed").await;
    let first = recording(&running, &ingest, 1, |recording| recording["state"] != "recording").await;
    assert_eq!(first["state"], "incomplete", "{first}");
    let reason = first["reason"].as_str().unwrap();
    assert!(reason.starts_with("the disk failed") && reason.contains(fault.words()), "{reason}");
    live_goes_on(&running, &ingest).await;
    if matches!(fault, Fault::Full { .. }) {
        readiness(&running, |problems| problems.iter().any(|problem| problem.contains("the storage of region eu"))).await;
    }
    let file = disk.path(&place(&first));
    // Up to its last whole fragment, which the test has not seen: it came after what is told.
    assert!(lasts_ms(&first) >= lasts_ms(&before), "{before} {first}");
    assert!(std::fs::metadata(&file).unwrap().len() >= on_disk);
    assert_plays(&file, &first);
    assert_accounted(&running, &first).await;

    disk.empty();
    readiness(&running, <[String]>::is_empty).await;
    let next = loop {
        let last = running.all_recordings(&ingest.id).await.pop().unwrap();
        if last["state"] == "recording" && lasts_ms(&last) > 2_000 {
            break last["index"].as_u64().unwrap();
        }
        tokio::time::sleep(ASK_EVERY).await;
    };
    live_goes_on(&running, &ingest).await;
    on_air.end().await;
    let ready = recording(&running, &ingest, next, |recording| recording["state"] != "recording").await;
    assert_eq!((&ready["state"], &ready["reason"]), (&Value::from("ready"), &Value::Null), "{ready}");
    assert!(next > 1, "{ready}");
    assert_plays(&disk.path(&place(&ready)), &ready);
    assert!(lasts_ms(&ready) > 2_000, "{ready}");
    assert_eq!(running.problems().await, [""; 0]);
    let news = news.heard();
    let last_of = |kind: &str| news.iter().rposition(|heard| heard == kind);
    assert!(last_of("asset.failed") < last_of("asset.ready"), "{news:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_recording_at_its_last_good_byte_and_the_next_one_begins_when_there_is_room() {
    // Where nothing can be mounted the test of a write that is cut short stands for it.
    let fault = Fault::full().unwrap_or(Fault::CutShort);
    report(&format!("the disk runs out of room by {fault:?}"));
    runs_out_of_room(fault).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_cut_short_ends_the_recording_at_its_last_good_byte_and_the_next_one_begins_when_there_is_room() {
    runs_out_of_room(Fault::CutShort).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_ends_the_recording_and_whatever_it_takes_afterwards_is_recorded() {
    let installation = Installation::new();
    // A thread's first three writes go well: so the first recording has a head and a fragment at least, and none that begins later gets far.
    let running = start_with_calls(&installation, "error=EIO:when=4+");
    let ingest = running.new_stream().await;
    let mut news = News::of(&running, &ingest).await;
    let tags = noise();
    let on_air = OnAir::begin(&ingest, Arc::clone(&tags)).await;
    news.until("asset.failed").await;
    let first = recording(&running, &ingest, 1, |recording| recording["state"] != "recording").await;
    assert_eq!(first["state"], "incomplete", "{first}");
    assert!(first["reason"].as_str().unwrap().starts_with("the disk failed: Input/output error"), "{first}");
    assert!(lasts_ms(&first) >= 1_000, "{first}");
    assert_plays(&installation.place(&first), &first);
    assert_accounted(&running, &first).await;
    live_goes_on(&running, &ingest).await;
    // It is tried again, and fails until the disk is another one.
    let second = recording(&running, &ingest, 2, |recording| recording["state"] != "recording").await;
    assert!(second["reason"].as_str().unwrap().starts_with("the disk failed: Input/output error"), "{second}");
    readiness(&running, |problems| problems.iter().any(|problem| problem == "a publish is not recorded")).await;
    live_goes_on(&running, &ingest).await;
    on_air.end().await;
    running.serving.signal("TERM");
    assert!(running.serving.wait().success());
    another_start_records(&installation, tags).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_seconds_for_a_write_is_told_of_and_costs_no_frame() {
    let installation = Installation::new();
    let running = start_with_calls(&installation, "delay_enter=5500000");
    waits_and_loses_no_frame(&installation, &running, 6).await;
}

#[expect(clippy::print_stdout, reason = "by what a run was done, shown with --nocapture")]
fn report(text: &str) {
    println!("{text}");
}
