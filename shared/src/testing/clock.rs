//! A clock that a test turns.

use crate::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Arc, Mutex, PoisonError};

/// A clock that stands still until it is advanced. Its clones show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<DateTime<Utc>>>);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Moves the time; backwards too, as machines do.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Default for ManualClock {
    /// A fixed moment of 2026.
    fn default() -> Self {
        Self::new(DateTime::from_timestamp_millis(1_780_000_000_000).unwrap_or_default())
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_only_when_it_is_told_to_and_for_all_clones() {
        let clock = ManualClock::default();
        let other = clock.clone();
        assert_eq!(clock.now(), other.now());
        let before = clock.now();
        clock.advance(TimeDelta::seconds(90));
        assert_eq!(other.now() - before, TimeDelta::seconds(90));
    }
}
