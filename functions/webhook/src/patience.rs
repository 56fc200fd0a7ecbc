//! How long a delivery waits for the database: less once one waited in vain.
//!
//! A database that refuses is known to be away at once. One that is silent costs each delivery all of its time, and a
//! function that waits takes no other delivery meanwhile: then they wait for one another, longer than Dialpad does.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shared::store;
use tokio::time::Instant;
use uuid::Uuid;

/// How long the database has. What is left of Dialpad's five seconds is for the queue.
const TIME: Duration = Duration::from_millis(1500);
/// How long it has while it is taken to be silent: mostly enough for a new connection with TLS.
const TIME_OF_A_TRY: Duration = Duration::from_millis(300);
/// Of so many tries one has all the time: a database that is only far away would else be taken to be silent for ever.
const ONE_OF_TRIES: u32 = 8;
/// How long it is left alone between tries.
const PAUSE: Duration = Duration::from_secs(1);

/// What the last deliveries found.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// None: the database answers.
    silence: Mutex<Option<Silence>>,
    /// How many tries a silence begins with.
    ahead: u32,
}

/// A database that is taken to be silent.
#[derive(Clone, Copy, Debug)]
struct Silence {
    /// When it was last waited for in vain, or is being tried again.
    since: Instant,
    /// How often it was tried.
    tries: u32,
}

impl Patience {
    /// One whose long tries come when they may. Instances find a silence at the same time; were their long tries at the same
    /// time too, nobody would be left to take deliveries meanwhile.
    pub(crate) fn out_of_step() -> Self {
        let random = Uuid::now_v7().as_u128() % u128::from(ONE_OF_TRIES);
        Self { ahead: u32::try_from(random).unwrap_or_default(), ..Self::default() }
    }

    /// Until when a delivery that comes now waits for the database. It is over already while that is taken to be silent.
    pub(crate) fn deadline(&self) -> Instant {
        let (now, mut silence) = (Instant::now(), self.silence());
        let Some(Silence { since, tries }) = &mut *silence else { return now + TIME };
        if now < *since + PAUSE {
            return now;
        }
        *since = now;
        *tries += 1;
        now + if tries.is_multiple_of(ONE_OF_TRIES) { TIME } else { TIME_OF_A_TRY }
    }

    /// Notes how waiting for the database ended.
    pub(crate) fn note<T>(&self, outcome: &store::Result<T>) {
        let mut silence = self.silence();
        match outcome {
            Err(store::Error::TooSlow) => {
                let tries = silence.map_or(self.ahead, |silence| silence.tries);
                *silence = Some(Silence { since: Instant::now(), tries });
            }
            // It refused, at once: nobody waits for it, and nothing is known of whether it would be silent.
            Err(error) if error.is_unavailable() => {}
            // It answered, whatever it said.
            Ok(_) | Err(_) => *silence = None,
        }
    }

    fn silence(&self) -> MutexGuard<'_, Option<Silence>> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const ANSWER: store::Result<()> = Ok(());
    const SILENCE: store::Result<()> = Err(store::Error::TooSlow);

    #[tokio::test(start_paused = true)]
    async fn a_silent_database_is_tried_once_a_second_and_not_for_long() {
        let patience = Patience::default();
        let waits = || patience.deadline() - Instant::now();
        assert_eq!([waits(), waits()], [TIME, TIME]);
        patience.note(&SILENCE);
        assert_eq!(waits(), Duration::ZERO);
        advance(PAUSE).await;
        assert_eq!(
            [waits(), waits()],
            [TIME_OF_A_TRY, Duration::ZERO],
            "one delivery tries, the others do not"
        );
        patience.note(&SILENCE);
        advance(PAUSE / 2).await;
        assert_eq!(waits(), Duration::ZERO);
        advance(PAUSE).await;
        assert_eq!(waits(), TIME_OF_A_TRY);
        patience.note(&ANSWER);
        assert_eq!(waits(), TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_only_slow_gets_its_time_again() {
        let patience = Patience::default();
        let mut waits = Vec::new();
        patience.note(&SILENCE);
        for _ in 0..2 * ONE_OF_TRIES {
            advance(PAUSE).await;
            let wait = patience.deadline() - Instant::now();
            advance(wait).await;
            patience.note(&SILENCE);
            waits.push(wait);
        }
        let mut expected = [TIME_OF_A_TRY; 2 * ONE_OF_TRIES as usize];
        for nth in [1, 2] {
            expected[nth * ONE_OF_TRIES as usize - 1] = TIME;
        }
        assert_eq!(waits, expected);
    }
}
