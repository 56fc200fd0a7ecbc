//! The local stack over real sockets.

#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

mod aws;
mod dialpad_tables;
mod edge_connections;
mod edge_http;
mod edge_stack;
mod edge_websocket;
mod edge_websocket_ends;
mod function;
mod lambda;
mod simulate;
mod sqs;
mod template;
mod whole;
