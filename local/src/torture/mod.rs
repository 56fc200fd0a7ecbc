//! `torture`: breaks a server of its own in every way at once while calls come in, and then compares what was sent with
//! the rows, the rows with the log, and the log with what each client holds.

mod ledger;
mod measures;
mod reconcile;
mod report;
mod saboteur;
mod schedule;
mod stage;
mod traffic;

use std::{io, time::Duration};

use clap::Args;
use tokio::time::Instant;

pub use self::reconcile::COUNTS;
use self::{reconcile::During, report::Report, schedule::Schedule, stage::Stage};
use crate::{client, console};

/// How long the stack may take to become quiet after the last fault.
const PATIENCE: Duration = Duration::from_mins(5);

/// How long to torture, and how hard.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many minutes; it ends sooner with --deliveries
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    minutes: f64,
    /// End after so many deliveries
    #[arg(long, value_name = "NUMBER")]
    deliveries: Option<u64>,
    /// The seed: with the same one, the same faults are planned and the same calls are made
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How many apps
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    apps: u16,
    /// How many calls happen at once
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    calls: u16,
    /// Take the functions' binaries from this folder instead of building them
    #[arg(long, value_name = "FOLDER")]
    bin_dir: Option<String>,
    /// The visibility timeout of every queue: how long a message of a killed function stays away
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    visibility_seconds: u64,
    /// How much longer the pauses between the planned faults are: more deliveries come through in the same time
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = positive)]
    calm: f64,
    /// Instead of all faults one: the database is away for so long, half of it refusing and half of it silent, and every
    /// delivery has to be answered 200 within two seconds
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["minutes", "plan"])]
    outage: Option<u64>,
    /// Print what is planned, and end
    #[arg(long)]
    plan: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && number <= 10_000.0 => Ok(number),
        Ok(_) | Err(_) => Err("expected a number above 0, and 10,000 at most".to_owned()),
    }
}

/// The torture could not be done, or found something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No database could be started.
    #[error("start a database to break")]
    Postgres(#[from] shared::postgres::Error),
    /// No server could be started.
    #[error("start a server to break")]
    Server(#[from] io::Error),
    /// The server did not do its part.
    #[error("use the server")]
    Client(#[from] client::Error),
    /// What is in the database could not be read.
    #[error("read the database")]
    Database(#[from] tokio_postgres::Error),
    /// A task of the torture itself panicked.
    #[error("go on")]
    Broken(#[from] tokio::task::JoinError),
    /// The point of it all.
    #[error("{0} violations")]
    Violations(u64),
}

/// Tortures, compares, prints a table; an error if anything was lost, doubled or wrong.
pub async fn run(arguments: Arguments) -> Result<(), Error> {
    let outage = arguments.outage.map(Duration::from_secs);
    // Calls come in before and after the outage too.
    let length = outage.map_or_else(
        || Duration::from_secs_f64(arguments.minutes * 60.0),
        |outage| saboteur::BEFORE_OUTAGE + outage + saboteur::AFTER_OUTAGE,
    );
    if arguments.plan {
        for line in Schedule::new(arguments.seed, arguments.calm).within(length) {
            console::line(&line);
        }
        return Ok(());
    }
    let mut stage = Stage::set(&arguments).await?;
    console::progress(&format!("{} apps, seed {}", arguments.apps, arguments.seed));
    let outcome = torture(&mut stage, &arguments, length).await;
    stage.end(outcome.is_ok()).await?;
    outcome
}

async fn torture(stage: &mut Stage, arguments: &Arguments, length: Duration) -> Result<(), Error> {
    let outage = arguments.outage.map(Duration::from_secs);
    let started = Instant::now();
    let traffic = traffic::start(stage, arguments, started + length);
    let broken = if let Some(outage) = outage {
        saboteur::outage(stage, outage).await?
    } else {
        let schedule = Schedule::new(arguments.seed, arguments.calm);
        saboteur::work(stage, schedule, started + length, || traffic.is_over()).await?
    };
    let ledger = traffic.finish().await?;
    let took = started.elapsed();

    console::progress("the faults are over; waiting until it is quiet");
    stage.calm().await?;
    let quiet = stage.quiet(PATIENCE).await?;
    let during = if outage.is_some() { During::Outage { killed: broken.killed } } else { During::Faults };
    let violations = reconcile::all(stage, &ledger, during, quiet, PATIENCE).await?;
    let measures = measures::take(stage, &broken.returns).await?;
    let struck = stage.struck().await?;
    let report =
        Report { seed: arguments.seed, took, ledger, measures, broken: broken.times, struck, violations };
    report.print();
    match report.violations.total() {
        0 => Ok(()),
        count => Err(Error::Violations(count)),
    }
}
