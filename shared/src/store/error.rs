//! What can go wrong between us and the database.

use std::fmt;

use tokio_postgres::error::SqlState;

use crate::telemetry::Chain;

/// The result of talking to the database.
pub type Result<T> = std::result::Result<T, Error>;

/// The database did not do what was asked. "Not found" is not among it: that is an `Option`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database's address or its TLS settings cannot be used.
    #[error("use the database's address")]
    Configuration(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No connection could be had.
    #[error("connect to the database")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The migrations of this release have not been applied yet.
    #[error("use a database whose schema is at version {0}")]
    SchemaTooOld(String),
    /// A statement failed.
    #[error("run a statement")]
    Statement(#[source] Failure),
    /// It took longer than the caller could wait.
    #[error("wait for the database")]
    TooSlow,
    /// A row holds what our own code never writes.
    #[error("read column {column} of {table}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
}

/// A failed statement, as it may be logged: Postgres's own words quote values, so only its code and the names of what
/// was violated are shown.
pub struct Failure(tokio_postgres::Error);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(refusal) = self.0.as_db_error() else { return write!(f, "{}", Chain(&self.0)) };
        write!(f, "SQLSTATE {}", refusal.code().code())?;
        for (what, name) in
            [("table", refusal.table()), ("column", refusal.column()), ("constraint", refusal.constraint())]
        {
            if let Some(name) = name {
                write!(f, ", {what} {name}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({self})")
    }
}

// No source: the words of the cause are what must not be shown.
impl std::error::Error for Failure {}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Statement(Failure(error))
    }
}

impl Error {
    pub(super) fn connect(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Connect(Box::new(error))
    }

    /// Whether the database is away or overloaded: the same request may succeed later, untouched.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Connect(_) | Self::SchemaTooOld(_) | Self::TooSlow => true,
            Self::Configuration(_) | Self::Inconsistent { .. } => false,
            Self::Statement(Failure(error)) => {
                self.is_schema_too_old()
                    || error.is_closed()
                    || error.code().map_or_else(|| is_io(error), is_transient)
            }
        }
    }

    /// Whether the database lacks what this release's migrations bring. Of a schema that was made with psql no version is
    /// known, so that a missing table or column says the same.
    #[must_use]
    pub fn is_schema_too_old(&self) -> bool {
        const MISSING: [SqlState; 3] =
            [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN, SqlState::UNDEFINED_FUNCTION];
        match self {
            Self::SchemaTooOld(_) => true,
            Self::Statement(Failure(error)) => error.code().is_some_and(|code| MISSING.contains(code)),
            Self::Configuration(_) | Self::Connect(_) | Self::TooSlow | Self::Inconsistent { .. } => false,
        }
    }

    /// The constraint that was violated, if that is what happened.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        if let Self::Statement(Failure(error)) = self { error.as_db_error()?.constraint() } else { None }
    }

    /// Whether the database refused a value as such: no retry will help.
    #[must_use]
    pub fn is_refused_value(&self) -> bool {
        // Class 22 is "data exception"; 54 is "program limit exceeded" (nesting too deep, value too long).
        matches!(self, Self::Statement(Failure(error))
            if error.code().is_some_and(|code| code.code().starts_with("22") || code.code().starts_with("54")))
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

fn is_transient(code: &SqlState) -> bool {
    // 08 connection exception, 25 transaction state (idle for too long, read only after a fail-over), 40 transaction
    // rollback, 53 insufficient resources, 55 object in use (lock time-out), 57 operator intervention (shutdown, statement
    // time-out), 58 system error.
    ["08", "25", "40", "53", "55", "57", "58"].contains(&&code.code()[..2])
}
