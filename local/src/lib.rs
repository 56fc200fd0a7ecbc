//! The functions and the AWS around them, on one machine.
//!
//! `serve` composes everything: the edge (HTTP API and WebSocket API), the AWS endpoint the functions call (DynamoDB,
//! SQS, Lambda Invoke, `@connections`), a private Postgres when none is given, and the real function binaries behind
//! a Lambda Runtime API. `template.yaml` is the only description of what exists: a route, queue or schedule that is
//! missing there is missing here.

pub mod admin;
pub mod aws;
pub mod bench;
pub mod binaries;
pub mod child;
pub mod cli;
pub mod client;
pub mod console;
pub mod database;
pub mod dialpad;
pub mod edge;
pub mod environment;
pub mod faults;
pub mod follow;
pub mod journal;
pub mod lambda;
pub mod ports;
pub mod schedule;
mod scratch;
pub mod serve;
pub mod settings;
mod signals;
pub mod simulate;
pub mod tail;
pub mod telemetry;
pub mod template;
pub mod timing;
pub mod torture;
pub mod urls;
