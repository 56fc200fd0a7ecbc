//! The whole product: the real binary starts the real functions, and everything goes through its ports.

mod bad_input;
mod bad_payloads;
mod bench;
mod calling;
mod company;
mod connecting;
mod deliveries;
mod documented;
#[cfg(target_os = "linux")]
mod ends;
mod faults;
mod folder;
mod frames;
mod healing;
mod isolation;
mod journal;
mod kills;
mod logs;
mod main_job;
mod mistakes;
mod outage;
mod privacy;
mod provisioning;
mod resume;
mod schema;
mod server;
mod sockets;
mod stage_name;
mod tail;
mod torture;
mod trial;
mod watch;
