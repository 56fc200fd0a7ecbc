//! Why a call that was asked for is not dialled.

use shared::problem::Problem;

/// A request to dial that does not reach Dialpad.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum NotDialled {
    /// Something else was asked with this idempotency key.
    #[error("use an idempotency key for something else")]
    KeyReused,
    /// The same is being asked at this moment.
    #[error("ask the same twice at once")]
    KeyInFlight,
    /// The user has dialled too often.
    #[error("dial once more within this minute")]
    TooOften {
        /// Seconds until the next.
        retry_after: u32,
    },
}

impl NotDialled {
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::KeyReused => Problem::new(
                422,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request; use a new one.",
            ),
            Self::KeyInFlight => Problem::new(
                409,
                "idempotency_key_in_flight",
                "The same request is being worked on; wait for it.",
            )
            .with_retry_after(1),
            Self::TooOften { retry_after } => Problem::new(
                429,
                "dialled_too_often",
                format!("Dialpad lets a user dial five times a minute; go on in {retry_after} s."),
            )
            .with_retry_after(retry_after),
        }
    }
}
