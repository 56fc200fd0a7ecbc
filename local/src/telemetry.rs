//! The log of the commands beside `serve`, on standard error: standard output belongs to what scripts and people read.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::settings::Settings;

/// Starts logging: warnings, unless `RUST_LOG` says otherwise.
pub fn start(settings: &Settings) {
    // The embedded DynamoDB warns of every condition that does not hold, which is an answer and no fault.
    let filter = EnvFilter::new(settings.get("RUST_LOG").unwrap_or("warn,dynoxide=error"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Only a second start in one process can fail, and then the first one's settings stay.
    let _ = subscriber.try_init();
}
