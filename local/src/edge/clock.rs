//! The time of the edge, which can be turned forward.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

/// The system's time plus what it was turned forward by.
///
/// Turning it wakes everything that sleeps until a time now past, so that ten idle minutes or two hours of age can
/// be tried out at once, on real sockets. Clones share the hands.
#[derive(Debug, Clone)]
pub struct Clock {
    ahead: Arc<watch::Sender<Duration>>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock that shows the system's time.
    #[must_use]
    pub fn new() -> Self {
        Self { ahead: Arc::new(watch::Sender::new(Duration::ZERO)) }
    }

    /// Turns the clock forward.
    pub fn turn(&self, by: Duration) {
        self.ahead.send_modify(|ahead| *ahead += by);
    }

    /// The time it shows.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from(SystemTime::now() + *self.ahead.borrow())
    }

    /// Waits until the clock shows `time`, or returns at once when it already does.
    pub(super) async fn sleep_until(&self, time: DateTime<Utc>) {
        let mut turned = self.ahead.subscribe();
        // Millis rounded up: a timer that fires a fraction too early would spin.
        while let Ok(left) = (time - self.now()).to_std() {
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left + Duration::from_millis(1)) => {}
                _ = turned.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turning_the_clock_wakes_who_sleeps() {
        let clock = Clock::new();
        let start = clock.now();
        let turner = clock.clone();
        let sleep = tokio::spawn(async move { clock.sleep_until(start + Duration::from_mins(10)).await });
        turner.turn(Duration::from_mins(11));
        tokio::time::timeout(Duration::from_secs(5), sleep).await.unwrap().unwrap();
    }
}
