//! What a live viewer costs, and how old the pictures are that he sees: many viewers of one stream, and many streams of one viewer. By WebSocket and by
//! RTMP play, against RTMP play of nginx-rtmp.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinHandle;

use crate::afterlive::{Afterlive, remove};
use crate::nginx::Nginx;
use crate::process::{Process, Whose};
use crate::publisher::{CHUNK_BYTES, Ingest, Publisher, runtime};
use crate::report::{Report, Row};
use crate::settings::Settings;
use crate::source::Source;
use crate::step;
use crate::viewer::{Ages, watch_rtmp, watch_socket};

/// From the last viewer's start until counting begins.
const SETTLE: Duration = Duration::from_secs(4);
/// After it ends, before the publishers do.
const MARGIN: Duration = Duration::from_secs(3);
/// Publishers, and then viewers, start one after the other within this.
const RAMP: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Socket,
    Rtmp,
}

/// Of a viewer.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Per cent of a core, of the server in all, publishers included.
    cpu: f64,
    age_ms: f64,
    oldest_ms: f64,
}

/// Where a stream is published and watched.
struct Place {
    ingest: Ingest,
    /// Address, path and header lines of the WebSocket, where there is one.
    socket: Option<(SocketAddr, String, String)>,
    app: &'static str,
}

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let source = Source::encode(settings.live_kbit, "1280x720")?;
    for (streams, viewers) in [(1, settings.live_viewers), (settings.live_streams, 1)] {
        step(&format!("{streams} streams of {} kbit/s, {viewers} viewers of each", source.bits_per_second() / 1_000));
        let nginx = Nginx::playing(settings)?;
        let places = (0..streams).map(|n| Place { ingest: nginx.ingest(&format!("stream{n}")), socket: None, app: "rec" });
        let theirs = measure(settings, (&nginx.process, Whose::Family), &source, places.collect(), viewers, Way::Rtmp)?;
        drop(nginx);
        remove(&settings.work.join("nginx"))?;
        for (way, name) in [(Way::Socket, "WebSocket"), (Way::Rtmp, "RTMP play")] {
            let mut afterlive = Afterlive::start(settings)?;
            let mut places = Vec::new();
            for _ in 0..streams {
                let ingest = afterlive.new_stream()?.ingest.without_recording();
                let socket = Some(afterlive.live_socket(&ingest.destination.name));
                places.push(Place { ingest, socket, app: "play" });
            }
            let ours = measure(settings, (&afterlive.process, Whose::Own), &source, places, viewers, way)?;
            drop(afterlive);
            remove(&settings.work.join("afterlive"))?;
            let name = |what: &str| format!("{streams} streams, {viewers} viewers of each, by {name}: {what}");
            for (what, unit, of) in [
                ("CPU a viewer", "% of a core", (|cost| cost.cpu) as fn(&Cost) -> f64),
                ("age of a picture, median", "ms", |cost| cost.age_ms),
                ("age of a picture, 99th percentile", "ms", |cost| cost.oldest_ms),
            ] {
                report.add(Row { name: name(what), unit, ours: of(&ours), theirs: Some(of(&theirs)), target: None });
            }
        }
    }
    Ok(())
}

fn measure(
    settings: &Settings,
    (process, whose): (&Process, Whose),
    source: &Source,
    places: Vec<Place>,
    viewers: usize,
    way: Way,
) -> Result<Cost> {
    let runtime = runtime()?;
    let (ages, all) = (Ages::default(), places.len() * viewers);
    let length = RAMP * 2 + SETTLE + settings.live_time + MARGIN;
    let mut publishers = Vec::new();
    for (at, place) in places.iter().enumerate() {
        let (source, ingest) = (source.clone(), place.ingest.clone());
        let ages = (at == 0).then(|| ages.clone());
        publishers.push(runtime.spawn(async move {
            let mut publisher = Publisher::connect(&ingest, CHUNK_BYTES).await?;
            let note = |tag: &_| ages.iter().for_each(|ages| ages.sent(tag));
            publisher.send_noting(&source, length, 1, note).await?;
            publisher.end().await
        }));
        std::thread::sleep(RAMP / places.len().max(1) as u32);
    }
    let mut watching: Vec<JoinHandle<Result<()>>> = Vec::new();
    for (at, place) in places.into_iter().enumerate() {
        for viewer in 0..viewers {
            // The last of the first stream's: who comes late is served late, if anybody is.
            let ages = (at == 0 && viewer + 1 == viewers).then(|| ages.clone());
            let Place { ingest, socket, app } =
                Place { ingest: place.ingest.clone(), socket: place.socket.clone(), app: place.app };
            watching.push(runtime.spawn(async move {
                match (way, socket) {
                    (Way::Socket, Some((address, path, head))) => watch_socket(address, viewer, &path, &head, ages).await,
                    _ => watch_rtmp(ingest.address, viewer, app, &ingest.destination.name, ages).await,
                }
            }));
            std::thread::sleep(RAMP / all.max(1) as u32);
        }
    }
    std::thread::sleep(SETTLE);
    ages.restart();
    let (began, before) = (Instant::now(), process.cpu_time(whose)?);
    std::thread::sleep(settings.live_time);
    let (cpu, passed) = (process.cpu_time(whose)? - before, began.elapsed());
    let (age_ms, oldest_ms) = ages.percentiles_ms()?;
    for viewer in watching {
        ensure!(!viewer.is_finished(), "a viewer has lost its stream");
        viewer.abort();
    }
    for publisher in publishers {
        runtime.block_on(publisher)?.context("a publisher failed")?;
    }
    Ok(Cost { cpu: 100.0 * cpu.as_secs_f64() / passed.as_secs_f64() / all as f64, age_ms, oldest_ms })
}
