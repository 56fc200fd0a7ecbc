//! Settings of the broadcaster.

use shared::config::{Env, Error};

/// What the broadcaster is told.
#[derive(Debug)]
pub struct Config {
    /// `CONNECTIONS_TABLE`: the DynamoDB table of connections.
    pub connections_table: String,
    /// `CONNECTIONS_ENDPOINT`: URL of the WebSocket API's stage, `https://{api}.execute-api.{region}.amazonaws.com/{stage}`.
    pub connections_endpoint: String,
    /// `STACK_NAME`: whose metrics these are.
    pub stack_name: String,
}

impl Config {
    /// Reads them.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        Ok(Self {
            connections_table: env.required("CONNECTIONS_TABLE")?.to_owned(),
            connections_endpoint: env.required("CONNECTIONS_ENDPOINT")?.to_owned(),
            stack_name: env.required("STACK_NAME")?.to_owned(),
        })
    }
}
