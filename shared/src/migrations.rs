//! The schema of this build: the files of `migrations/`, embedded.

/// Keeps what was applied, one row a file.
pub(crate) const TABLE: &str = "schema_migrations";

macro_rules! embed {
    ($($name:literal,)*) => { [$(($name, include_str!(concat!("../../migrations/", $name)))),*] };
}

/// Name and text of each file.
pub(crate) const FILES: &[(&str, &str)] = &embed![
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
    "020_conflicting_deliveries.sql",
    "021_erasing_in_steps.sql",
];

/// The number of the newest file: the schema that this build needs.
pub(crate) const NEWEST: usize = FILES.len();
