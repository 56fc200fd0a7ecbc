//! Settings of the WebSocket function.

use shared::config::{Env, Error, Secret};

/// What the function is told.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `CONNECTIONS_TABLE`: the DynamoDB table of connections.
    pub connections_table: String,
    /// `ALLOW_API_KEY_IN_URL`: whether `?api_key=` is honoured. URLs end up in logs; browsers should use tickets.
    pub allow_api_key_in_url: bool,
    /// `STACK_NAME`: whose metrics these are.
    pub stack_name: String,
}

impl Config {
    /// Reads them.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        Ok(Self {
            database_url: Secret::new(env.required("DATABASE_URL")?),
            connections_table: env.required("CONNECTIONS_TABLE")?.to_owned(),
            allow_api_key_in_url: env.parsed("ALLOW_API_KEY_IN_URL", true)?,
            stack_name: env.required("STACK_NAME")?.to_owned(),
        })
    }
}
