//! `bench`: how fast the whole is on this machine, each figure beside its floor, measured in the same run.

mod error;
mod floor;
mod history;
mod load;
mod machine;
mod markdown;
mod meter;
mod pgbench;
mod plan;
mod processes;
mod report;
mod rows;
mod stage;
mod stats;
mod table;
mod way;

pub use error::Error;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use serde::Serialize;
use shared::telemetry::Chain;

use crate::{console, settings::Settings};
use machine::{Machine, Watch};
use report::Report;
use stage::Stage;

/// No row takes longer: the whole is to end within minutes.
const LONGEST: Duration = Duration::from_mins(5);

/// How many events wait in the row `backlog`.
const BACKLOG: usize = 100_000;

/// What to measure.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The rows to measure; all of them when none is named
    pub rows: Vec<String>,
    /// List the rows and end
    #[arg(long)]
    pub list: bool,
    /// Measure little, to see that everything runs: the figures mean nothing
    #[arg(long)]
    pub quick: bool,
    /// How many events wait in the row `backlog`; more than usual are worked off once
    #[arg(long, value_name = "EVENTS", default_value_t = BACKLOG, value_parser = backlog)]
    pub backlog: usize,
    /// Write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the table of docs/performance.md to this file
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Take the functions' binaries and the bench's own from this folder instead of building them
    #[arg(long, value_name = "FOLDER")]
    pub bin_dir: Option<PathBuf>,
    /// Measure `sam local start-api` as well, which has the function that does nothing at this URL's /hello
    #[arg(long, value_name = "URL")]
    pub sam_local: Option<String>,
}

/// Everything that is said.
#[derive(Debug, Serialize)]
struct Figures {
    machine: Machine,
    quick: bool,
    rows: Vec<Report>,
}

/// Starts a server of its own, measures it, and prints a table.
pub async fn run(arguments: Arguments, settings: &Settings) -> Result<(), Error> {
    if arguments.list {
        for (name, about) in rows::ALL {
            console::line(&format!("{name:<12} {about}"));
        }
        return Ok(());
    }
    let chosen = chosen(&arguments.rows)?;
    let machine = Machine::look().await;
    say(&machine, arguments.quick);
    let mut stage = Stage::start(&arguments, settings).await?;
    let mut figures = Figures { machine, quick: arguments.quick, rows: Vec::new() };
    let mut outcome = Ok(());
    for name in chosen {
        match row(name, &mut stage).await {
            Ok(report) => {
                console::line(&table::text(&report));
                figures.rows.push(report);
            }
            // The others can be measured all the same.
            Err(error) => {
                console::progress(&format!("the row {name} could not be measured: {}", Chain(&error)));
                outcome = Err(error);
            }
        }
    }
    console::line(&table::summary(&figures.rows));
    stage.stop().await?;
    if let Some(file) = &arguments.json {
        // Made of numbers and texts, so it can always be written as JSON.
        write(file, &(serde_json::to_string_pretty(&figures).unwrap_or_default() + "\n"))?;
    }
    if let Some(file) = &arguments.markdown {
        write(file, &markdown::text(&figures))?;
    }
    outcome
}

/// At least some in each app.
fn backlog(text: &str) -> Result<usize, String> {
    let events = text.parse().map_err(|_| "expected a number of events".to_owned())?;
    if events >= 10_000 { Ok(events) } else { Err("expected at least 10000".to_owned()) }
}

fn write(file: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(file, text).map_err(|error| Error::Write(file.to_owned(), error))
}

async fn row(name: &'static str, stage: &mut Stage) -> Result<Report, Error> {
    let watch = Watch::start().await;
    let started = Instant::now();
    // Whoever has more wait, waits longer.
    let longest = LONGEST * u32::try_from(stage.backlog.div_ceil(BACKLOG)).unwrap_or(u32::MAX);
    let measured = tokio::time::timeout(longest, rows::measure(name, stage)).await;
    let mut report = measured.map_err(|_| Error::failed("it took too long"))??;
    report.seconds = started.elapsed().as_secs_f64();
    watch.end(&mut report).await;
    Ok(report)
}

/// The rows of these names in the order in which they are measured; all of them for none.
fn chosen(names: &[String]) -> Result<Vec<&'static str>, Error> {
    let is_row = |name: &String| rows::ALL.iter().any(|(row, _)| row == name);
    if let Some(unknown) = names.iter().find(|name| !is_row(name)) {
        return Err(Error::NoRow(unknown.clone()));
    }
    let all = rows::ALL.iter().map(|(row, _)| *row);
    Ok(all.filter(|row| names.is_empty() || names.iter().any(|name| name == row)).collect())
}

fn say(machine: &Machine, is_quick: bool) {
    let Machine { processors, model, load_before, others_before, build } = machine;
    let others = others_before.map_or("unknown".to_owned(), |share| format!("{:.0} %", share * 100.0));
    console::line(&format!(
        "{processors} processors ({model}), load {load_before}; others use {others} of them; {build} build"
    ));
    console::line("A figure is the median of its rounds (least-most), then how many times its floor it is.");
    if is_quick {
        console::line("--quick: the figures mean nothing.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_measured_in_their_own_order_whatever_the_order_of_their_names() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(chosen(&names(&["frame", "answer"])).unwrap(), ["answer", "frame"]);
        assert_eq!(chosen(&[]).unwrap().len(), rows::ALL.len());
        assert!(matches!(chosen(&names(&["answers"])), Err(Error::NoRow(name)) if name == "answers"));
    }
}
