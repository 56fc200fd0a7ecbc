//! What `serve` shows of itself: one line a request and event.
//!
//! Lines come from two sides: the local stack's own `tracing` events, and what the functions print. For a person they
//! are short and coloured; for a machine they are JSON. Neither holds a query string, a phone number or a name: the
//! edge says only the shape of a path, and the functions log none of them.

mod layer;
mod line;
mod machine;
mod path;
mod person;
mod writer;

use std::{
    fs::File,
    io::{IsTerminal as _, Write as _, stderr, stdout},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use tracing::Level;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

pub use self::line::Line;
pub(crate) use self::path::shape;
use self::{layer::Events, writer::Writer};
use crate::{console, settings::Settings};

/// The target of the events that are lines of the journal: requests, connections, deliveries of queues.
pub(crate) const TARGET: &str = "journal";

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Amount {
    /// Warnings and errors.
    Quiet,
    /// A line a request and event besides.
    Usual,
    /// Everything that the functions log besides.
    Everything,
}

/// What is shown, and how.
#[derive(Debug, Clone, Args)]
#[group(id = "journal")]
pub struct Arguments {
    /// Show everything that the functions log
    #[arg(long, short)]
    pub verbose: bool,
    /// Show warnings and errors alone
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show requests and events as JSON, one object a line
    #[arg(long)]
    pub json: bool,
    /// Write what the functions print to this file besides, as they print it: log lines and metrics
    #[arg(long, value_name = "FILE")]
    pub function_logs: Option<PathBuf>,
}

/// Who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    Person { has_colours: bool },
    Machine,
}

/// Where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Standard,
    Error,
}

/// The journal. Clones write to the same place.
#[derive(Debug, Clone)]
pub struct Journal {
    amount: Amount,
    reader: Reader,
    writer: Writer,
    /// Where what the functions print goes besides.
    printed: Option<Arc<File>>,
}

impl Journal {
    /// Warnings and errors of the functions alone, on standard error.
    #[must_use]
    pub fn quiet() -> Self {
        Self {
            amount: Amount::Quiet,
            reader: Reader::Person { has_colours: false },
            writer: Writer::new(Output::Error),
            printed: None,
        }
    }

    /// The journal of `serve`, which takes what is logged in this process from now on.
    ///
    /// With `is_script` standard output has one line for the script and nothing else, unless that asks for JSON.
    #[must_use]
    pub fn start(settings: &Settings, arguments: &Arguments, is_script: bool) -> Self {
        let is_for_script = is_script && !arguments.json;
        let amount = match (arguments.verbose, arguments.quiet || is_for_script) {
            (true, _) => Amount::Everything,
            (false, true) => Amount::Quiet,
            (false, false) => Amount::Usual,
        };
        let output = if is_for_script { Output::Error } else { Output::Standard };
        let reader = if arguments.json {
            Reader::Machine
        } else {
            Reader::Person { has_colours: has_colours(settings, output) }
        };
        let printed = arguments.function_logs.as_ref().and_then(|path| open(path)).map(Arc::new);
        let journal = Self { amount, reader, writer: Writer::new(output), printed };
        // The embedded DynamoDB warns of every condition that does not hold, which is an answer and no fault.
        let default = match amount {
            Amount::Quiet => "warn,dynoxide=error",
            Amount::Usual => "warn,dynoxide=error,journal=info",
            Amount::Everything => "info,dynoxide=error,local=debug,journal=debug",
        };
        let filter = EnvFilter::new(settings.get("RUST_LOG").unwrap_or(default));
        let subscriber = tracing_subscriber::registry().with(filter).with(Events::new(journal.clone()));
        // Only a second start in one process can fail, and then the first one's settings stay.
        let _ = subscriber.try_init();
        journal
    }

    /// Whether a person reads it.
    #[must_use]
    pub fn is_for_a_person(&self) -> bool {
        self.reader != Reader::Machine
    }

    /// How much is shown.
    #[must_use]
    pub fn amount(&self) -> Amount {
        self.amount
    }

    /// Shows a line.
    pub fn show(&self, line: &Line) {
        let text = match self.reader {
            Reader::Machine => machine::render(line),
            Reader::Person { has_colours } => person::render(line, has_colours),
        };
        self.writer.write(text);
    }

    /// Shows what a function logged, where it is of interest.
    pub(crate) fn show_logged(&self, line: &Line) {
        let is_wanted = match self.amount {
            Amount::Everything => true,
            Amount::Usual => line.level <= Level::WARN || line.is_news(),
            Amount::Quiet => line.level <= Level::WARN,
        };
        if is_wanted {
            self.show(line);
        }
    }

    /// Keeps what a function printed, if somebody wants it.
    pub(crate) fn keep_printed(&self, function: &str, text: &str) {
        if let Some(mut file) = self.printed.as_deref() {
            // One write a line, so that those of several processes stay whole.
            let _ = file.write_all(format!("[{function}] {text}\n").as_bytes());
        }
    }

    /// Waits until everything is written.
    pub fn flush(&self) {
        self.writer.flush();
    }
}

/// The file for what the functions print; without it the server works as well.
fn open(path: &Path) -> Option<File> {
    let file = File::options().create(true).append(true).open(path);
    file.inspect_err(|error| console::progress(&format!("cannot write to {}: {error}", path.display()))).ok()
}

/// A duration as the lines have it.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    // Microseconds are noise.
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Whether to colour: on a terminal that can, unless somebody set `NO_COLOR` (no-color.org).
pub(crate) fn has_colours(settings: &Settings, output: Output) -> bool {
    let is_terminal = match output {
        Output::Standard => stdout().is_terminal(),
        Output::Error => stderr().is_terminal(),
    };
    is_terminal && settings.get("NO_COLOR").is_none() && settings.get("TERM") != Some("dumb")
}
