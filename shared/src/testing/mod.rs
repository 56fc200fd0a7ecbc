//! What tests share: a real database for each of them, and a clock that stands still.

#[cfg(feature = "aws")]
mod aws;
mod clock;
mod database;

#[cfg(feature = "aws")]
pub use self::aws::aws_config;
pub use self::{
    clock::ManualClock,
    database::{Database, migrations, server_options},
};
