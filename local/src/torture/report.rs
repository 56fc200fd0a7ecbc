//! What is printed in the end.

use std::{collections::BTreeMap, time::Duration};

use super::{ledger::Ledger, measures::Measures, reconcile::Violations};
use crate::console;

/// Everything that was counted.
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) took: Duration,
    pub(super) ledger: Ledger,
    /// How long things took.
    pub(super) measures: Measures,
    /// What was broken on schedule.
    pub(super) broken: BTreeMap<&'static str, u64>,
    /// The faults that struck by chance.
    pub(super) struck: Vec<(String, u64)>,
    pub(super) violations: Violations,
}

impl Report {
    /// Prints three tables: the traffic, the faults, the violations.
    pub(super) fn print(&self) {
        let Ledger { answered, again, doubled, swapped, calls, slowest, slow, too_late, .. } = &self.ledger;
        let unique: usize = self.ledger.taken.iter().map(std::collections::HashSet::len).sum();
        let title = format!("seed {}, {:.1} minutes", self.seed, self.took.as_secs_f64() / 60.0);
        heading(&title);
        row("scenarios played", *calls);
        row("deliveries answered 200", *answered);
        row("of them new", unique as u64);
        row("sent twice on purpose", *doubled);
        row("sent out of order on purpose", *swapped);
        row("made again after a 5xx or no answer", *again);
        row("answered 200 after more than 2 s", *slow);
        row("answered 200 after more than 5 s", *too_late);
        time("slowest answer of 200", *slowest);
        for (name, taken) in &self.measures.0 {
            time(name, *taken);
        }
        heading("faults");
        for (name, count) in &self.broken {
            row(name, *count);
        }
        for (name, count) in &self.struck {
            row(name, *count);
        }
        heading("violations");
        for (name, count) in &self.violations.0 {
            row(name, *count);
        }
        row("all violations", self.violations.total());
    }
}

fn heading(text: &str) {
    console::line("");
    console::line(text);
}

fn time(name: &str, taken: Duration) {
    console::line(&format!("{name:<56} {:>10}", format!("{} ms", taken.as_millis())));
}

fn row(name: &str, count: u64) {
    console::line(&format!("{name:<56} {count:>10}"));
}
