//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shared::telemetry::Chain;

use crate::{
    bench, console,
    database::{self, Database},
    journal::Journal,
    serve,
    settings::Settings,
    signals::Signals,
    simulate, tail, telemetry, torture,
};

/// Runs the whole CTI server on this machine.
#[derive(Debug, Parser)]
#[command(name = "local", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Arguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything and serve until Ctrl-C (the default)
    Serve(serve::Arguments),
    /// Measure a server of its own on this machine; build with --release first
    Bench(bench::Arguments),
    /// Apply the migrations to the database and end
    Migrate(database::Arguments),
    /// Deliver a call to a running server as Dialpad does, and print the frames it causes
    Simulate(simulate::Arguments),
    /// Follow an app's events and print them
    Tail(tail::Arguments),
    /// Break a server of its own in every way while calls come in, and look whether anything was lost or doubled
    Torture(torture::Arguments),
}

impl Cli {
    /// Runs the command.
    pub async fn run(self) -> ExitCode {
        let settings = match Settings::load() {
            Ok(settings) => settings,
            Err(error) => return failed(&error),
        };
        match self.command.unwrap_or(Command::Serve(self.serve)) {
            Command::Serve(arguments) => {
                let journal = Journal::start(&settings, &arguments.shown, arguments.ephemeral);
                let code = end(serve::run(arguments, &settings, &journal).await);
                journal.flush();
                code
            }
            Command::Bench(arguments) => {
                telemetry::start(&settings);
                end(unless_stopped(bench::run(arguments, &settings)).await)
            }
            Command::Tail(arguments) => {
                telemetry::start(&settings);
                end(tail::run(arguments).await)
            }
            Command::Torture(arguments) => {
                telemetry::start(&settings);
                end(unless_stopped(torture::run(arguments)).await)
            }
            Command::Simulate(arguments) => {
                telemetry::start(&settings);
                end(simulate::run(arguments, &settings).await)
            }
            Command::Migrate(arguments) => {
                telemetry::start(&settings);
                end(migrate(&arguments, &settings).await)
            }
        }
    }
}

async fn migrate(arguments: &database::Arguments, settings: &Settings) -> Result<(), database::Error> {
    let database = Database::start(&arguments.wanted(false), settings, console::progress).await?;
    console::progress("the database has all migrations");
    database.stop().await;
    Ok(())
}

/// Why a command ended before its time.
#[derive(Debug, thiserror::Error)]
enum Stopped<E> {
    /// It failed.
    #[error(transparent)]
    Failed(E),
    /// Somebody stopped it.
    #[error("stopped")]
    Asked,
    /// The system does not tell of signals.
    #[error("listen for signals")]
    Signals(#[source] std::io::Error),
}

/// Does it, unless somebody stops it; then what it had started is ended by its owners' `Drop`.
async fn unless_stopped<E: std::error::Error + 'static>(
    work: impl Future<Output = Result<(), E>>,
) -> Result<(), Stopped<E>> {
    let mut signals = Signals::listen().map_err(Stopped::Signals)?;
    tokio::select! {
        outcome = work => outcome.map_err(Stopped::Failed),
        () = signals.next() => Err(Stopped::Asked),
    }
}

fn end<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    console::progress(&format!("error: {}", Chain(error)));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
