//! `bench`: how fast the whole is on this machine, each figure beside its floor, measured in the same run.

mod measure;

use std::{io, time::Duration};

use clap::Args;

use crate::{child, client, console};
use measure::{Bench, Spread};

/// What to measure.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many deliveries are measured one at a time
    #[arg(long, default_value_t = 1000)]
    deliveries: usize,
}

/// The bench could not be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No server could be started.
    #[error("start a server to measure")]
    Server(#[from] io::Error),
    /// The server did not do its part.
    #[error("measure")]
    Client(#[from] client::Error),
    /// The database did not do its part.
    #[error("measure the database")]
    Database(#[from] tokio_postgres::Error),
}

/// Starts a server of its own, measures it, and prints a table.
pub async fn run(arguments: Arguments) -> Result<(), Error> {
    let program = std::env::current_exe()?;
    let server = tokio::task::spawn_blocking(move || child::Server::start(program, &[]))
        .await
        .map_err(io::Error::other)??;
    let mut bench = Bench::new(&server).await?;
    bench.warm_up().await?;
    // Floor and figure alternate, so that whatever else the machine does hits both.
    let (floor, answer, frame) = bench.one_at_a_time(arguments.deliveries).await?;
    let burst = bench.burst(1000, 16).await?;
    console::line(&format!("{:<44} {:>9} {:>9} {:>9}", "", "p50", "p99", "max"));
    row("floor: one INSERT and COMMIT", &floor);
    row("webhook: request to answer", &answer);
    row("webhook: request to frame on the socket", &frame);
    ratio("answer / floor", &answer, &floor);
    console::line(&format!(
        "{:<44} {:>9}",
        "burst of 1000 over 16 connections, answered",
        time(burst.answered)
    ));
    console::line(&format!("{:<44} {:>9}", "the same, last frame on the socket", time(burst.pushed)));
    tokio::task::spawn_blocking(move || drop(server)).await.map_err(io::Error::other)?;
    Ok(())
}

fn row(name: &str, spread: &Spread) {
    let [p50, p99, max] = [spread.p50, spread.p99, spread.max].map(time);
    console::line(&format!("{name:<44} {p50:>9} {p99:>9} {max:>9}"));
}

fn ratio(name: &str, figure: &Spread, floor: &Spread) {
    let times =
        |figure: Duration, floor: Duration| format!("{:.2} x", figure.as_secs_f64() / floor.as_secs_f64());
    let [p50, p99] = [times(figure.p50, floor.p50), times(figure.p99, floor.p99)];
    console::line(&format!("{name:<44} {p50:>9} {p99:>9}"));
}

fn time(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}
