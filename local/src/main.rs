//! Runs the whole CTI server on this machine: see the library's documentation.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use local::cli::Cli;
use tokio::runtime::Runtime;

/// How long a start that was broken off may hold up the end, for example in an installation of Postgres.
const LEFTOVERS: Duration = Duration::from_secs(1);

fn main() -> std::io::Result<ExitCode> {
    let cli = Cli::parse();
    let runtime = Runtime::new()?;
    let code = runtime.block_on(cli.run());
    runtime.shutdown_timeout(LEFTOVERS);
    Ok(code)
}
