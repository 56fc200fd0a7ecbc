//! Runs the whole CTI server on this machine: see the library's documentation.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use local::cli::Cli;
use tokio::runtime::Runtime;

/// Files that may be open at once, if the system allows it: ten thousand sockets are more than a shell does by default.
const OPEN_FILES: u64 = 65_536;

/// How long a start that was broken off may hold up the end, for example in an installation of Postgres.
const LEFTOVERS: Duration = Duration::from_secs(1);

fn main() -> std::io::Result<ExitCode> {
    let cli = Cli::parse();
    // Where it does not, the sockets beyond the limit fail one by one, and say so.
    let _ = rlimit::increase_nofile_limit(OPEN_FILES);
    let runtime = Runtime::new()?;
    let code = runtime.block_on(cli.run());
    runtime.shutdown_timeout(LEFTOVERS);
    Ok(code)
}
