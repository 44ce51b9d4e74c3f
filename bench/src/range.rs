//! Serving a finished recording against nginx's sendfile: by ranges of 64 KiB, as players ask for them, and as a whole.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::afterlive::{Afterlive, remove};
use crate::http::Connection;
use crate::nginx::Nginx;
use crate::process::{Process, Whose};
use crate::report::{Report, Row, Target};
use crate::settings::Settings;
use crate::step;

const RANGE_BYTES: u64 = 64 << 10;

/// What was fetched in the time, and what it cost the server.
#[derive(Clone, Copy, Default)]
struct Served {
    bytes: u64,
    wall: Duration,
    cpu: Duration,
}

impl Served {
    fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.wall += other.wall;
        self.cpu += other.cpu;
    }

    fn mb_a_second(self) -> f64 {
        self.bytes as f64 / 1e6 / self.wall.as_secs_f64()
    }

    fn cpu_ms_a_gb(self) -> f64 {
        self.cpu.as_secs_f64() * 1_000.0 / (self.bytes as f64 / 1e9)
    }
}

#[derive(Clone, Copy)]
enum How {
    Ranges,
    Whole,
}

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let mut afterlive = Afterlive::start(settings)?;
    // A name of a recording; that nobody has recorded it is nothing to who serves files.
    let name = afterlive.new_stream()?.ingest.destination.name;
    let (organisation, _) = name.split_once('-').ok_or_else(|| anyhow!("a stream named {name}"))?;
    let key = format!("{organisation}/{name}.mp4");
    let path = afterlive.storage().join(&key);
    std::fs::create_dir_all(path.with_file_name(""))?;
    write_noise(&path, settings.range_file_bytes)?;
    let nginx = Nginx::serving(settings, &afterlive.storage())?;
    for (how, what) in [(How::Ranges, "ranges of 64 KiB"), (How::Whole, "the whole file")] {
        step(&format!("{what}, {} connections", settings.range_connections));
        let (mut ours, mut theirs) = (Served::default(), Served::default());
        for _ in 0..settings.range_rounds {
            theirs.add(measure(settings, &nginx.process, nginx.address, &format!("/{key}"), how)?);
            ours.add(measure(settings, &afterlive.process, afterlive.http, &format!("/vod-eu/{key}"), how)?);
        }
        report.add(Row {
            name: format!("{what}, throughput against nginx's sendfile"),
            unit: "MB/s",
            ours: ours.mb_a_second(),
            theirs: Some(theirs.mb_a_second()),
            target: Some(Target::AtLeast(1.0)),
        });
        report.add(Row {
            name: format!("{what}, CPU against nginx's sendfile"),
            unit: "ms/GB",
            ours: ours.cpu_ms_a_gb(),
            theirs: Some(theirs.cpu_ms_a_gb()),
            target: None,
        });
    }
    drop((nginx, afterlive));
    remove(&settings.work.join("nginx"))?;
    remove(&settings.work.join("afterlive"))
}

fn measure(settings: &Settings, process: &Process, address: SocketAddr, path: &str, how: How) -> Result<Served> {
    let before = process.cpu_time(Whose::Family)?;
    let began = Instant::now();
    let until = began + settings.range_time;
    let clients: Vec<_> = (0..settings.range_connections)
        .map(|n| {
            let (path, file_bytes) = (path.to_owned(), settings.range_file_bytes);
            std::thread::spawn(move || fetch(address, &path, how, file_bytes, n as u64, until))
        })
        .collect();
    let mut bytes = 0;
    for client in clients {
        bytes += client.join().map_err(|_| anyhow!("a client panicked"))??;
    }
    Ok(Served { bytes, wall: began.elapsed(), cpu: process.cpu_time(Whose::Family)? - before })
}

/// One connection, until the time is over. A whole file that has begun is fetched to its end.
fn fetch(address: SocketAddr, path: &str, how: How, file_bytes: u64, seed: u64, until: Instant) -> Result<u64> {
    let mut connection = Connection::open(address)?;
    let (mut bytes, mut noise) = (0, seed);
    while Instant::now() < until {
        let range = match how {
            How::Ranges => {
                noise = next(noise);
                let first = (noise >> 20) % (file_bytes - RANGE_BYTES);
                Some((first, first + RANGE_BYTES - 1))
            }
            How::Whole => None,
        };
        bytes += connection.fetch(path, range)?;
    }
    Ok(bytes)
}

fn write_noise(path: &std::path::Path, bytes: u64) -> Result<()> {
    let mut noise = 1;
    let block: Vec<u8> = std::iter::repeat_with(|| {
        noise = next(noise);
        noise.to_be_bytes()[0]
    })
    .take(1 << 20)
    .collect();
    let mut file = std::fs::File::create(path)?;
    for _ in 0..bytes >> 20 {
        std::io::Write::write_all(&mut file, &block)?;
    }
    // What is still to be written would be written while others are measured.
    file.sync_all()?;
    Ok(())
}

fn next(noise: u64) -> u64 {
    noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}
