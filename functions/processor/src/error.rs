//! What stops the processor's work.

use lambda_runtime::Diagnostic;
use shared::{store, telemetry::Chain};

/// The work could not be done now. Nothing is lost: the sweep does it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The event is neither from the queue nor from the schedule.
    #[error("tell what the function was invoked for")]
    UnknownTrigger(#[from] serde_json::Error),
    /// The database is away, or failed.
    #[error("work on the stored events")]
    Store(#[from] store::Error),
}

impl Error {
    /// Whether the database is away or does nothing in time: then nothing else is done either.
    pub(crate) fn is_unavailable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_unavailable())
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        let error_type = match error {
            Error::UnknownTrigger(_) => "UnknownTrigger",
            Error::Store(_) => "Store",
        };
        Self { error_type: error_type.to_owned(), error_message: Chain(&error).to_string() }
    }
}
