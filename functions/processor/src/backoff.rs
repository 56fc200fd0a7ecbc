//! How long to wait before what failed is tried again.

use std::time::Duration;

use shared::domain::ids::new_id;

/// The pause after so many failures: doubling from one second to the longest, spread over the upper half, so that what
/// failed together does not come back together.
pub(crate) fn pause(failures: u32, longest: Duration) -> Duration {
    // The id's random bits are as good a spread as any.
    spread(failures, longest, f64::from(new_id().as_fields().1) / f64::from(u16::MAX))
}

fn spread(failures: u32, longest: Duration, chance: f64) -> Duration {
    let doubled = Duration::from_secs(1 << failures.min(31)).min(longest);
    doubled.mul_f64(f64::midpoint(1.0, chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_mins(5);

    #[test]
    fn it_doubles_up_to_the_longest() {
        let seconds = [0, 1, 2, 8, 9, 500].map(|failures| spread(failures, LONGEST, 1.0).as_secs());
        assert_eq!(seconds, [1, 2, 4, 256, 300, 300]);
    }

    #[test]
    fn it_is_spread_over_the_upper_half() {
        assert_eq!(spread(3, LONGEST, 0.0), Duration::from_secs(4));
        let pauses: Vec<_> = (0..50).map(|_| pause(3, LONGEST)).collect();
        assert!(pauses.iter().all(|pause| (4..=8).contains(&pause.as_secs())), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    }
}
