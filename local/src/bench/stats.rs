//! Numbers out of many measurements.

use std::time::Duration;

use serde::Serialize;

/// Measurements of one thing in one round.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time within which so many of a hundred were done, in milliseconds: a measured one, nothing in between.
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    }
}

/// One figure of each round: the middle one, and how far the others are from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
    pub(super) rounds: usize,
}

impl Spread {
    /// Of an even number of rounds the median is the mean of the two in the middle.
    pub(super) fn of(rounds: &[f64]) -> Self {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
        } else {
            at(middle)
        };
        Self { min: at(0), median, max: at(sorted.len().wrapping_sub(1)), rounds: sorted.len() }
    }

    /// How many times the smallest the largest is.
    pub(super) fn width(&self) -> f64 {
        self.max / self.min
    }
}

/// How many a second.
pub(super) fn per_second(count: usize, time: Duration) -> f64 {
    number(count) / time.as_secs_f64()
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]
pub(super) fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(milliseconds: impl IntoIterator<Item = u64>) -> Times {
        Times(milliseconds.into_iter().map(Duration::from_millis).collect())
    }

    fn same(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn a_percentile_is_the_smallest_time_that_so_many_did_not_pass() {
        let hundred = times((1..=100).rev());
        for (percent, expected) in [(50, 50.0), (99, 99.0), (100, 100.0), (1, 1.0)] {
            same(hundred.percentile(percent), expected);
        }
        same(times([7]).percentile(99), 7.0);
        same(times([1, 2, 3]).percentile(50), 2.0);
        same(times([1, 2, 3]).percentile(99), 3.0);
        assert!(Times::default().percentile(50).is_nan());
    }

    #[test]
    fn a_spread_has_the_median_of_odd_and_of_even_rounds() {
        assert_eq!(Spread::of(&[3.0, 1.0, 9.0]), Spread { min: 1.0, median: 3.0, max: 9.0, rounds: 3 });
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 9.0]), Spread { min: 1.0, median: 3.0, max: 9.0, rounds: 4 });
        assert!(Spread::of(&[]).median.is_nan());
        same(Spread::of(&[2.0, 3.0]).width(), 1.5);
    }

    #[test]
    fn a_rate_is_a_count_by_seconds() {
        same(per_second(50, Duration::from_millis(500)), 100.0);
    }
}
