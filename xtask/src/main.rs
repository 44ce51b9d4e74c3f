//! What a build of Afterlive does beyond `cargo build`: the browser's files, and checks that no ready tool makes.
//! The `Makefile` and `scripts/` call it; installing things and starting servers are theirs.
#![expect(clippy::print_stderr, reason = "a command-line tool tells what it does")]

mod check;
mod files;
mod site;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  site [--dev]   build target/site: WASM, CSS and static files, compressed
                 --dev: quick to build, large, not compressed
  check          dependencies, links in documents, walls between rooms";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let root = repository()?;
    match arguments {
        ["site"] => site::build(&root, site::Mode::Release),
        ["site", "--dev"] => site::build(&root, site::Mode::Dev),
        ["check"] => check::run(&root),
        _ => bail!("{USAGE}"),
    }
}

/// The folder of the workspace that we are called in. Not the one this program was compiled in: worktrees may share a target folder.
fn repository() -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir()?;
    let root = here.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    Ok(root.context("not in the repository")?.to_owned())
}
