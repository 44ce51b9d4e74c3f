//! `afterlive-bench [load] [many] [finalise] [range] [live] [full]`: the server against its peers, on this machine and in one run, as ratios. All where none is named.
//!
//! `afterlive-bench seed URL RECORDINGS`: a full database, as `full` measures them.
//!
//! Called by `scripts/bench`, which gets the peers. Speaks to the server as its users do, over RTMP and HTTP, and reads what it costs from `/proc`.
//! Starts what it measures, on loopback and free ports, and ends nothing else.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod afterlive;
mod finalise;
mod full;
mod http;
mod live;
mod load;
mod many;
mod nginx;
mod plot;
mod process;
mod publisher;
mod range;
mod report;
mod seed;
mod settings;
mod source;
mod viewer;

use anyhow::{Result, bail};

use crate::report::Report;
use crate::settings::Settings;

const ALL: [&str; 6] = ["load", "many", "finalise", "range", "live", "full"];

fn main() -> Result<()> {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if let [seed, url, recordings] = wanted.as_slice()
        && seed == "seed"
    {
        return seed::run(url, recordings.parse()?);
    }
    if let Some(unknown) = wanted.iter().find(|name| !ALL.contains(&name.as_str())) {
        bail!("there is no benchmark {unknown}, but {}", ALL.join(", "));
    }
    if wanted.is_empty() {
        wanted = ALL.map(str::to_owned).into();
    }
    let settings = Settings::from_environment()?;
    let mut report = Report::new(settings.results.clone());
    for name in &wanted {
        step(name);
        match name.as_str() {
            "load" => load::run(&settings, &mut report)?,
            "many" => many::run(&settings, &mut report)?,
            "finalise" => finalise::run(&settings, &mut report)?,
            "live" => live::run(&settings, &mut report)?,
            "full" => full::run(&settings, &mut report)?,
            _ => range::run(&settings, &mut report)?,
        }
    }
    report.finish()
}

/// What goes on, for who waits.
fn step(text: &str) {
    eprintln!("==> {text}");
}
