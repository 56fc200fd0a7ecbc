//! What tests share: a real database for each of them, and a clock that stands still.

mod clock;
mod database;

pub use self::{
    clock::ManualClock,
    database::{Database, server_options},
};
