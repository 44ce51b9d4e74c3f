//! The binary `afterlive`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A recorded stream is some seventy messages a second, each made by one thread and freed by another: see ADR 0050. It sets a gigabyte of addresses aside,
/// which what limits a process by its addresses must know, as `decoding` does.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    afterlive_server::cli::main()
}
