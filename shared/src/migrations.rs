//! Brings a database to the schema of this build: the files of `migrations/`, embedded, in order, each once.
//!
//! A table, `schema_migrations`, keeps what was applied. A database made with plain psql has no such table and is
//! adopted by running the files again, which their SQL allows. A database that is ahead of this build is left as
//! it is, so that going back to an older release does not fail.

#[cfg(feature = "migrate")]
mod run;

#[cfg(feature = "migrate")]
pub use self::run::{Error, Report, apply, plan, verify};

/// Keeps what was applied, one row a file.
pub(crate) const TABLE: &str = "schema_migrations";

macro_rules! embed {
    ($($name:literal,)*) => { [$(($name, include_str!(concat!("../../migrations/", $name)))),*] };
}

/// Name and text of each file.
const FILES: &[(&str, &str)] = &embed![
    "001_apps.sql",
    "002_webhook_events.sql",
    "003_calls_and_messages.sql",
    "004_voicemail_and_user_mappings.sql",
    "005_client_events.sql",
    "006_ws_tickets.sql",
    "007_messages_and_agents.sql",
    "008_read_paths.sql",
    "009_retention.sql",
    "010_row_level_security.sql",
    "011_rate_limits.sql",
    "012_default_region.sql",
    "013_dialpad_connections.sql",
    "014_erasures.sql",
    "015_message_threads.sql",
    "016_call_requests.sql",
    "017_planner.sql",
    "018_refused_handshakes.sql",
    "019_reconciled.sql",
];

/// The number of the newest file: the schema that this build needs.
pub(crate) const NEWEST: usize = FILES.len();
