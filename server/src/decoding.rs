//! How the processes are started that decode what strangers send: this program once more, with another subcommand.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

/// `protocol`: what is said through its pipes, so that a program that was exchanged meanwhile is found out.
pub(crate) fn command(program: &Path, subcommand: &str, protocol: u32) -> Command {
    let mut command = Command::new(program);
    // No secret of ours may be in what a decoder can read.
    command.args([subcommand, "--protocol", &protocol.to_string()]).env_clear().current_dir("/").kill_on_drop(true);
    // In KiB. The allocator sets a gigabyte of addresses aside at its first use, which the limit of the process would count.
    command.env("MIMALLOC_ARENA_RESERVE", "65536");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}
