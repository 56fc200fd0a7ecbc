//! What the invoker is told when it did not work.

use lambda_runtime::Diagnostic;
use shared::{migrate, telemetry::Chain};

/// Why the database is not as this release needs it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The event is not understood.
    #[error("read the event, which is {{\"action\": \"plan\" | \"apply\" | \"verify\"}}")]
    Event(#[source] serde_json::Error),
    /// The database could not be migrated or verified.
    #[error(transparent)]
    Migrate(migrate::Error),
}

impl Error {
    /// A stable name, for the invoker and for alarms.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Event(_) => "event_invalid",
            Self::Migrate(error) => match error {
                migrate::Error::Connect(_) => "database_unavailable",
                migrate::Error::Prepare(_) => "migration_not_started",
                migrate::Error::Apply(_) => "migration_failed",
                migrate::Error::Changed(_) => "migration_changed",
                migrate::Error::OutOfOrder(_) => "migration_out_of_order",
                migrate::Error::Pending(_) => "migrations_pending",
            },
        }
    }

    pub(crate) fn log(&self) {
        tracing::error!(component = "Migrator", code = self.code(), error = %Chain(self), "failed");
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        // The invoker is an operator: the reason of a failed deploy belongs into the answer.
        Self { error_type: error.code().to_owned(), error_message: Chain(&error).to_string() }
    }
}
