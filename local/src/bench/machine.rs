//! What else the machine does: figures of a busy one are not to be believed.

use std::{fs, time::Duration};

use serde::Serialize;

use super::report::Report;

/// How long is looked at the machine while the bench itself rests.
const PAUSE: Duration = Duration::from_millis(400);
/// More than this share of the machine for others is too much.
const BUSY: f64 = 0.1;
/// More than this share taken by the hypervisor is too much.
const STOLEN: f64 = 0.02;

/// What it is, and how it was when the bench began.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) processors: usize,
    pub(super) model: String,
    pub(super) load_before: String,
    /// The share of all processors that others used while the bench rested; none where the system does not tell.
    pub(super) others_before: Option<f64>,
    pub(super) build: &'static str,
}

impl Machine {
    pub(super) async fn look() -> Self {
        let load_before = fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned();
        Self {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            model: model(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            load_before,
            others_before: others().await,
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
        }
    }
}

/// Watches the machine during a row.
pub(super) struct Watch {
    others_before: Option<f64>,
    start: Option<Ticks>,
}

impl Watch {
    pub(super) async fn start() -> Self {
        Self { others_before: others().await, start: Ticks::read() }
    }

    /// Adds to the report why it is not to be believed.
    pub(super) async fn end(self, report: &mut Report) {
        let stolen = self.start.zip(Ticks::read()).map(|(start, end)| end.since(&start).stolen);
        if let Some(stolen) = stolen.filter(|stolen| *stolen > STOLEN) {
            report.doubts.push(format!("the hypervisor took {:.0} % of the machine", stolen * 100.0));
        }
        let others = [("before", self.others_before), ("after", others().await)];
        for (when, share) in others {
            if let Some(share) = share.filter(|share| *share > BUSY) {
                let percent = share * 100.0;
                report.doubts.push(format!("others used {percent:.0} % of the machine just {when} this row"));
            }
        }
    }
}

/// The share of the machine that is used while the bench rests.
async fn others() -> Option<f64> {
    let start = Ticks::read()?;
    tokio::time::sleep(PAUSE).await;
    Some(Ticks::read()?.since(&start).busy)
}

/// Ticks of all processors since the machine was started.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ticks {
    busy: f64,
    stolen: f64,
    all: f64,
}

struct Shares {
    busy: f64,
    stolen: f64,
}

impl Ticks {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// `cpu user nice system idle iowait irq softirq steal …`
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<f64> =
            line.split_whitespace().take(8).map_while(|number| number.parse().ok()).collect();
        let [user, nice, system, idle, iowait, irq, softirq, stolen] = ticks.try_into().ok()?;
        let busy = user + nice + system + irq + softirq;
        Some(Self { busy, stolen, all: busy + idle + iowait + stolen })
    }

    fn since(&self, earlier: &Self) -> Shares {
        let all = (self.all - earlier.all).max(1.0);
        Shares { busy: (self.busy - earlier.busy) / all, stolen: (self.stolen - earlier.stolen) / all }
    }
}

fn model(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": ")).map_or_else(String::new, |(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_passed_between_two_looks() {
        let before = Ticks::parse("cpu  100 0 50 1000 10 0 0 0 0 0\ncpu0 1 2 3\n").unwrap();
        let after = Ticks::parse("cpu  130 10 60 1040 10 0 0 10 0 0\n").unwrap();
        let Shares { busy, stolen } = after.since(&before);
        assert!((busy - 0.5).abs() < 1e-9 && (stolen - 0.1).abs() < 1e-9, "{busy} {stolen}");
        assert_eq!(Ticks::parse("intr 1 2"), None);
    }
}
