//! Tells an app's operators why its sockets are refused: the client itself is told no more than a status.

use std::sync::Mutex;

use chrono::{DateTime, Utc};
use shared::{
    auth::ApiKey,
    store::{self, refusals},
    telemetry::Chain,
};
use tracing::warn;

use crate::{Sockets, error::Error};

/// How many refusals a second are written down. Whoever knows the public part of a key could otherwise have each of any
/// number of tries write to the database.
const A_SECOND: u32 = 10;

/// What is left of this second's.
#[derive(Debug, Default)]
pub struct Allowance(Mutex<(i64, u32)>);

impl Allowance {
    /// Whether one more may be written down.
    fn take(&self, now: DateTime<Utc>) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if spent.0 != now.timestamp() {
            *spent = (now.timestamp(), 0);
        }
        spent.1 += 1;
        spent.1 <= A_SECOND
    }
}

/// Notes a refusal for the app that the presented text of a key names, if it names one.
pub(crate) async fn note(sockets: &Sockets, presented: Option<&str>, error: &Error) {
    let Some(reason) = error.of_a_key() else { return };
    let Some(key_id) = presented.and_then(ApiKey::id_in) else { return };
    let now = sockets.clock.now();
    if !sockets.noted.take(now) {
        return;
    }
    let write = async {
        let db = sockets.store.system().await?;
        db.commit_with(refusals::note(&*db, key_id, reason, now)).await
    };
    let written: store::Result<()> = write.await;
    if let Err(error) = written {
        // The handshake is refused in any case.
        warn!(component = "WebSocket", error = %Chain(&error), "could not note a refusal");
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
