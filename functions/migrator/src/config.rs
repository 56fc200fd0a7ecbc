//! The settings of the migrator.

use shared::config::{self, Env, Secret};

/// What the migrator needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// `DATABASE_URL`: the database itself, not a pooler in transaction mode, which would lose the lock.
    pub database_url: Secret,
}

impl Config {
    /// Reads the settings.
    pub fn from_env(env: &Env) -> Result<Self, config::Error> {
        Ok(Self { database_url: Secret::new(env.required("DATABASE_URL")?) })
    }
}
