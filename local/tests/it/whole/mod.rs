//! The whole product: the real binary starts the real functions, and everything goes through its ports.

mod bad_input;
mod deliveries;
mod main_job;
mod outage;
mod server;
mod sockets;
