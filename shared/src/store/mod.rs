//! Postgres, the system of record. One module for each table or concern; every statement takes the tenant.
//!
//! Statements are unnamed (`query_typed`: one round trip, and a pooler in transaction mode works), begin with a comment
//! that names the function, and give each parameter its type.
//!
//! Rows are reached through [`Store::tenant`], [`Store::app`] and [`Store::system`] only: each begins a transaction in which
//! Postgres itself knows for whom it is.

pub mod agents;
pub mod apps;
pub mod audit;
pub mod call_requests;
pub mod calls;
pub mod closings;
mod connect;
pub mod deliveries;
pub mod diagnosis;
pub mod dialpad_authorizations;
pub mod dialpad_connections;
pub mod dialpad_webhooks;
pub mod erasures;
mod error;
pub mod event_log;
pub mod folding;
pub mod inbox;
pub mod keys;
pub mod limits;
pub mod mappings;
pub mod messages;
pub mod page;
mod patience;
pub mod reconciling;
pub mod refusals;
pub mod retention;
mod session;
pub mod tickets;
mod tls;
mod transaction;
pub mod voicemails;
mod words;

pub use connect::{Settings, Store, connect};
pub use error::{Error, Result};
pub use tokio_postgres::{Client, GenericClient};
pub use transaction::Transaction;
