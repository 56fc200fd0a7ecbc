//! The helper `load`: a process that links what this one does not (`local/probes/load`).

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde::Deserialize;
use serde_json::Value;

use super::Error;
use crate::{
    binaries, environment, journal::Amount, settings::Settings, template::Template, urls::PublicUrls,
};

/// A running helper; it ends with this value.
pub(super) struct Load {
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    child: Child,
}

/// How an order went.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Outcome {
    pub(super) seconds: f64,
    pub(super) done: usize,
    pub(super) failed: usize,
}

impl Load {
    /// As many as the machine of the goals has processors: each is one thread, as a function is.
    pub(super) const PROCESSES: usize = 2;

    /// Starts one with the environment of the webhook and of the broadcaster, but for the event queue: messages go where
    /// no function takes them, so that the deliveries alone are measured.
    pub(super) fn start(
        folder: &Path,
        settings: &Settings,
        template: &Template,
        urls: &PublicUrls,
    ) -> Result<Self, Error> {
        let variables = ["webhook", "broadcaster"]
            .into_iter()
            .filter_map(|name| template.function(name))
            .flat_map(|function| function.environment.clone());
        let mut child = Command::new(binaries::path(folder, "load"))
            .env_clear()
            .envs(environment::base(settings, urls, Amount::Quiet))
            .envs(variables)
            .env("EVENT_QUEUE_URL", &template.queues["SpillDeadLetterQueue"].url)
            .env("CONNECTIONS", "8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| Error::failed("load has no output"))?;
        Ok(Self { input, output: BufReader::new(output), child })
    }

    /// Gives an order.
    pub(super) fn order(&mut self, order: &Value) -> Result<(), Error> {
        let input = self.input.as_mut().ok_or_else(|| Error::failed("load has no input"))?;
        writeln!(input, "{order}")?;
        Ok(input.flush()?)
    }

    /// Waits until the order is carried out.
    pub(super) fn outcome(&mut self) -> Result<Outcome, Error> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let outcome: Outcome = serde_json::from_str(&line).map_err(|error| Error::Answer("load", error))?;
        if outcome.failed > 0 {
            return Err(Error::failed(format!("{} of what load was to do failed", outcome.failed)));
        }
        Ok(outcome)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It ends when it can read no more orders.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
