//! The library against the real things: Postgres, processes, sockets.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

mod backup;
mod calls;
mod dialpad_samples;
mod messages;
mod migrations;
mod postgres;
mod read_paths;
mod round_trips;
mod secrets;
mod silence;
mod tls;
mod walls;
