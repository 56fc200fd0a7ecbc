//! Runs the whole CTI server on this machine: see the library's documentation.

use std::process::ExitCode;

use clap::Parser;
use local::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
