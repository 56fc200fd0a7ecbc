//! The local stack over real sockets.

#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

mod edge_http;
mod edge_stack;
