//! Who has the processors while a figure is measured: where the time of a row goes that keeps the machine busy.

use std::{collections::BTreeMap, time::Instant};

use serde::Serialize;

use super::processes;

/// Ticks of the process table in a second.
const TICKS: f64 = 100.0;
/// What has less than this share is not worth a word.
const LITTLE: f64 = 0.01;

/// Looks at all programs of the bench, from now on.
pub(super) struct Meter {
    start: Instant,
    ticks: BTreeMap<String, u64>,
}

/// What they had while some figures were measured.
#[derive(Debug, Default)]
pub(super) struct Spent {
    seconds: f64,
    programs: BTreeMap<String, f64>,
}

/// A program's part of all processors.
#[derive(Debug, Serialize)]
pub(super) struct Share {
    pub(super) program: String,
    pub(super) share: f64,
}

impl Meter {
    pub(super) fn start() -> Self {
        Self { ticks: ticks(), start: Instant::now() }
    }

    /// Adds what they had until now.
    pub(super) fn end(self, spent: &mut Spent) {
        spent.seconds += self.start.elapsed().as_secs_f64();
        for (program, ticks) in ticks() {
            // One that was started or has ended meanwhile counts as far as it is seen.
            let before = self.ticks.get(&program).copied().unwrap_or_default();
            let seconds = f64::from(u32::try_from(ticks.saturating_sub(before)).unwrap_or(u32::MAX)) / TICKS;
            *spent.programs.entry(program).or_default() += seconds;
        }
    }
}

impl Spent {
    /// The programs and their parts, the largest first; nothing where the system does not tell.
    pub(super) fn shares(&self) -> Vec<Share> {
        let processors = f64::from(
            u32::try_from(std::thread::available_parallelism().map_or(1, usize::from)).unwrap_or(1),
        );
        let all = self.seconds * processors;
        let share =
            |(program, seconds): (&String, &f64)| Share { program: program.clone(), share: seconds / all };
        let mut shares: Vec<_> =
            self.programs.iter().map(share).filter(|share| share.share >= LITTLE).collect();
        shares.sort_by(|one, other| other.share.total_cmp(&one.share));
        shares
    }
}

/// The bench is the parent of all; its own name is the server's too.
fn ticks() -> BTreeMap<String, u64> {
    let own = std::process::id();
    let mut ticks = BTreeMap::new();
    for process in processes::below(own) {
        *ticks.entry(process.name).or_default() += process.ticks;
    }
    ticks.insert("the bench itself".to_owned(), processes::of(own).map_or(0, |process| process.ticks));
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_processors_and_the_largest_comes_first() {
        let programs = [("postgres", 3.0), ("webhook", 5.0), ("little", 0.001)];
        let programs = programs.map(|(name, seconds)| (name.to_owned(), seconds)).into();
        let shares = Spent { seconds: 10.0, programs }.shares();
        let names: Vec<_> = shares.iter().map(|share| share.program.as_str()).collect();
        assert_eq!(names, ["webhook", "postgres"]);
        assert!(shares[0].share <= 0.5 && shares[0].share > 0.0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn whoever_works_is_seen() {
        let (meter, mut spent) = (Meter::start(), Spent::default());
        let before = processes::of(std::process::id()).unwrap().ticks;
        let mut number = 1_u64;
        while processes::of(std::process::id()).unwrap().ticks < before + 5 {
            number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005));
        }
        meter.end(&mut spent);
        assert!(spent.programs["the bench itself"] >= 0.05, "{spent:?}");
    }
}
