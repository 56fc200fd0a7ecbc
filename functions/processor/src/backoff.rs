//! How long to wait before what failed is tried again.

use std::time::Duration;

use shared::domain::ids::new_id;

/// The pause after so many failures: doubling from one second to the longest, and spread.
pub(crate) fn doubled(failures: u32, longest: Duration) -> Duration {
    spread(Duration::from_secs(1 << failures.min(31)).min(longest))
}

/// Something between half of a pause and all of it, so that what failed together does not come back together.
pub(crate) fn spread(pause: Duration) -> Duration {
    // The end of an id is random; its beginning is the time, which is the same for what failed together.
    let [.., high, low] = new_id().into_bytes();
    let chance = f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX);
    pause.mul_f64(f64::midpoint(1.0, chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_longest_and_is_spread_over_the_upper_half() {
        for (failures, seconds) in [(0, 1.0), (1, 2.0), (2, 4.0), (8, 256.0), (9, 300.0), (500, 300.0)] {
            let pauses: Vec<_> = (0..50).map(|_| doubled(failures, Duration::from_mins(5))).collect();
            let is_within = |pause: &Duration| (seconds / 2.0..=seconds).contains(&pause.as_secs_f64());
            assert!(pauses.iter().all(is_within), "{failures}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{failures}: {pauses:?}");
        }
    }
}
