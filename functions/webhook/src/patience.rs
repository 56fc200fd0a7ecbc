//! How long a delivery waits for the database: less once one waited in vain.
//!
//! A database that refuses is known to be away at once. One that is silent costs each delivery all of its time, and a
//! function that waits takes no other delivery meanwhile: then they wait for one another, longer than Dialpad does.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long the database has. What is left of Dialpad's five seconds is for the queue.
const TIME: Duration = Duration::from_millis(1500);
/// How long it has while it is taken to be silent: enough for a new connection with TLS.
const TIME_OF_A_TRY: Duration = Duration::from_millis(300);
/// How long it is left alone between tries.
const PAUSE: Duration = Duration::from_secs(1);

/// What the last deliveries found.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// When the database was last waited for in vain, or is being tried again; none: it answers.
    silent: Mutex<Option<Instant>>,
}

impl Patience {
    /// Until when a delivery that comes now waits for the database. It is over already while that is taken to be silent.
    pub(crate) fn deadline(&self) -> Instant {
        let (now, mut silent) = (Instant::now(), self.silent.lock().unwrap_or_else(PoisonError::into_inner));
        match *silent {
            None => now + TIME,
            Some(last) if now < last + PAUSE => now,
            Some(_) => {
                *silent = Some(now);
                now + TIME_OF_A_TRY
            }
        }
    }

    /// The database answered, whatever it said.
    pub(crate) fn answered(&self) {
        self.set(None);
    }

    /// It was waited for in vain.
    pub(crate) fn gave_up(&self) {
        self.set(Some(Instant::now()));
    }

    fn set(&self, silent: Option<Instant>) {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = silent;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_database_is_tried_once_a_second_and_not_for_long() {
        let patience = Patience::default();
        let waits = || patience.deadline() - Instant::now();
        assert_eq!([waits(), waits()], [TIME, TIME]);
        patience.gave_up();
        assert_eq!(waits(), Duration::ZERO);
        advance(PAUSE).await;
        assert_eq!(
            [waits(), waits()],
            [TIME_OF_A_TRY, Duration::ZERO],
            "one delivery tries, the others do not"
        );
        patience.gave_up();
        advance(PAUSE / 2).await;
        assert_eq!(waits(), Duration::ZERO);
        advance(PAUSE).await;
        assert_eq!(waits(), TIME_OF_A_TRY);
        patience.answered();
        assert_eq!(waits(), TIME);
    }
}
