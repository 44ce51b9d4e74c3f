//! The binary `afterlive`.

use std::process::ExitCode;

fn main() -> ExitCode {
    afterlive_server::cli::main()
}
