//! Picture and sound stay together: a stream with a flash and a beep at each full second, decoded, also after the encoder was cut off and came back.

use std::path::Path;
use std::process::{Command, Stdio};

use afterlive_media::flv::{FileTag, file_tags};
use bytes::Bytes;
use serde_json::Value;

use crate::fixture::encoder::ffprobe;
use crate::fixture::installation::{Ingest, Installation, Running};
use crate::fixture::publisher::Encoder;

const WIDTH: usize = 64;
const HEIGHT: usize = 36;
const FRAMES_A_SECOND: usize = 25;
const SAMPLE_RATE: u32 = 48_000;
/// How far a flash and its beep may be apart.
const MOST_APART_S: f64 = 0.010;

/// How long the stream is: `AFTERLIVE_TEST_STEP_SECONDS`.
fn stream_seconds() -> u32 {
    std::env::var("AFTERLIVE_TEST_STEP_SECONDS").map_or(20, |text| text.parse().unwrap())
}

/// Two white pictures and 80 ms of a tone at the beginning of each second: what ffmpeg makes them of.
pub fn sources() -> [String; 2] {
    let picture = format!(
        "color=black:size={WIDTH}x{HEIGHT}:rate={FRAMES_A_SECOND},drawbox=color=white:t=fill:enable='lt(mod(n,{FRAMES_A_SECOND}),2)'"
    );
    let sound = format!("aevalsrc='if(lt(mod(n,{SAMPLE_RATE}),{SAMPLE_RATE}*0.08),0.8*sin(2*PI*1000*t),0)':s={SAMPLE_RATE}");
    [picture, sound]
}

fn flashes_and_beeps(seconds: u32) -> Vec<FileTag> {
    let [picture, sound] = sources();
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound])
        .args([
            "-t",
            &seconds.to_string(),
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-g",
            "25",
            "-bf",
            "2",
            "-pix_fmt",
            "yuv420p",
        ])
        .args(["-c:a", "aac", "-b:a", "64k", "-f", "flv", "-flvflags", "no_duration_filesize", "pipe:1"])
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    file_tags(&Bytes::from(done.stdout)).collect()
}

/// One stream of a file, decoded.
fn decode(path: &Path, arguments: &[&str]) -> Vec<u8> {
    let done = Command::new("ffmpeg").args(["-v", "warning", "-nostdin", "-i"]).arg(path).args(arguments).arg("pipe:1").output();
    let done = done.expect("ffmpeg is installed");
    assert_eq!(String::from_utf8_lossy(&done.stderr), "", "{}", path.display());
    done.stdout
}

/// When each decoded frame of a stream is presented, and with sound how many samples it has.
fn frames(path: &Path, which: &str, entries: &str) -> Vec<(f64, usize)> {
    let done = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", which, "-show_entries", entries, "-of", "csv=print_section=0"])
        .arg(path)
        .output()
        .expect("ffprobe is installed");
    let lines = String::from_utf8_lossy(&done.stdout).into_owned();
    // Side data of a frame leave an empty line behind it.
    let numbers = lines.lines().filter(|line| !line.is_empty()).map(|line| {
        let mut parts = line.split(',').filter(|part| !part.is_empty());
        let time = parts.next().unwrap().parse().unwrap();
        (time, parts.next().map_or(1, |samples| samples.parse().unwrap()))
    });
    numbers.collect()
}

/// The times at which something begins that was not there before, in seconds.
fn onsets(levels: impl Iterator<Item = (f64, bool)>, quiet_s: f64) -> Vec<f64> {
    let (mut onsets, mut last_loud_s) = (Vec::new(), f64::NEG_INFINITY);
    for (time_s, loud) in levels {
        if loud {
            if time_s - last_loud_s > quiet_s {
                onsets.push(time_s);
            }
            last_loud_s = time_s;
        }
    }
    onsets
}

