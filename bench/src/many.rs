//! Many publishers for minutes: no frame may be lost, no recording late.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::sync::mpsc;

use crate::afterlive::{Afterlive, Stream, remove};
use crate::publisher::{CHUNK_BYTES, Publisher, runtime};
use crate::report::{Report, Row, Target};
use crate::settings::Settings;
use crate::source::{Count, Source};
use crate::step;

/// Publishers start one after the other within this, and so end.
const RAMP: Duration = Duration::from_secs(10);
/// A recording that is ready later than this after its encoder's end is late.
const LATE: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let source = Source::encode(settings.many_kbit, "640x360")?;
    let publishers = settings.many_publishers;
    step(&format!(
        "{publishers} publishers at {} kbit/s for {} s",
        source.bits_per_second() / 1_000,
        settings.many_time.as_secs()
    ));
    let mut afterlive = Afterlive::start(settings)?;
    let runtime = runtime()?;
    let (ended, mut ends) = mpsc::unbounded_channel::<Result<(Stream, Count, Instant)>>();
    for _ in 0..publishers {
        let stream = afterlive.new_stream()?;
        let (source, ended, length) = (source.clone(), ended.clone(), settings.many_time);
        runtime.spawn(async move {
            let publish = async {
                let mut publisher = Publisher::connect(&stream.ingest, CHUNK_BYTES).await?;
                let sent = publisher.send(&source, length, 1).await?;
                publisher.end().await?;
                Ok((stream, sent, Instant::now()))
            };
            let _ = ended.send(publish.await);
        });
        std::thread::sleep(RAMP / publishers.max(1) as u32);
    }
    drop(ended);

    let (mut waiting, mut ready): (Vec<(Stream, Count, Instant)>, Vec<_>) = (Vec::new(), Vec::new());
    let mut all_ended = false;
    while !(all_ended && waiting.is_empty()) {
        loop {
            match ends.try_recv() {
                Ok(end) => waiting.push(end.context("a publisher failed")?),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    all_ended = true;
                    break;
                }
            }
        }
        let mut still = Vec::new();
        for (stream, sent, ended) in waiting {
            match afterlive.recording(&stream)? {
                Some(recording) => ready.push((recording, sent, ended.elapsed())),
                None if ended.elapsed() > LIMIT => anyhow::bail!("the recording of {} is not ready after {LIMIT:?}", stream.id),
                None => still.push((stream, sent, ended)),
            }
        }
        waiting = still;
        std::thread::sleep(Duration::from_millis(5));
    }

    let (mut sent_frames, mut lost, mut unfinished) = (0, 0, 0);
    for (recording, sent, _) in &ready {
        let (received, stored) = afterlive.accounted(recording)?;
        sent_frames += sent.video + sent.audio;
        for count in [received, stored] {
            lost += sent.video.abs_diff(count.video) + sent.audio.abs_diff(count.audio);
        }
        unfinished += u32::from(recording.state != "ready");
    }
    let latest = ready.iter().map(|(_, _, latency)| *latency).max().unwrap_or_default();
    let late = ready.iter().filter(|(_, _, latency)| *latency > LATE).count();
    let name = format!("{publishers} publishers for {} s", settings.many_time.as_secs());
    let mut row = |what: &str, unit, ours, target| {
        report.add(Row { name: format!("{name}: {what}"), unit, ours, theirs: None, target });
    };
    row("frames sent", "frames", sent_frames as f64, None);
    row("frames that are not accounted for", "frames", lost as f64, Some(Target::AtMost(0.0)));
    row("recordings that are not whole", "recordings", f64::from(unfinished), Some(Target::AtMost(0.0)));
    row("recordings ready later than 1 s after the end", "recordings", late as f64, Some(Target::AtMost(0.0)));
    row("the latest was ready after", "ms", latest.as_secs_f64() * 1_000.0, None);
    drop(afterlive);
    remove(&settings.work.join("afterlive"))
}
