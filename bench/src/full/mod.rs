//! Calls on a full database: how long each takes on one connection, and how many of the one that players ask for come to from many at once. For each database and
//! each number of recordings in it; the databases are kept, as it takes minutes to fill them.

mod calls;
mod database;
mod latency;

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use self::calls::{Call, Calls};
use self::database::Database;
use self::latency::Latencies;
use crate::afterlive::{command, free_address, remove, when_it_serves};
use crate::http::Connection;
use crate::process::Process;
use crate::report::{Report, Row, Target};
use crate::seed;
use crate::settings::Settings;
use crate::step;

const MEDIAN_MS: f64 = 5.0;
const P99_MS: f64 = 20.0;
/// Calls that look at every row are made by so many times less often: each takes that much longer.
const SLOW_ONES: usize = 20;

/// The figures of one database.
struct Column {
    name: String,
    /// By call, in the order of [`Calls::all`].
    latencies: Vec<(Call, Latencies)>,
    many: Latencies,
    a_second: f64,
}

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let mut columns = Vec::new();
    for &recordings in &settings.full_recordings {
        columns.push(measure(settings, &Database::sqlite(settings, recordings)?, recordings)?);
        if let Some(server) = &settings.full_postgres {
            columns.push(measure(settings, &Database::postgres(server, recordings)?, recordings)?);
        }
    }
    for column in &columns {
        let worst = |of: fn(&Latencies) -> f64| {
            let with_target = column.latencies.iter().filter(|(call, _)| !call.looks_at_all);
            with_target.map(|(_, times)| of(times)).fold(0.0, f64::max)
        };
        let mut add = |what: String, unit, ours, target| report.add(Row { name: what, unit, ours, theirs: None, target });
        let name = &column.name;
        add(format!("{name}: slowest call, median"), "ms", worst(Latencies::median_ms), Some(Target::AtMost(MEDIAN_MS)));
        add(format!("{name}: slowest call, p99"), "ms", worst(Latencies::p99_ms), Some(Target::AtMost(P99_MS)));
        let connections = settings.full_connections;
        add(format!("{name}: GET /stream/ID, {connections} connections"), "requests/s", column.a_second, None);
        add(format!("{name}: GET /stream/ID, {connections} connections, p99"), "ms", column.many.p99_ms(), None);
    }
    std::fs::create_dir_all(&settings.results)?;
    Ok(std::fs::write(settings.results.join("full.md"), table(settings, &columns))?)
}

fn measure(settings: &Settings, database: &Database, recordings: u64) -> Result<Column> {
    let name = format!("{}, {recordings} recordings", database.kind());
    step(&name);
    let folder = settings.work.join("full");
    remove(&folder)?;
    // As if the recordings had been made there.
    for region in ["eu", "us", "au"] {
        std::fs::create_dir_all(folder.join(format!("data/vod/{region}/.spool")))?;
    }
    let addresses = (free_address()?, free_address()?);
    let command = |arguments: &[&str]| {
        let mut command = command(settings, &folder, addresses, arguments);
        // What is in the bin stays there.
        command.env("AFTERLIVE__DATABASE__URL", &database.url).env("AFTERLIVE__RETENTION__BIN_DAYS", "3650");
        command
    };
    // The first to open the database brings it to the server's version.
    let made = command(&["key", "add", "--org", seed::BIG, "--role", "nanoReadOnly", "--label", "bench"]).output()?;
    let key = text(made).context("no API key")?;
    let (email, password) = (format!("{}@example.com", &key[key.len() - 8..]).to_lowercase(), "correct horse battery");
    std::fs::write(folder.join("password"), password)?;
    let mut user = command(&["user", "add", "--org", seed::BIG, "--email", &email, "--password-stdin", "--role", "nanoReadOnly"]);
    text(user.stdin(std::fs::File::open(folder.join("password"))?).output()?).context("no user")?;
    database.forget_folders()?;
    database.look_at_rows()?;

    let mut process = Process::start(&mut command(&["serve"]), &settings.work.join("afterlive.log"))?;
    let mut connection = when_it_serves(&mut process, addresses.0)?;
    let form = format!("email={}&password={}", email.replace('@', "%40"), password.replace(' ', "+"));
    let cookie = connection.sign_in("/ui/sign_in", &form)?;
    let calls = Calls::new(&key, &cookie, database.samples(settings.full_requests)?);
    let mut latencies = Vec::new();
    let mut connection = Connection::open(addresses.0)?;
    for call in calls.all() {
        let requests = if call.looks_at_all { settings.full_requests.div_ceil(SLOW_ONES) } else { settings.full_requests };
        let times = latency::one_by_one(&mut connection, requests, |n| calls.request(&call, n))?;
        latencies.push((call, times));
    }
    let (many, a_second) = latency::at_once(addresses.0, settings.full_connections, settings.full_time, |n| calls.of_stream(n))?;
    drop(process);
    remove(&folder)?;
    Ok(Column { name, latencies, many, a_second })
}

/// What a program has printed.
fn text(output: std::process::Output) -> Result<String> {
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A line a call, a column a database.
fn table(settings: &Settings, columns: &[Column]) -> String {
    let mut text = String::from("| call |");
    let mut rule = String::from("|---|");
    for column in columns {
        // Text takes all that is written to it.
        let _ = write!(text, " {} |", column.name);
        rule.push_str("---|");
    }
    let _ = write!(text, "\n{rule}\n");
    let first = columns.first().map(|column| column.latencies.as_slice()).unwrap_or_default();
    for (at, (call, _)) in first.iter().enumerate() {
        let _ = write!(text, "| {} |", call.name);
        for column in columns {
            let times = &column.latencies[at].1;
            let _ = write!(text, " {:.2} / {:.2} |", times.median_ms(), times.p99_ms());
        }
        text.push('\n');
    }
    let _ = write!(text, "| `GET /stream/ID`, {} connections |", settings.full_connections);
    for column in columns {
        let _ = write!(text, " {:.0} requests/s, p99 {:.1} |", column.a_second, column.many.p99_ms());
    }
    text.push_str("\n\nMedian and 99th percentile in ms.\n");
    text
}
