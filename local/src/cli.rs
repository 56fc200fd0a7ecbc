//! The command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use shared::telemetry::Chain;

use crate::{
    bench, console,
    database::{Database, Wanted},
    journal::Journal,
    serve,
    settings::{Settings, root},
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
    Migrate(DatabaseArguments),
    /// Deliver a call to a running server as Dialpad does, and print the frames it causes
    Simulate(simulate::Arguments),
    /// Follow an app's events and print them
    Tail(tail::Arguments),
    /// Break a server of its own in every way while calls come in, and look whether anything was lost or doubled
    Torture(torture::Arguments),
}

/// Which database to use.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArguments {
    /// The database; without it `DATABASE_URL` of the environment or of .env, else a private Postgres
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// The folder for the private Postgres's data, in the checkout unless absolute
    #[arg(long, value_name = "FOLDER", default_value = ".local")]
    pub data: PathBuf,
    /// The folder of Postgres's server programs (initdb, postgres)
    #[arg(long, value_name = "FOLDER")]
    pub pg_bin_dir: Option<PathBuf>,
}

impl DatabaseArguments {
    /// The database that these arguments want.
    #[must_use]
    pub fn wanted(&self, is_ephemeral: bool) -> Wanted {
        Wanted {
            url: self.database_url.clone(),
            data: root().join(&self.data),
            is_ephemeral,
            bin_dir: self.pg_bin_dir.clone(),
        }
    }
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
                end(bench::run(arguments, &settings).await)
            }
            Command::Tail(arguments) => {
                telemetry::start(&settings);
                end(tail::run(arguments).await)
            }
            Command::Torture(arguments) => {
                telemetry::start(&settings);
                end(torture::run(arguments).await)
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

async fn migrate(arguments: &DatabaseArguments, settings: &Settings) -> Result<(), crate::database::Error> {
    let database = Database::start(&arguments.wanted(false), settings, console::progress).await?;
    console::progress("the database has all migrations");
    database.stop().await;
    Ok(())
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
