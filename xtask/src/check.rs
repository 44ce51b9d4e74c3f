//! Checks that no ready tool makes, or none that installs in reasonable time: dependencies, links in documents, the rooms' walls.
//! Format and lints are `scripts/check`'s.

mod dependencies;
mod links;
mod proofs;
mod spdx;
mod walls;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// What whoever comes here looks for first.
const EXPECTED: [&str; 7] =
    ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "LICENSE-APACHE", "LICENSE-MIT", "config.example.toml"];

/// Prints everything that is wrong; an error where anything is.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let files = tracked_files(root)?;
    let mut problems = dependencies::check(root)?;
    problems.extend(links::check(root, &files)?);
    problems.extend(proofs::check(root, &files)?);
    problems.extend(walls::check(root, &files)?);
    problems.extend(
        EXPECTED.iter().filter(|name| !files.contains(&PathBuf::from(name))).map(|name| format!("{name}: there is no such file")),
    );
    for problem in &problems {
        eprintln!("{problem}");
    }
    if !problems.is_empty() {
        bail!("{} problems", problems.len());
    }
    eprintln!("dependencies, links, named tests and walls are as they should be");
    Ok(())
}

/// The repository's files, relative to `root`: those that git has or would take.
fn tracked_files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])
        .output()
        .context("git")?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    }
    let names = String::from_utf8(output.stdout)?;
    Ok(names.split_terminator('\0').map(PathBuf::from).filter(|path| root.join(path).is_file()).collect())
}
