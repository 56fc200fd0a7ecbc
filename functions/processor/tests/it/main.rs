//! The processor against a real Postgres and the queues of the local server.

#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

mod failures;
mod healing;
mod messages;
mod races;
mod retention;
mod samples;
mod stage;
mod turns;
