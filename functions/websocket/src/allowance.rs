//! How many refusals are written down.

use std::sync::Mutex;

use chrono::{DateTime, Utc};

/// How many refusals a second are written down. Whoever knows the public part of a key could otherwise have each of any
/// number of tries write to the database.
const A_SECOND: u32 = 10;

/// What is left of this second's.
#[derive(Debug, Default)]
pub(crate) struct Allowance(Mutex<(i64, u32)>);

impl Allowance {
    /// Whether one more may be written down.
    pub(crate) fn take(&self, now: DateTime<Utc>) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if spent.0 != now.timestamp() {
            *spent = (now.timestamp(), 0);
        }
        spent.1 += 1;
        spent.1 <= A_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_a_second_are_written_down() {
        let allowance = Allowance::default();
        let at = |millisecond: i64| DateTime::from_timestamp_millis(1_780_000_000_000 + millisecond).unwrap();
        let taken = (0..500).filter(|millisecond| allowance.take(at(*millisecond))).count();
        assert_eq!(taken, 10);
        assert!(!allowance.take(at(999)) && allowance.take(at(1_000)));
    }
}
