//! Where the time comes from, so that a test can turn it.

use chrono::{DateTime, SubsecRound, Utc};

/// A clock knows what time it is.
pub trait Clock: Send + Sync {
    /// The time now, to the millisecond: that is what the contract and Dialpad speak.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the time is read")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(3)
    }
}