pub fn flashes(path: &Path) -> Vec<f64> {
    let luma = decode(path, &["-map", "v:0", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo"]);
    let times = frames(path, "v:0", "frame=pts_time");
    assert_eq!(luma.len(), times.len() * WIDTH * HEIGHT, "as many pictures as times");
    let bright = |picture: &[u8]| picture.iter().map(|luma| usize::from(*luma)).sum::<usize>() / picture.len() > 128;
    onsets(times.iter().zip(luma.chunks(WIDTH * HEIGHT)).map(|((time_s, _), picture)| (*time_s, bright(picture))), 0.5)
}

pub fn beeps(path: &Path) -> Vec<f64> {
    let pcm = decode(path, &["-map", "a:0", "-ac", "1", "-f", "s16le"]);
    let frames = frames(path, "a:0", "frame=pts_time,nb_samples");
    let samples: Vec<i16> = pcm.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect();
    assert_eq!(samples.len(), frames.iter().map(|(_, samples)| samples).sum::<usize>(), "as many samples as times");
    let times =
        frames.iter().flat_map(|(time_s, samples)| (0..*samples).map(move |n| time_s + n as f64 / f64::from(SAMPLE_RATE)));
    onsets(times.zip(samples).map(|(time_s, sample)| (time_s, sample.unsigned_abs() > 6_000)), 0.5)
}

/// Waits until so many seconds, or almost, can be watched, and gives the recordings that have them.
async fn stored(running: &Running, ingest: &Ingest, seconds: u32) -> Vec<Value> {
    loop {
        let recordings = running.recordings(&ingest.id).await;
        let stored_ms: u64 = recordings.iter().filter_map(|entry| entry["duration_ms"].as_u64()).sum();
        if stored_ms >= u64::from(seconds - 1) * 1_000 {
            return recordings;
        }
    }
}

#[tokio::test]
async fn flash_and_beep_are_together_at_every_second_also_after_the_encoder_came_back() {
    let seconds = stream_seconds();
    let tags = flashes_and_beeps(seconds);
    let installation = Installation::new();
    let running = installation.start();
    let ingest = running.new_stream().await;
    // Cut off in mid-stream, without a word; then the same once more, from zero on by the encoder's clock, into the same recording.
    let mut encoder = Encoder::publish(&ingest).await.unwrap();
    for tag in &tags {
        encoder.send(tag).await.unwrap();
    }
    drop(encoder);
    // It is ready at once, and opened again.
    stored(&running, &ingest, seconds).await;
    let mut encoder = Encoder::publish_again(&ingest).await;
    for tag in &tags {
        encoder.send(tag).await.unwrap();
    }
    encoder.unpublish().await;

    let recordings = stored(&running, &ingest, 2 * seconds).await;
    let [recording] = &recordings[..] else { panic!("one recording: {recordings:?}") };
    assert_eq!(recording["state"], "ready");
    let path = installation.place(recording);
    let ends: Vec<f64> = ffprobe(&path, "stream=duration").iter().map(|text| text.parse().unwrap()).collect();
    assert!((ends[0] - ends[1]).abs() < 0.2, "picture and sound end together: {ends:?}");
    let (flashes, beeps) = (flashes(&path), beeps(&path));
    assert_eq!(
        (flashes.len(), beeps.len()),
        (2 * seconds as usize, 2 * seconds as usize),
        "one each second: {flashes:?} {beeps:?}"
    );
    let mut most_apart_s = 0_f64;
    for (flash_s, beep_s) in flashes.iter().zip(&beeps) {
        assert!((flash_s - beep_s).abs() < MOST_APART_S, "a flash at {flash_s} s, its beep at {beep_s} s");
        most_apart_s = most_apart_s.max((flash_s - beep_s).abs());
    }
    report(&format!("{} flashes, at most {:.1} ms from their beeps", flashes.len(), most_apart_s * 1_000.0));
}

#[expect(clippy::print_stdout, reason = "the figures of a run by hand, shown with --nocapture")]
pub fn report(text: &str) {
    println!("{text}");
}
