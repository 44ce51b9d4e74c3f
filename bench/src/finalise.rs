//! From the encoder's end to a finished MP4, over the length of the recording, against FFmpeg's `-c copy -movflags +faststart` of the same file.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::afterlive::{Afterlive, remove};
use crate::plot::{Point, plot};
use crate::publisher::{CHUNK_BYTES, Publisher, runtime};
use crate::report::{Report, Row, Target};
use crate::settings::Settings;
use crate::source::Source;
use crate::step;

/// What is pushed faster than real time may still be on its way when the push is over; an encoder's last frame is not.
const ARRIVAL: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(600);

struct Measured {
    seconds: u64,
    size_bytes: u64,
    ours: Duration,
    ffmpeg: Duration,
}

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let source = Source::encode(settings.finalise_kbit, "640x360")?;
    let mut afterlive = Afterlive::start(settings)?;
    let runtime = runtime()?;
    let mut all = Vec::new();
    for &seconds in &settings.finalise_seconds {
        step(&format!("a recording of {}, pushed {} times faster than it happens", length(seconds), settings.finalise_speed));
        let stream = afterlive.new_stream()?;
        let publisher = runtime.block_on(async {
            let mut publisher = Publisher::connect(&stream.ingest, CHUNK_BYTES).await?;
            publisher.send(&source, Duration::from_secs(seconds), settings.finalise_speed).await?;
            tokio::time::sleep(ARRIVAL).await;
            Ok::<_, anyhow::Error>(publisher)
        })?;
        let ending = runtime.spawn(publisher.end());
        let (recording, ours) = afterlive.wait_for_recording(&stream, LIMIT)?;
        runtime.block_on(ending)??;
        ensure!(
            recording.state == "ready",
            "the recording is {}: this machine is too slow for BENCH_FINALISE_SPEED",
            recording.state
        );
        let ffmpeg = faststart(&recording.path, &settings.work.join("faststart.mp4"))?;
        report.add(Row {
            name: format!("finalising {}", length(seconds)),
            unit: "ms",
            ours: ours.as_secs_f64() * 1_000.0,
            theirs: None,
            target: Some(Target::AtMost(250.0)),
        });
        report.add(Row {
            name: format!("finalising {}, against ffmpeg's faststart", length(seconds)),
            unit: "ms",
            ours: ours.as_secs_f64() * 1_000.0,
            theirs: Some(ffmpeg.as_secs_f64() * 1_000.0),
            target: None,
        });
        all.push(Measured { seconds, size_bytes: recording.size_bytes, ours, ffmpeg });
        std::fs::remove_file(&recording.path)?;
    }
    drop(afterlive);
    remove(&settings.work.join("afterlive"))?;
    let what = format!(
        "H.264 with B-frames at 25 pictures a second and a keyframe each 1.92 s, and AAC, {} kbit/s together, on {}",
        source.bits_per_second() / 1_000,
        file_system(&settings.work)?
    );
    write_documents(&settings.documents, &what, &all)
}

/// By what name the kernel knows it.
fn file_system(folder: &Path) -> Result<String> {
    let told = Command::new("df").arg("--output=fstype").arg(folder).stdin(Stdio::null()).output().context("there is no df")?;
    ensure!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    Ok(String::from_utf8_lossy(&told.stdout).lines().last().unwrap_or("an unknown file system").trim().to_owned())
}

fn faststart(from: &Path, to: &Path) -> Result<Duration> {
    let began = Instant::now();
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y", "-i"]).arg(from).args(["-c", "copy", "-movflags", "+faststart"]).arg(to);
    let status = command.stdin(Stdio::null()).status().context("ffmpeg cannot be started")?;
    let passed = began.elapsed();
    ensure!(status.success(), "ffmpeg cannot copy {}", from.display());
    std::fs::remove_file(to)?;
    Ok(passed)
}

fn length(seconds: u64) -> String {
    match seconds {
        3_600.. => format!("{} h", seconds as f64 / 3_600.0),
        60.. => format!("{} min", seconds as f64 / 60.0),
        _ => format!("{seconds} s"),
    }
}

/// A table and a picture.
fn write_documents(folder: &Path, what: &str, all: &[Measured]) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut table = format!(
        "# Finalising, over the length of the recording\n\nWritten by `make bench`. From the encoder's end to a recording that can be watched, polls of the API included, \
         against `ffmpeg -c copy -movflags +faststart` of the same file, both with the file in the page cache. What is recorded is {what}. \
         No media are moved: what grows with the length is the index, which is written once.\n\n\
         | recording | size | Afterlive | ffmpeg | ratio |\n|---|---|---|---|---|\n",
    );
    for Measured { seconds, size_bytes, ours, ffmpeg } in all {
        let (ours_ms, ffmpeg_ms) = (ours.as_secs_f64() * 1_000.0, ffmpeg.as_secs_f64() * 1_000.0);
        let size_mb = *size_bytes as f64 / 1e6;
        let length = length(*seconds);
        writeln!(table, "| {length} | {size_mb:.0} MB | {ours_ms:.0} ms | {ffmpeg_ms:.0} ms | {:.3} |", ours_ms / ffmpeg_ms)?;
    }
    table.push_str("\n![Time over length: ours grows with the index, ffmpeg's with the file](finalise.svg)\n");
    std::fs::write(folder.join("finalise.md"), table)?;
    let points = |of: fn(&Measured) -> Duration| {
        all.iter().map(|measured| Point { x: measured.seconds as f64, y: of(measured).as_secs_f64() }).collect::<Vec<_>>()
    };
    let svg = plot(&[("Afterlive", points(|measured| measured.ours)), ("ffmpeg +faststart", points(|measured| measured.ffmpeg))]);
    std::fs::write(folder.join("finalise.svg"), svg)?;
    Ok(())
}
