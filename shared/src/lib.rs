//! What the functions share: the domain, and one module for each thing outside that they touch.
//!
//! `domain` knows the standard library, serde, chrono and uuid, and nothing else. Each other module that costs a
//! dependency stands behind a feature of its own name, so that a function links what its IAM policy allows.

pub mod clock;
pub mod config;
pub mod domain;
pub mod invoke;
pub mod problem;
pub mod queue;
pub mod telemetry;

#[cfg(feature = "auth")]
pub mod auth;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "connection")]
pub mod connection;
#[cfg(feature = "dialpad")]
pub mod dialpad;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "migrate")]
pub mod migrate;
#[cfg(feature = "store")]
mod migrations;
#[cfg(feature = "phone")]
pub mod phone;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "push")]
pub mod push;
#[cfg(feature = "registry")]
pub mod registry;
#[cfg(feature = "schema")]
mod schema;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
