//! What a recorded stream costs, in CPU time and memory, against nginx-rtmp, which writes FLV and syncs nothing. By turns, in one run.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::afterlive::{Afterlive, remove};
use crate::nginx::Nginx;
use crate::process::{Process, Whose};
use crate::publisher::{CHUNK_BYTES, Ingest, Publisher, SMALL_CHUNK_BYTES, runtime};
use crate::report::{Report, Row, Target};
use crate::settings::Settings;
use crate::source::Source;
use crate::step;

/// From the last publisher's start until counting begins.
const SETTLE: Duration = Duration::from_secs(3);
/// After it ends, before the publishers do.
const MARGIN: Duration = Duration::from_secs(2);
/// Publishers start one after the other within this, so that their keyframes do not fall together.
const RAMP: Duration = Duration::from_secs(2);

/// Of a stream.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Per cent of a core.
    cpu: f64,
    resident_mb: f64,
    /// With the pictures of live streams, which a process of their own makes each ten seconds.
    cpu_with_pictures: f64,
}

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let source = Source::encode(settings.load_kbit, "1280x720")?;
    step(&format!("{} publishers at {} kbit/s", settings.load_publishers, source.bits_per_second() / 1_000));
    for (sender, chunk_bytes) in [("OBS", CHUNK_BYTES), ("FFmpeg", SMALL_CHUNK_BYTES)] {
        let (ours, theirs) = compare(settings, &source, chunk_bytes)?;
        let mean = |costs: &[Cost], of: fn(&Cost) -> f64| costs.iter().map(of).sum::<f64>() / costs.len().max(1) as f64;
        let name = |what: &str| format!("{what} a recorded stream, sent in {sender}'s chunks");
        report.add(Row {
            name: name("CPU"),
            unit: "% of a core",
            ours: mean(&ours, |cost| cost.cpu),
            theirs: Some(mean(&theirs, |cost| cost.cpu)),
            target: Some(Target::AtMost(0.9)),
        });
        report.add(Row {
            name: name("with a live picture each 10 s: CPU"),
            unit: "% of a core",
            ours: mean(&ours, |cost| cost.cpu_with_pictures),
            theirs: None,
            target: None,
        });
        report.add(Row {
            name: name("resident memory"),
            unit: "MB",
            ours: mean(&ours, |cost| cost.resident_mb),
            theirs: None,
            target: Some(Target::AtMost(1.5)),
        });
        report.add(Row {
            name: name("nginx-rtmp: resident memory"),
            unit: "MB",
            ours: mean(&theirs, |cost| cost.resident_mb),
            theirs: None,
            target: None,
        });
    }
    Ok(())
}

/// By turns, ours and theirs.
fn compare(settings: &Settings, source: &Source, chunk_bytes: u32) -> Result<(Vec<Cost>, Vec<Cost>)> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=settings.load_rounds {
        let nginx = Nginx::recording(settings)?;
        let ingests: Vec<Ingest> = (0..settings.load_publishers).map(|n| nginx.ingest(&format!("stream{n}"))).collect();
        theirs.push(measure(settings, (&nginx.process, Whose::Family), source, ingests, chunk_bytes)?);
        drop(nginx);
        remove(&settings.work.join("nginx"))?;

        let mut afterlive = Afterlive::start(settings)?;
        let mut ingests = Vec::new();
        for _ in 0..settings.load_publishers {
            ingests.push(afterlive.new_stream()?.ingest);
        }
        ours.push(measure(settings, (&afterlive.process, Whose::Own), source, ingests, chunk_bytes)?);
        drop(afterlive);
        remove(&settings.work.join("afterlive"))?;
        let last = |costs: &[Cost]| costs.last().map_or(0.0, |cost| cost.cpu);
        step(&format!(
            "round {round}, chunks of {chunk_bytes}: {:.3} % of a core a stream, nginx-rtmp {:.3} %",
            last(&ours),
            last(&theirs)
        ));
    }
    Ok((ours, theirs))
}

fn measure(
    settings: &Settings,
    (process, whose): (&Process, Whose),
    source: &Source,
    ingests: Vec<Ingest>,
    chunk_bytes: u32,
) -> Result<Cost> {
    let streams = ingests.len() as f64;
    let idle_bytes = process.resident_bytes(whose)?;
    let runtime = runtime()?;
    let length = RAMP + SETTLE + settings.load_time + MARGIN;
    let pause = RAMP / ingests.len().max(1) as u32;
    let mut publishers = Vec::new();
    for ingest in ingests {
        let source = source.clone();
        publishers.push(runtime.spawn(async move {
            let mut publisher = Publisher::connect(&ingest, chunk_bytes).await?;
            publisher.send(&source, length, 1).await?;
            publisher.end().await
        }));
        std::thread::sleep(pause);
    }
    std::thread::sleep(SETTLE);
    let (began, before, all_before) = (Instant::now(), process.cpu_time(whose)?, process.cpu_time(Whose::Family)?);
    std::thread::sleep(settings.load_time);
    let (cpu, passed) = (process.cpu_time(whose)? - before, began.elapsed());
    // A process for pictures that has ended meanwhile takes its count with it.
    let all_cpu = process.cpu_time(Whose::Family)?.saturating_sub(all_before).max(cpu);
    let resident_bytes = process.resident_bytes(whose)?;
    for publisher in &publishers {
        ensure!(!publisher.is_finished(), "a publisher ended early");
    }
    for publisher in publishers {
        runtime.block_on(publisher)?.context("a publisher failed")?;
    }
    Ok(Cost {
        cpu: 100.0 * cpu.as_secs_f64() / passed.as_secs_f64() / streams,
        cpu_with_pictures: 100.0 * all_cpu.as_secs_f64() / passed.as_secs_f64() / streams,
        resident_mb: resident_bytes.saturating_sub(idle_bytes) as f64 / streams / f64::from(1 << 20),
    })
}
