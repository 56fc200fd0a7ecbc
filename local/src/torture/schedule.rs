//! What is broken when: drawn from the seed, and from nothing else.

use std::time::Duration;

/// The faults that are in force all the time, as flags of the server.
pub(super) const STEADY: [&str; 14] = [
    "post-gone=0.001",
    "post-throttle=0.005",
    "post-hang=0.0002:10s",
    "disconnect-drop=0.5",
    "socket-slow=0.1:5ms",
    "queue-duplicate=0.05",
    "queue-reorder=0.05:250ms",
    "queue-delay=0.01:5s",
    "queue-refuse=0.005",
    "kill-before=0.0005",
    "kill-during=0.0005:20ms",
    "kill-after=0.0005",
    "database-refuse=0.01:1s",
    "database-hang=0.005:2s",
];

/// The functions that are killed.
const FUNCTIONS: [&str; 5] = ["webhook", "processor", "broadcaster", "websocket", "rest"];

/// One thing that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// All processes of a function are killed.
    Kill(&'static str),
    /// Postgres ends at once, and starts again after so long.
    Crash(Duration),
    /// The database refuses connections for so long.
    Refuse(Duration),
    /// The database does not answer for so long.
    Hang(Duration),
    /// The queues take no message for so long.
    QueuesAway(Duration),
    /// The database and the queues are away for so long: nothing can be kept.
    AllAway(Duration),
    /// All clients drop their connections and come again.
    Storm,
}

impl Act {
    /// Its name in the report.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kill(_) => "all processes of a function killed",
            Self::Crash(_) => "Postgres crashed and restarted",
            Self::Refuse(_) => "database refuses",
            Self::Hang(_) => "database hangs",
            Self::QueuesAway(_) => "queues away",
            Self::AllAway(_) => "database and queues away",
            Self::Storm => "reconnect storm",
        }
    }

    /// Whether the database is away for its time.
    pub(super) const fn is_of_database(self) -> bool {
        matches!(self, Self::Crash(_) | Self::Refuse(_) | Self::Hang(_) | Self::AllAway(_))
    }
}

/// The acts in their order, each with the pause before it.
pub(super) struct Schedule {
    chance: fastrand::Rng,
    calm: f64,
}

impl Schedule {
    /// With pauses that are so many times longer.
    pub(super) fn new(seed: u64, calm: f64) -> Self {
        Self { chance: fastrand::Rng::with_seed(seed), calm }
    }

    /// The next pause, and the act after it.
    pub(super) fn next(&mut self) -> (Duration, Act) {
        let chance = &mut self.chance;
        let pause = Duration::from_millis(chance.u64(500..4_000)).mul_f64(self.calm);
        let which = chance.u32(0..100);
        let function = FUNCTIONS[chance.usize(0..FUNCTIONS.len())];
        let length = Duration::from_millis(chance.u64(200..3_000));
        let act = match which {
            0..45 => Act::Kill(function),
            45..55 => Act::Crash(length),
            55..65 => Act::Refuse(length),
            65..73 => Act::Hang(length),
            73..80 => Act::QueuesAway(length),
            80..84 => Act::AllAway(length),
            _ => Act::Storm,
        };
        (pause, act)
    }

    /// What is planned for so long, in lines. What takes its time comes on top of the pauses.
    pub(super) fn within(mut self, length: Duration) -> Vec<String> {
        let mut lines: Vec<String> = STEADY.iter().map(|flag| format!("always  {flag}")).collect();
        let mut at = Duration::ZERO;
        loop {
            let (pause, act) = self.next();
            at += pause;
            if at > length {
                return lines;
            }
            lines.push(format!("{:>6.1}s {act:?}", at.as_secs_f64()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_plans_the_same_and_another_does_not() {
        let plan = |seed| Schedule::new(seed, 1.0).within(Duration::from_mins(5));
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
        for wanted in ["Kill", "Crash", "Refuse", "Hang", "QueuesAway", "AllAway", "Storm"] {
            assert!(plan(1).iter().any(|line| line.contains(wanted)), "{wanted}");
        }
    }

    #[test]
    fn what_is_always_in_force_can_be_put_in_force() {
        for flag in STEADY {
            crate::faults::parse(flag).unwrap();
        }
    }
}
