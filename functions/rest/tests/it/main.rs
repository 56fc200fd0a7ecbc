//! The REST API against a real database.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

mod apps;
mod calls;
mod conventions;
mod database;
mod deliveries;
mod diagnostics;
mod document;
mod documents;
mod erasures;
mod events;
mod iam;
mod isolation;
mod keys;
mod limits;
mod lists;
mod lookup;
mod mappings;
mod messages;
mod server;
mod sockets;
mod voicemails;
mod walk;
