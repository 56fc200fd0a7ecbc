//! The local stack over real sockets.

#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

mod aws;
mod dialpad_tables;
mod documents;
mod edge_connections;
mod edge_http;
mod edge_stack;
mod edge_websocket;
mod edge_websocket_ends;
mod faults_admin;
mod faults_database;
mod faults_edge;
mod faults_lambda;
mod faults_queue;
mod function;
mod lambda;
mod simulate;
mod sqs;
mod template;
mod whole;
